"""Today's prescription beside a study: what holds as now, and what each option makes of it."""

import json

import pytest

from calcinosis.errors import InputError, NotReadableError
from calcinosis.forecast.given_prescription import GivenPrescription, read_prescription
from calcinosis.forecast.patient_forecast import forecast_for, without_weight_and_days
from calcinosis.forecast.usual_options import options_for, simulated_by
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient

SALTS = {"drug": "calcium_carbonate", "g_per_day": 3}
LOAD = {
    "dialysis": {"dialysate_calcium_mmol_l": 1.75},
    "binder": SALTS,
    "active_vitamin_d_ug_per_week": 3,
    "dry_weight_kg": 58,
    "gfr_ml_min": 4,
    "diet": {"phosphorus_mg_d": 900},
}


def dialysed(ckd="dialysis_hd", pth=900):
    labs = tuple(
        LabResult.measured(name, value, "pg/mL" if name == "pth" else "mg/dL")
        for name, value in (("calcium", 9.8), ("phosphate", 7.4), ("pth", pth))
    )
    return Patient(ckd=ckd, labs=labs)


def options(content, ckd="dialysis_hd", pth=900):
    given = None if content is None else GivenPrescription.model_validate(content)
    return {option.name: option for option in options_for(dialysed(ckd, pth), given)}


def low_calcium(content, ckd="dialysis_hd"):
    return options(content, ckd)["low-calcium dialysate and sevelamer"]


@pytest.fixture(scope="module")
def loaded():
    given = GivenPrescription.model_validate(LOAD)
    return forecast_for(dialysed(), [12.5], header_weight_kg=71, prescription=given, ensemble=2)


def test_as_now_is_the_prescription_and_low_calcium_takes_less():
    told = options(LOAD)
    now, low = (told[name].phase for name in ("as now", "low-calcium dialysate and sevelamer"))
    assert now["dialysis"].dialysate_calcium_mmol_l == 1.75
    assert now["binder"].drug == "calcium_carbonate"
    assert now["active_vitamin_d_ug_per_week"] == 3
    assert low["dialysis"].dialysate_calcium_mmol_l == 1.25
    assert low["binder"].drug == "sevelamer"
    assert low["active_vitamin_d_ug_per_week"] == 0


def test_calcium_flows_into_the_patient_from_todays_dialysate_and_less_from_a_lower(loaded):
    now, low = (course.sessions[-1].calcium_removed_mg[-1] for course in loaded.courses[:2])
    assert now < low


def test_the_forecast_tells_what_was_given_and_what_was_not(loaded):
    now, low, *_ = loaded.assumptions
    assert now == (
        "As now: today's prescription as given: haemodialysis, dialysate calcium 1.75 mmol/L, "
        "calcium carbonate 3 g a day, active vitamin D 3 µg a week, no calcimimetic; not given of "
        "dialysis, so as usual: 3 × a week, 4 hours a session, phosphate clearance 150 mL/min, "
        "ultrafiltration 2.5 L a session."
    )
    assert low.endswith(
        "dialysate calcium 1.25 mmol/L (now 1.75), sevelamer 9.6 g a day (now calcium carbonate "
        "3 g a day), no active vitamin D (now 3 µg a week), all else as now."
    )
    assert "Dry weight 58 kg, as given." in loaded.assumptions
    assert "Residual filtration 4 mL/min, as given." in loaded.assumptions
    assert "Phosphorus eaten 900 mg a day, as given." in loaded.assumptions
    assert not any("not given, so the usual one" in line for line in loaded.assumptions)


def test_a_weight_that_was_given_can_be_kept_to_oneself(loaded):
    hidden = without_weight_and_days(loaded).assumptions
    assert "Dry weight as given; it is not told here." in hidden
    assert not any("58" in line for line in hidden)
    assert any(line.startswith("Diet 900 mg phosphorus and 663 mg") for line in loaded.assumptions)
    assert not any("663" in line for line in hidden), "eaten by weight"


def test_without_a_prescription_the_usual_one_is_named_with_its_doses():
    meaning = options(None)["as now"].meaning
    assert meaning.startswith("today's prescription was not given, so the usual one: haemodialysis")
    assert "dialysate calcium 1.5 mmol/L" in meaning
    assert "sevelamer 4.8 g a day, active vitamin D 2 µg a week, no calcimimetic" in meaning


