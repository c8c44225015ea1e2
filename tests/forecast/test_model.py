"""The physiology holds together: nothing is created or lost, health is at rest, chains run."""

import re

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from calcinosis.forecast import model, states
from calcinosis.forecast.cohort import simulate_cohort, virtual_patients
from calcinosis.forecast.deposit import equal_masses, grown_and_lost
from calcinosis.forecast.labs import laboratory
from calcinosis.forecast.parameters import (
    CA_MG_PER_MMOL,
    P_MG_PER_MMOL,
    Parameters,
    population,
    solve,
    table,
)
from calcinosis.forecast.prescription import before_day_0, prescribe
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.simulate import controls_of, simulate, starting_state
from calcinosis.forecast.treatments import BOUND_MG_PER_G, gland_tissue, timeline

CALCIUM = [states.CA_PLASMA, states.CA_SURFACE, states.CA_BONE]
DEPOSIT = [states.DEPOSIT_LABILE, states.DEPOSIT_MATURE]
CA_LOST = [states.CA_SECRETED, states.CA_URINE, states.CA_DIALYSED]
MINERAL = [states.CA_BONE, *DEPOSIT]


def run(phases, *, patient=None, p=None, fineness=1.0):
    scenario = parse_scenario({"patient": patient or {}, "phases": phases})
    p = p or population(scenario.patient.dry_weight_kg, scenario.patient.deposit_masses)
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    mmol = scenario.patient.deposit_calcium_g / 0.04008
    start = starting_state(p, before, deposit_mmol=mmol)
    course = timeline(prescribe(before, scenario.phases), p)
    tissue = gland_tissue(before, p)
    return start, course, simulate(start, p, course, tissue=tissue, fineness=fineness), p


def imbalance(start, end, p):
    """Relative error of the calcium and the phosphate balance against the counters."""
    q = p.mineral_ca_per_p

    def calcium(y):
        return y[CALCIUM].sum() + y[DEPOSIT].sum()

    def phosphate(y):
        return y[states.P_PLASMA] + y[states.P_DEEP] + y[MINERAL].sum() / q

    ca_in = end[states.CA_ABSORBED] - end[CA_LOST].sum()
    p_in = end[states.P_ABSORBED] - end[[states.P_URINE, states.P_DIALYSED]].sum()
    return (
        abs(calcium(end) - calcium(start) - ca_in) / calcium(start),
        abs(phosphate(end) - phosphate(start) - p_in) / phosphate(start),
    )


EVERYTHING = [
    {"days": 300, "dialysis": {"ultrafiltration_l": 3}, "active_vitamin_d_ug_per_week": 3},
    {"days": 300, "calcimimetic": {"drug": "cinacalcet"}, "binder": None},
    {"days": 300, "event": {"parathyroidectomy": {"remnant_fraction": 0.05}},
     "binder": {"drug": "calcium_carbonate", "g_per_day": 3}},
    {"days": 326, "dialysis": {"modality": "pd"}, "calcimimetic": None},
    {"days": 300, "dialysis": {"sessions_per_week": 5.5, "hours": 8}},
    {"days": 300, "event": {"transplantation": {"graft_gfr_ml_min": 50}}},
]  # fmt: skip


def test_calcium_and_phosphate_balance_over_five_years_with_every_event():
    start, _, trajectory, p = run(EVERYTHING, patient={"deposit_calcium_g": 40})
    calcium, phosphate = imbalance(start, trajectory.states[-1], p)
    assert calcium < 1e-9
    assert phosphate < 1e-9


@pytest.mark.parametrize("weight_kg", [50, 70, 120])
def test_health_stays_exactly_where_it_is(weight_kg):
    p = population(weight_kg)
    healthy = model.healthy_state(p)
    scenario = parse_scenario(
        {"patient": {"gfr_ml_min": 100, "dry_weight_kg": weight_kg},
         "phases": [{"days": 365}]}
    )  # fmt: skip
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    course = timeline(prescribe(before, scenario.phases), p)
    change = np.empty(states.N_STATES)
    controls = controls_of(course.controls[0], healthy[states.VOLUME], p)
    model.rates(healthy, controls, p, solve(p), change)
    assert np.abs(change[: states.CA_ABSORBED]).max() < 1e-12
    end = simulate(healthy, p, course).states[-1]
    np.testing.assert_allclose(
        end[: states.CA_ABSORBED], healthy[: states.CA_ABSORBED], rtol=1e-10, atol=1e-10
    )


LESS_CALCIUM = [
    {"days": 546, "dialysis": {}, "active_vitamin_d_ug_per_week": 2},
    {"days": 546, "dialysis": {"dialysate_calcium_mmol_l": 1.25}, "binder": {"drug": "sevelamer",
     "g_per_day": 9}, "active_vitamin_d_ug_per_week": 0},
]  # fmt: skip


