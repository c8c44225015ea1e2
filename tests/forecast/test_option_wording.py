"""Each option is told in words: what happens, and what changes of today's treatment."""

from calcinosis.forecast.option_wording import options_in_words
from calcinosis.forecast.scenario import Binder, parse_scenario
from calcinosis.forecast.wording import binders_in_words

HISTORY = [{"days": 300, "dialysis": {}, "binder": {"drug": "lanthanum", "g_per_day": 2}}]
CUT = {"parathyroidectomy": {"remnant_fraction": 0.05}}
GRAFT = {"transplantation": {"graft_gfr_ml_min": 50}}


def told(*options):
    """What is said of a plan that goes on as today, and of others."""
    return options_in_words(
        parse_scenario(
            {
                "patient": {"history": HISTORY},
                "phases": [{"days": 700, "name": "as now"}],
                "compare": [{"name": name, "phases": phases} for name, phases in options],
            }
        )
    )


def test_what_goes_on_is_said_to():
    assert told() == ("As now: as today.",)


def test_an_operation_is_told_with_what_it_leaves():
    _, cut = told(("cut", [{"days": 700, "event": CUT}]))
    assert cut == "Cut: parathyroidectomy that leaves 5 % of the tissue."


def test_a_graft_is_told_with_its_day_and_with_what_it_ends():
    _, graft = told(("graft", [{"days": 180}, {"days": 520, "event": GRAFT}]))
    assert graft == (
        "Graft: as today; from day 180 a graft that settles at 50 mL/min, no dialysis, no binder."
    )


def test_only_what_changes_is_named_and_dialysis_whole():
    change = {"days": 700, "dialysis": {"sessions_per_week": 6}, "diet": {"phosphorus_mg_d": 700}}
    _, daily = told(("daily", [change]))
    assert daily == (
        "Daily: haemodialysis, 6 × a week, 4 hours a session, phosphate clearance 150 mL/min, "
        "dialysate calcium 1.5 mmol/L, ultrafiltration 2.5 L a session, "
        "700 mg phosphorus and 800 mg calcium eaten."
    )


def test_binders_given_together_are_told_together():
    both = [{"drug": "lanthanum", "g_per_day": 2}, {"drug": "calcium_acetate", "g_per_day": 3}]
    _, added = told(("added", [{"days": 700, "binder": both}]))
    assert added == "Added: lanthanum 2 g and calcium acetate 3 g a day."


def test_sucroferric_oxyhydroxide_is_told_as_iron():
    """A tablet of 2.5 g holds 0.5 g of it."""
    binder = Binder(drug="sucroferric_oxyhydroxide", g_per_day=1.5)
    assert binders_in_words([binder]) == "sucroferric oxyhydroxide 1.5 g of iron a day"


def test_a_graft_that_fails_is_told_with_what_it_leaves():
    failing = [
        {"days": 200, "event": GRAFT},
        {"days": 500, "event": {"graft_failure": {"gfr_ml_min": 3}}},
    ]
    _, lost = told(("lost", failing))
    assert "; from day 200 the graft fails and leaves 3 mL/min, haemodialysis, " in lost


def test_usual_care_is_told_where_it_is_not_as_expected():
    """Two plans that differ in care alone must not read alike."""
    salts = {"drug": "calcium_carbonate", "g_per_day": 6}
    _, bare, own, later = told(
        ("bare", [{"days": 700, "event": CUT, "postoperative_care": None}]),
        ("own", [{"days": 700, "event": CUT, "binder": salts}]),
        ("later", [{"days": 90, "event": CUT}, {"days": 610, "postoperative_care": None}]),
    )
    cut, none = "parathyroidectomy that leaves 5 % of the tissue", "no usual care after parathyro"
    assert bare == f"Bare: {cut}, {none}idectomy."
    assert own == f"Own: {cut}, calcium carbonate 6 g a day, {none}idectomy."
    assert later == f"Later: {cut}; from day 90 {none}idectomy."