def test_what_an_empty_prescription_does_not_name_is_usual_dialysis_and_no_drug():
    now = options({}, "dialysis_pd")["as now"]
    assert now.phase["dialysis"].modality == "pd"
    assert now.phase["binder"] is None
    assert "no binder, no active vitamin D, no calcimimetic" in now.meaning


@pytest.mark.parametrize(
    ("ckd", "dialysis", "calcium"),
    [
        ("dialysis_hd", {"dialysate_calcium_mmol_l": 1.1}, 1.1),
        ("dialysis_hd", {"dialysate_calcium_mmol_l": 1.25}, 1.25),
        ("dialysis_pd", {"modality": "pd", "dialysate_calcium_mmol_l": 1.75}, 1.0),
        ("dialysis_unspecified", {"modality": "pd"}, 1.0),
    ],
)
def test_low_calcium_never_raises_the_dialysate(ckd, dialysis, calcium):
    option = low_calcium({"dialysis": dialysis}, ckd)
    assert option.phase["dialysis"].dialysate_calcium_mmol_l == calcium
    unchanged = dialysis.get("dialysate_calcium_mmol_l") == calcium
    assert ("mmol/L as now" in option.meaning) == unchanged


@pytest.mark.parametrize(
    ("binder", "grams", "said"),
    [
        (None, 9.6, "sevelamer 9.6 g a day (now no binder)"),
        (("sevelamer", 2.4), 4.8, "sevelamer 4.8 g a day (now sevelamer 2.4 g a day)"),
        (("sevelamer", 9.6), 14, "(now sevelamer 9.6 g a day)"),
        (("sevelamer", 16), 16, "sevelamer 16 g a day as now"),
        (("calcium_acetate", 9), 11.9, "sevelamer 11.9 g a day (now calcium acetate 9 g a day)"),
        (("lanthanum", 4), 14, "sevelamer 14 g a day (now lanthanum 4 g a day)"),
        (
            ("sevelamer", 2.4, "calcium_acetate", 4),
            7.7,
            "(now sevelamer 2.4 g and calcium acetate 4 g a day)",
        ),
    ],
)
def test_sevelamer_takes_the_place_of_todays_binder_and_binds_as_much_up_to_14_g(
    binder, grams, said
):
    pairs = zip(binder[::2], binder[1::2], strict=True) if binder else ()
    given = {"binder": [{"drug": drug, "g_per_day": dose} for drug, dose in pairs] or None}
    option = low_calcium(given)
    assert option.phase["binder"].g_per_day == grams
    assert said in option.meaning


@pytest.mark.parametrize(
    ("given", "weight_kg", "left"),
    [(None, 70, 800), (None, 42, 480), ({"diet": {"phosphorus_mg_d": 1500}}, 42, 1200)],
)
def test_a_low_phosphate_diet_leaves_four_fifths_of_what_is_eaten(given, weight_kg, left):
    given = given and GivenPrescription.model_validate(given)
    told = {option.name: option for option in options_for(dialysed(), given, weight_kg)}
    diet = told["low-phosphate diet"]
    assert diet.phase["diet"].phosphorus_mg_d == pytest.approx(left)
    assert str(weight_kg) not in diet.meaning


def test_who_eats_little_phosphorus_already_is_offered_no_diet():
    assert "low-phosphate diet" not in options({"diet": {"phosphorus_mg_d": 750}})


def test_a_low_phosphate_diet_lowers_phosphate_and_answers_the_plan(loaded):
    assert simulated_by("diet") == "low-phosphate diet"
    ends = {course.name: course.outcomes["phosphate_mg_dl"] for course in loaded.courses}
    assert ends["low-phosphate diet"] < ends["as now"] - 0.3


def test_daily_haemodialysis_takes_as_much_fluid_and_no_less_time():
    long = {"sessions_per_week": 3, "hours": 8, "ultrafiltration_l": 3}
    daily = options({"dialysis": long})["daily haemodialysis"].phase["dialysis"]
    assert daily.sessions_per_week * daily.ultrafiltration_l == pytest.approx(9)
    assert daily.sessions_per_week * daily.hours >= 24
    peritoneal = {"modality": "pd", "ultrafiltration_l": 1.2}
    daily = options({"dialysis": peritoneal}, "dialysis_pd")["daily haemodialysis"]
    assert daily.phase["dialysis"].modality == "hd"
    assert daily.phase["dialysis"].ultrafiltration_l * 6 == pytest.approx(7 * 1.2)