@pytest.fixture(scope="module")
def marched():
    """Three years of random patients with a deposit: as ever, and with steps half as long."""
    runs = []
    for p in virtual_patients(24, seed=9):
        start, course, coarse, _ = run(LESS_CALCIUM, patient={"deposit_calcium_g": 10}, p=p)
        rows = np.flatnonzero(course.session)
        fine = simulate(start, p, course, fineness=2.0)
        runs.append([laboratory(one.states[rows], one.pth[rows], p) for one in (coarse, fine)])
    return runs


@pytest.mark.parametrize("name", ["calcium_mg_dl", "phosphate_mg_dl", "pth_pg_ml"])
def test_halving_the_step_moves_predialysis_values_by_less_than_a_thousandth(marched, name):
    for coarse, fine in marched:
        np.testing.assert_allclose(coarse[name], fine[name], rtol=1e-3)


def test_weeks_passed_over_change_nothing_a_laboratory_could_see_and_lose_no_mass():
    start, course, passing, p = run(EVERYTHING, patient={"deposit_calcium_g": 40})
    every = course._replace(repeats=np.zeros_like(course.repeats))
    lived = simulate(start, p, every, fineness=2.0)
    assert np.count_nonzero(course.repeats) > 150
    np.testing.assert_allclose(passing.pth[course.session.nonzero()[0]],
                               lived.pth[course.session.nonzero()[0]], rtol=3e-3)  # fmt: skip
    assert max(imbalance(start, passing.states[-1], p)) < 1e-9


def test_long_steps_and_passed_weeks_keep_pth_of_every_patient_to_a_thousandth():
    """Five years on one treatment; a gland that runs away, two deposits that grow add up errors."""
    usual = [{"days": 1826, "dialysis": {}, "active_vitamin_d_ug_per_week": 2}]
    hundred = virtual_patients(100)
    for p in (*virtual_patients(24), hundred[87], hundred[90]):
        start, course, quick, _ = run(usual, p=p)
        every = course._replace(repeats=np.zeros_like(course.repeats))
        slow = simulate(start, p, every, fineness=2.5)
        midweek = np.flatnonzero(course.session & (course.day % 7 == 0))
        np.testing.assert_allclose(quick.pth[midweek], slow.pth[midweek], rtol=1e-3)


