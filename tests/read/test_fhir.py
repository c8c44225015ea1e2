"""A FHIR bundle becomes a patient, without names."""

import json
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calcinosis.errors import CalcinosisError, InputError, NotReadableError
from calcinosis.read.fhir import patient_of_bundle
from calcinosis.read.patient_file import PatientFile, with_labs

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"


def observation(code, value, unit, day="2024-01-02", **more):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "code": unit, "system": "http://unitsofmeasure.org"},
        **more,
    }


def told(kind, code, display="", system=SNOMED, **more):
    coding = {"system": system, "code": code, "display": display}
    return {"resourceType": kind, "code": {"coding": [coding]}, **more}


def patient(*resources, person=True):
    someone = {"resourceType": "Patient", "gender": "female", "birthDate": "1964-01-02"}
    entries = [{"resource": r} for r in ([someone] if person else []) + list(resources)]
    return patient_of_bundle({"resourceType": "Bundle", "entry": entries}, "bundle")


def test_person_kidneys_and_labs_of_a_dialysis_patient():
    found = patient(
        observation("2000-8", 2.4, "mmol/L"),
        observation("2777-1", 7.1, "mg/dL", "2024-01-02T08:00:00Z"),
        told("Procedure", "302497006", performedPeriod={"start": "2019-01-02"}),
        told("Condition", "46177005"),
    )
    assert (found.sex, found.ckd) == ("F", "dialysis_hd")
    assert found.age_years == pytest.approx(60, abs=0.01)
    assert found.vintage_years() == pytest.approx(5, abs=0.01)
    assert found.ca_p_product_mg2_dl2 == pytest.approx(68.3, abs=0.1)


@pytest.mark.parametrize("onset", ["2026", "2026-03", "2026-03-02"])
def test_a_date_told_by_its_year_or_month_may_be_of_this_one(onset, monkeypatch):
    class EarlyMarch(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 3, 2, tzinfo=tz)

    monkeypatch.setattr("calcinosis.read.fhir.datetime", EarlyMarch)
    found = patient(told("Procedure", "302497006", performedDateTime=onset))
    assert found.dialysis_start == date(2026, 3, 2)
    with pytest.raises(InputError, match="lies in the future"):
        patient(told("Procedure", "302497006", performedDateTime="2026-04"))


def test_the_later_of_dialysis_and_transplant_holds():
    dialysis = told("Procedure", "302497006", performedDateTime="2015-01-01")
    graft = told("Procedure", "70536003", performedDateTime="2020-01-01")
    again = told("Procedure", "302497006", performedDateTime="2023-01-01")
    assert patient(dialysis, graft).ckd == "transplant"
    assert patient(dialysis, graft, again).ckd == "dialysis_hd"


@pytest.mark.parametrize(
    ("name", "kidneys"),
    [("Awaiting kidney transplant", None), ("Kidney transplant donor", None),
     ("Patient declines hemodialysis", None),
        ("Unplanned start of hemodialysis", "dialysis_hd"),
        ("Family history of chronic kidney disease", None),
     ("Creation of arteriovenous fistula for hemodialysis", None),
     ("Encounter for hemodialysis", "dialysis_hd"),
     ("End-stage renal disease on hemodialysis by fistula", "dialysis_hd"),
     ("Chronic kidney disease stage 4, not on dialysis", "ckd_unspecified"),
     ("Non-dialysis dependent chronic kidney disease", "ckd_unspecified"),
     ("Failed renal transplant", "ckd_unspecified"), ("Renal transplant rejection", "transplant")],
)  # fmt: skip
def test_a_kidney_status_that_a_name_only_speaks_of_does_not_hold(name, kidneys):
    assert patient({"resourceType": "Condition", "code": {"text": name}}).ckd == kidneys


@pytest.mark.parametrize(
    "name",
    ["Screening for tuberculosis", "Exposure to tuberculosis", "Suspected gout", "Risk of gout",
     "No evidence of gout", "No gout", "Tuberculosis vaccination"],
)  # fmt: skip
def test_a_disease_that_a_name_only_speaks_of_is_not_known(name):
    assert patient({"resourceType": "Condition", "code": {"text": name}}).history == {}


def test_the_later_kind_of_dialysis_holds_since_the_first():
    peritoneal = told("Procedure", "71192002", performedDateTime="2015-01-01")
    blood = told("Procedure", "302497006", performedDateTime="2019-01-01")
    again = told("Procedure", "71192002", performedDateTime="2021-01-01")
    found = patient(peritoneal, blood)
    assert (found.ckd, found.dialysis_start) == ("dialysis_hd", date(2015, 1, 1))
    assert patient(peritoneal, blood, again).ckd == "dialysis_pd"
    assert patient(told("Procedure", "71192002"), blood).ckd == "dialysis_pd"