def test_what_the_patient_has_already_is_no_option():
    told = options(
        {"dialysis": {"sessions_per_week": 6}, "calcimimetic": {"drug": "etelcalcetide"}}
    )
    assert "daily haemodialysis" not in told
    assert "calcimimetic" not in told
    assert "calcimimetic ends" in told["parathyroidectomy"].meaning


def test_etelcalcetide_takes_the_place_of_cinacalcet():
    option = options({"calcimimetic": {"drug": "cinacalcet", "relative_dose": 1.5}})["calcimimetic"]
    assert option.phase["calcimimetic"].strength == 1.5
    assert "(now cinacalcet at 1.5 times the mean dose of its trials)" in option.meaning
    much = options({"calcimimetic": {"drug": "cinacalcet", "mg_per_day": 90}})["calcimimetic"]
    said = "etelcalcetide 42 mg a week (now cinacalcet 90 mg a day), all else as now"
    assert much.meaning == said


def test_in_peritoneal_dialysis_the_calcimimetic_is_one_to_swallow():
    """Etelcalcetide is injected at haemodialysis, and was studied there only."""
    usual = options({}, "dialysis_pd")["calcimimetic"].meaning
    assert usual == "cinacalcet 60 mg a day, all else as now"
    less = options({"calcimimetic": {"drug": "cinacalcet", "mg_per_day": 30}}, "dialysis_pd")
    assert less["calcimimetic"].meaning.startswith("cinacalcet 60 mg a day (now cinacalcet 30 mg")
    enough = options({"calcimimetic": {"drug": "cinacalcet", "mg_per_day": 90}}, "dialysis_pd")
    assert "calcimimetic" not in enough


def test_dialysis_without_a_modality_is_the_patients():
    given = GivenPrescription.model_validate({"dialysis": {"dialysate_calcium_mmol_l": 1.75}})
    outlook = forecast_for(dialysed("dialysis_pd"), [12.5], prescription=given, ensemble=2)
    now = next(line for line in outlook.assumptions if line.startswith("As now"))
    assert "as given: peritoneal dialysis, dialysate calcium 1.75 mmol/L" in now


@pytest.mark.parametrize(
    ("ckd", "dialysis", "said"),
    [
        ("dialysis_hd", {"modality": "pd"}, 'found "pd", expected "hd"'),
        ("dialysis_pd", {"modality": "hd"}, 'found "hd", expected "pd"'),
        ("dialysis_pd", {"hours": 4}, "dialysis.hours: there is no such field"),
        ("dialysis_unspecified", None, "found null, expected a dialysis"),
    ],
)
def test_dialysis_that_contradicts_the_patient_file_is_refused(ckd, dialysis, said):
    given = GivenPrescription.model_validate({"dialysis": dialysis})
    with pytest.raises(InputError, match=said):
        forecast_for(dialysed(ckd), [12.5], prescription=given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"dialysate": 1.5}', "dialysate: there is no such field"),
        ('{"days": 9}', "days: there is no such field"),
        ('{"dialysis": {"hours": 30}}', "dialysis.hours: found 30, expected at most 12"),
        ('{"dry_weight_kg": 700}', "dry_weight_kg: found 700, expected at most 250"),
        ('{"active_vitamin_d_ug_per_week": -1}', "found -1, expected at least 0"),
        ('{"binder": null, "binder": null}', "binder: found twice"),
        ("[]", "the prescription: found [], expected an object in braces"),
    ],
)
def test_a_prescription_that_cannot_be_used_is_refused_by_name(tmp_path, text, said):
    path = tmp_path / "today.json"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_prescription(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert said in str(refused.value)


def test_a_prescription_that_is_not_there_or_no_json_is_refused(tmp_path):
    with pytest.raises(NotReadableError, match="No such file"):
        read_prescription(tmp_path / "none.json")
    (tmp_path / "today.json").write_text("{")
    with pytest.raises(NotReadableError, match="is not JSON"):
        read_prescription(tmp_path / "today.json")


def test_null_is_none_and_a_file_is_read_as_given(tmp_path):
    path = tmp_path / "today.json"
    path.write_text(json.dumps({**LOAD, "active_vitamin_d_ug_per_week": None}))
    given = read_prescription(path)
    assert given.dry_weight_kg == 58
    assert not given.active_vitamin_d_ug_per_week