def test_only_weeks_alike_in_all_are_taken_as_repeated():
    p = population()
    scenario = parse_scenario({"phases": [{"days": 30, "dialysis": {}}, {"days": 25}]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    course = timeline(prescribe(before, scenario.phases), p)
    assert list(course.day[course.repeats > 0]) == [7, 14, 21, 37, 44]
    uneven = parse_scenario({"phases": [{"days": 70, "dialysis": {"sessions_per_week": 3.5}}]})
    before = before_day_0(uneven.patient, uneven.phases[0])[-1]
    assert not timeline(prescribe(before, uneven.phases), p).repeats.any()
    graft = {"days": 70, "event": {"transplantation": {"graft_gfr_ml_min": 50}}}
    young = parse_scenario({"phases": [graft]})
    before = before_day_0(young.patient, young.phases[0])[-1]
    assert not timeline(prescribe(before, young.phases), p).repeats.any()
    old = timeline(prescribe(before, [young.phases[0].model_copy(update={"days": 700})]), p)
    assert old.day[old.repeats > 0][[0, -1]].tolist() == [105, 693]  # a millionth is left


def test_lost_filtration_leads_through_the_chain_to_a_deposit():
    """Phosphate up, calcitriol down, calcium down, PTH up, gland grows, product up, deposit."""
    p = population()._replace(nucleation=0.02)
    grows_from = p.growth_product * CA_MG_PER_MMOL / 10 * P_MG_PER_MMOL / 10  # mg2/dL2
    health = laboratory(model.healthy_state(p), np.array(p.pth_ref), p)
    scenario = parse_scenario({"patient": {"gfr_ml_min": 100}, "phases": [{"days": 1}]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    ladder = [(60, 365), (30, 365), (20, 365), (12, 365 * 2), (4, 365 * 3)]
    state, seen, lowest_calcium = model.healthy_state(p), [], np.inf
    for gfr, days in ladder:
        step = parse_scenario(
            {"patient": {"gfr_ml_min": gfr},
             "phases": [{"days": days, "dialysis": None,
                         "diet": {"phosphorus_mg_d": 1200, "calcium_mg_d": 1000}}]}
        )  # fmt: skip
        plan = prescribe(before_day_0(step.patient, step.phases[0])[-1], step.phases)
        trajectory = simulate(state, p, timeline(plan, p))
        state = trajectory.states[-1]
        course = laboratory(trajectory.states, trajectory.pth, p)
        lowest_calcium = min(lowest_calcium, course["calcium_mg_dl"].min())
        seen.append(laboratory(state, trajectory.pth[-1], p))
        begun = np.flatnonzero(np.diff(course["deposit_calcium_g"]) > 1e-9)
        assert (course["ca_p_product_mg2_dl2"][begun + 1] > 0.98 * grows_from).all()
    early, late = seen[-2:]
    assert early["phosphate_mg_dl"] > health["phosphate_mg_dl"]
    assert early["calcitriol_pg_ml"] < health["calcitriol_pg_ml"]
    assert lowest_calcium < health["calcium_mg_dl"]
    assert early["pth_pg_ml"] > 2 * health["pth_pg_ml"]
    assert state[states.GLAND] > 1.5
    assert late["ca_p_product_mg2_dl2"] > grows_from
    assert early["deposit_calcium_g"] < 1e-3 * late["deposit_calcium_g"]
    assert late["deposit_calcium_g"] > 0.01
    assert before.dialysis is None


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_less_is_left_of_the_glands_the_less_works(one, other):
    p = population()
    less, more = sorted((one, other))
    assert model.working_tissue(less, p) <= model.working_tissue(more, p) <= more + 1e-2
    assert model.working_tissue(1.0, p) == 1.0
    assert model.working_tissue(0.99, p) > 0.98  # a biopsy hardly tells


def test_pth_keeps_calcium_that_kidneys_would_waste():
    """Of 10,000 with primary hyperparathyroidism PTH 106 went with 10.9 mg/dL (10.4158/EP09346.OR).

    Three times the normal PTH raises what tubules take back as much as that calcium.
    """
    p = population()
    normal, high, none = (model.reabsorbing(float(np.log(pth)), p) for pth in (1.0, 2.65, 1e-6))
    assert normal == pytest.approx(1.0)
    assert 1.1 < high < 1.2
    assert none < 0.85


def prescriptions():
    """Any legal phase."""
    haemodialysis = st.fixed_dictionaries(
        {
            "sessions_per_week": st.floats(1, 7),
            "hours": st.floats(1, 12),
            "phosphate_clearance_ml_min": st.floats(10, 400),
            "dialysate_calcium_mmol_l": st.floats(0.5, 2.5),
            "ultrafiltration_l": st.floats(0, 8),
        }
    )
    peritoneal = st.fixed_dictionaries(
        {
            "modality": st.just("pd"),
            "phosphate_clearance_ml_min": st.floats(0.5, 20),
            "dialysate_calcium_mmol_l": st.floats(0.5, 2.5),
            "ultrafiltration_l": st.floats(0, 5),
        }
    )
    drugs = list(BOUND_MG_PER_G)
    events = st.one_of(
        st.none(),
        st.floats(0, 1).map(lambda x: {"parathyroidectomy": {"remnant_fraction": x}}),
        st.floats(5, 120).map(lambda x: {"transplantation": {"graft_gfr_ml_min": x}}),
    )
    return st.fixed_dictionaries(
        {
            "days": st.integers(1, 60),
            "dialysis": st.one_of(st.none(), haemodialysis, peritoneal),
            "binder": st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {"drug": st.sampled_from(drugs), "g_per_day": st.floats(0, 30)}
                ),
            ),
            "active_vitamin_d_ug_per_week": st.floats(0, 50),
            "calcimimetic": st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {
                        "drug": st.sampled_from(["cinacalcet", "etelcalcetide"]),
                        "relative_dose": st.floats(0, 3),
                    }
                ),
            ),
            "diet": st.fixed_dictionaries(
                {"phosphorus_mg_d": st.floats(100, 4000), "calcium_mg_d": st.floats(0, 5000)}
            ),
            "event": events,
        }
    )