@pytest.mark.parametrize("stage", ["431855005", "700378005", "700379002"])
def test_a_stage_before_dialysis_is_told_by_its_code(stage):
    assert patient(told("Condition", stage, "Chronic kidney disease")).ckd == "ckd_nondialysis"


def test_a_graft_that_failed_later_than_dialysis_began_is_no_graft():
    dialysis = told("Condition", "Z99.2", onsetDateTime="2005-01-01")
    graft = told("Procedure", "70536003", performedDateTime="2010-01-01")
    failed = told("Condition", "T86.12", "Kidney transplant failure", onsetDateTime="2019-01-01")
    again = told("Procedure", "70536003", performedDateTime="2023-01-01")
    assert patient(dialysis, graft).ckd == "transplant"
    assert patient(dialysis, graft, failed).ckd == "dialysis_unspecified"
    assert patient(graft, failed).ckd == "ckd_unspecified"
    assert patient(failed).history["transplantation"] is True
    assert patient(dialysis, graft, failed, again).ckd == "transplant"


def test_an_observation_known_by_words_alone_is_named_and_one_of_an_instant_is_read():
    panel = {"resourceType": "Observation", "code": {"text": "Renal panel"}}
    at = observation("2000-8", 2.4, "mmol/L", effectiveInstant="2024-01-02T08:00:00Z")
    del at["effectiveDateTime"]
    found = patient(panel, at)
    assert found.passed_over == ("Renal panel",)
    assert found.latest("calcium") is not None


def test_what_is_refuted_is_absent_and_what_is_not_told_is_unknown():
    refuted = {"coding": [{"code": "refuted"}]}
    found = patient(told("Condition", "9651007", verificationStatus=refuted))
    assert found.history == {"long_qt": False}
    assert found.ckd is None


def test_refuted_kidney_disease_is_healthy_kidneys_a_refuted_stage_is_not():
    refuted = {"coding": [{"code": "refuted"}]}
    assert patient(told("Condition", "709044004", verificationStatus=refuted)).ckd == "none"
    assert patient(told("Condition", "46177005", verificationStatus=refuted)).ckd is None
    dialysis = told("Procedure", "302497006")
    disease = told("Condition", "709044004", verificationStatus=refuted)
    assert patient(disease, dialysis).ckd == "dialysis_hd"


def test_conditions_are_known_by_icd10_or_name():
    found = patient(
        told("Procedure", "x", "Total parathyroidectomy"),
        told("Condition", "M34.1", system="http://hl7.org/fhir/sid/icd-10"),
        told("Condition", "Z99.2", system="http://hl7.org/fhir/sid/icd-10"),
    )
    assert found.history == {"parathyroidectomy": True, "connective_tissue_disease": True}
    assert found.ckd == "dialysis_unspecified"


def test_a_procedure_not_done_or_a_resolved_state_does_not_hold():
    found = patient(
        told("Procedure", "x", "Parathyroidectomy", status="not-done"),
        told("Condition", "46177005", clinicalStatus={"coding": [{"code": "resolved"}]}),
    )
    assert found.history == {"parathyroidectomy": False}
    assert found.ckd is None


def test_a_condition_has_a_beginning_and_an_end_however_they_are_told():
    period = {"start": "2015-01-01"}
    dialysis = told("Condition", "265764009", onsetPeriod=period)
    graft = told("Procedure", "70536003", performedDateTime="2012-01-01")
    assert patient(dialysis, graft).ckd == "dialysis_unspecified"
    assert patient(dialysis).dialysis_start == date(2015, 1, 1)
    for end in ({"abatementPeriod": period}, {"abatementString": "when the graft worked"}):
        assert patient({**dialysis, **end}, graft).ckd == "transplant"


@pytest.mark.parametrize("status", ["stopped", "on-hold", "preparation"])
def test_an_operation_that_was_not_carried_through_says_nothing(status):
    found = patient(
        told("Procedure", "x", "Parathyroidectomy", status=status),
        told("Procedure", "70536003", "Kidney transplant", status=status),
    )
    assert found.history == {}
    assert found.ckd is None


def panel(*components, **more):
    """A laboratory panel whose values are components."""
    coding = {"system": LOINC, "code": "24362-6", "display": "Renal function panel"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [coding]},
        "effectiveDateTime": "2024-01-02T08:00:00Z",
        "component": list(components),
        **more,
    }


def component(code, value, unit, display="", **more):
    coding = {"system": LOINC, "code": code, "display": display}
    return {"code": {"coding": [coding]}, "valueQuantity": {"value": value, "code": unit}, **more}