@example(  # lethal hypercalcaemia without phosphate to lay down
    phases=[
        {"days": 29, "dialysis": None, "active_vitamin_d_ug_per_week": 46,
         "diet": {"phosphorus_mg_d": 100, "calcium_mg_d": 3835}},
    ],
    weight=20, gfr=0, deposit=0, masses=1,
)  # fmt: skip
@example(  # many masses that empty plasma, and all it is refilled from, within hours
    phases=[
        {"days": 4, "dialysis": None, "active_vitamin_d_ug_per_week": 46,
         "diet": {"phosphorus_mg_d": 760, "calcium_mg_d": 8}},
    ],
    weight=78, gfr=0, deposit=187, masses=870,
)  # fmt: skip
@settings(
    max_examples=15, deadline=None, phases=set(Phase) - {Phase.shrink}
)  # a case is slow enough
@given(
    phases=st.lists(prescriptions(), min_size=1, max_size=3),
    weight=st.floats(20, 250),
    gfr=st.floats(0, 150),
    deposit=st.floats(0, 1000),
    masses=st.floats(1, 1000),
)
def test_no_legal_prescription_makes_an_amount_negative_or_loses_any(
    phases, weight, gfr, deposit, masses
):
    patient = {"dry_weight_kg": weight, "gfr_ml_min": gfr, "deposit_calcium_g": deposit}
    patient["deposit_masses"] = masses
    start, _, trajectory, p = run(phases, patient=patient)
    amounts = [
        i
        for i in range(states.CA_ABSORBED)
        if i not in (states.P_DRIVE, states.LN_FGF23, states.SET_POINT)
    ]
    assert np.isfinite(trajectory.states).all()
    assert trajectory.states[:, amounts].min() >= 0
    assert max(imbalance(start, trajectory.states[-1], p)) < 1e-9


@pytest.mark.parametrize("product", [3.0, 6.0])
def test_eight_masses_change_twice_as_fast_as_one_that_holds_as_much(product):
    one, eight = population(), population(deposit_masses=8)
    y = np.zeros(states.N_STATES)
    y[DEPOSIT] = 150.0, 350.0
    alone, together = (np.array(grown_and_lost(y, product, p)) for p in (one, eight))
    seed = one.growth_rate * one.nucleation * one.deposit_ref * (product / one.growth_product - 1)
    assert alone.max() > 0
    np.testing.assert_allclose(together, 2 * alone, rtol=1e-5)
    np.testing.assert_allclose(together, 2 * alone, atol=2 * abs(seed))
    y[DEPOSIT] = 0.0
    assert grown_and_lost(y, product, one) == grown_and_lost(y, product, eight)


@pytest.mark.parametrize(
    ("calcium_g", "masses"),
    [([7.3], 1), ([5, 5, 5], 3), ([12, 5, 3], 2.69), ([20, 1e-9], 1), ([0], 1), ([], 1)],
)
def test_unequal_masses_count_as_so_many_of_one_size(calcium_g, masses):
    assert equal_masses(calcium_g) == pytest.approx(masses, abs=1e-2)
    assert equal_masses(calcium_g) >= 1


def test_every_parameter_has_a_value_a_unit_a_meaning_and_a_source():
    assert tuple(table()) == Parameters._fields
    for name, row in table().items():
        assert {"value", "unit", "what", "source"} <= set(row), name
        assert set(row) <= {
            "value", "prior", "unit", "what", "source", "fit_sd", "patient_sd", "scales"
        }, name  # fmt: skip
        assert not re.search(r"[a-z]\.[a-z]|_", row["what"]), "read on the page: no names of code"


def test_bound_calcium_differs_in_the_laboratory_only():
    usual = [{"days": 90, "dialysis": {}}]
    _, _, plain, p = run(usual)
    _, _, bound, other = run(usual, p=p._replace(calcium_binding=1.05))
    np.testing.assert_array_equal(plain.states, bound.states)
    np.testing.assert_array_equal(plain.pth, bound.pth)
    seen = [laboratory(plain.states, plain.pth, of)["calcium_mg_dl"] for of in (p, other)]
    np.testing.assert_allclose(seen[1], 1.05 * seen[0])


def test_a_higher_set_point_raises_both_pth_and_calcium():
    usual = [{"days": 90, "dialysis": {}}]
    levels = []
    for set_point in (0.95, 1.0, 1.05):
        _, _, seen, p = run(usual, p=population()._replace(set_point=set_point))
        last = laboratory(seen.states[-1], seen.pth[-1], p)
        levels.append((last["pth_pg_ml"], last["calcium_mg_dl"]))
    assert levels == sorted(levels)
    assert [calcium for _, calcium in levels] == sorted(calcium for _, calcium in levels)
    assert 1.3 < levels[2][0] / levels[0][0] < 2.5


def test_calcium_and_pth_hardly_go_together_between_haemodialysis_patients():
    usual = {"days": 28, "dialysis": {}, "active_vitamin_d_ug_per_week": 2}
    usual["binder"] = {"drug": "sevelamer", "g_per_day": 4.8}
    scenario = parse_scenario({"phases": [usual]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    labs = simulate_cohort(virtual_patients(200), before, prescribe(before, scenario.phases))
    calcium, pth = labs["calcium_mg_dl"], np.log(labs["pth_pg_ml"])
    assert -0.35 < np.corrcoef(calcium, pth)[0, 1] < 0.1