def test_a_panel_is_read_by_its_components_on_the_day_of_the_whole():
    found = patient(
        panel(
            component("2000-8", 2.5, "mmol/L"),
            component("2777-1", 6.0, "mg/dL"),
            component("2951-2", 140, "mmol/L", "Sodium"),
            component("2731-8", None, None, dataAbsentReason={"text": "haemolysed"})
            | {"valueQuantity": None},
        )
    )
    assert found.value("calcium") == pytest.approx(10.02)
    assert found.ca_p_product_mg2_dl2 == pytest.approx(60.12)
    assert {str(result.day) for result in found.labs} == {"2024-01-02"}
    assert found.passed_over == ("Sodium",)


def test_a_panel_without_a_value_we_use_is_named_once():
    pressure = [component("8480-6", 140, "mm[Hg]"), component("8462-4", 80, "mm[Hg]")]
    assert patient(panel(*pressure)).passed_over == ("Renal function panel",)


def test_a_component_that_cannot_be_is_refused_with_its_place():
    with pytest.raises(InputError, match=r"\(Observation\) component 1: phosphate 60 mg/dL is"):
        patient(panel(component("2000-8", 2.5, "mmol/L"), component("2777-1", 60, "mg/dL")))


def test_observations_without_use_are_passed_over_and_named_and_errors_left_out():
    wrong = observation("2777-1", 99, "mg/dL", status="entered-in-error")
    found = patient(wrong, observation("718-7", 11, "g/dL"))
    assert found.labs == ()
    assert found.passed_over == ("718-7",)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ([observation("2000-8", 9.4, "mg/dL")], "entry 1 (Observation): LOINC 2000-8"),
        ([observation("2777-1", 5, None)], "entry 1 (Observation): phosphate 5 has no unit"),
        ([observation("2777-1", 5, "mg/dL", "2999-01-01")], "in the future"),
        ([observation("2777-1", 5, "mg/dL", None)], "has no effectiveDateTime"),
        ([observation("2777-1", None, "mg/dL")], "expected a number"),
        ([observation("2777-1", 5, "mg/dL")] * 2, "entry 2 (Observation) repeats entry 1"),
        ([{"resourceType": "Patient"}], "holds 2 patients"),
        ([{"resourceType": "Patient", "birthDate": "soon"}], "holds 2 patients"),
    ],
)
def test_what_is_not_sound_is_refused_with_its_place(resources, message):
    with pytest.raises(InputError) as caught:
        patient(*resources)
    assert message in str(caught.value)


@pytest.mark.parametrize("day", ["soon", "2999-01-01"])
def test_a_start_of_dialysis_that_is_no_day_is_named_with_its_file(day):
    with pytest.raises(InputError, match=r"^bundle: Procedure \(Hemodialysis\): .*" + day):
        patient(told("Procedure", "302497006", "Hemodialysis", performedDateTime=day))


@pytest.mark.parametrize(
    ("reference", "count"),
    [("Patient/a", 1), ("https://record.example/Patient/a/_history/2", 1), ("urn:uuid:1", 1),
     ("Patient/b", 2), ("urn:uuid:2", 2)],
)  # fmt: skip
def test_a_result_of_another_than_the_patient_is_refused(reference, count):
    person = {"resourceType": "Patient", "id": "a"}
    result = observation("2777-1", 7.1, "mg/dL", subject={"reference": reference})
    other = observation("2000-8", 2.4, "mmol/L", subject={"reference": "Patient/a"})
    entries = [{"fullUrl": "urn:uuid:1", "resource": person}, {"resource": result}]
    data = {"resourceType": "Bundle", "entry": [*entries, {"resource": other}]}
    if count == 1:
        assert patient_of_bundle(data, "bundle").value("phosphate") == 7.1
    else:
        with pytest.raises(InputError, match="holds 2 patients"):
            patient_of_bundle(data, "bundle")


def test_files_that_are_no_bundle_are_refused(tmp_path):
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({"resourceType": "Patient"}))
    with pytest.raises(InputError, match="is not a FHIR Bundle"):
        with_labs(PatientFile(), path)
    path.write_text("<Bundle/>")
    with pytest.raises(NotReadableError, match="is not JSON"):
        with_labs(PatientFile(), path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["code", "subject", "status", "valueQuantity", "component", "birthDate", "performedPeriod"]
)
KINDS = st.sampled_from(["Patient", "Observation", "Condition", "Procedure", "Device"])


@given(st.lists(st.tuples(KINDS, st.dictionaries(FIELDS, JSON)), max_size=4))
def test_any_bundle_is_read_or_refused(resources):
    entries = [{"resource": {"resourceType": kind, **fields}} for kind, fields in resources]
    try:
        patient_of_bundle({"resourceType": "Bundle", "entry": entries}, "bundle")
    except CalcinosisError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
