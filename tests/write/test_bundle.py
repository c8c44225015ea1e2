"""The FHIR bundle: valid, about the right patient, and sent twice it makes nothing twice."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.fhir import OWN_CODES
from calcinosis.read.patient_file import read_patient_file
from calcinosis.read.study import read_study
from calcinosis.write.dicom_source import derived_uid
from ct_scene import IDENTIFIER, SHAPE, delivered, enhanced, write_series
from outside_readers import assert_valid_fhir, fhir_faults

LABS = Patient(
    labs=tuple(
        LabResult.measured(analyte, value, unit, "2025-02-27")
        for analyte, value, unit in (
            ("calcium", 9.6, "mg/dL"),
            ("phosphate", 7.1, "mg/dL"),
            ("albumin", 3.4, "g/dL"),
            ("pth", 812, "pg/mL"),
            ("egfr", 6, "mL/min/1.73 m²"),
        )
    )
)


@pytest.fixture(scope="module")
def with_labs(plain, tmp_path_factory):
    return delivered(tmp_path_factory.mktemp("labs"), plain[0], patient=LABS)


def resources(out: Path, kind: str) -> list[dict]:
    entries = json.loads((out / "bundle.fhir.json").read_text())["entry"]
    return [one["resource"] for one in entries if one["resource"]["resourceType"] == kind]


def test_bundle_is_valid_fhir(with_labs):
    assert_valid_fhir(with_labs / "bundle.fhir.json")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda one: one.pop("status"), "status"),
        (lambda one: one.update(status="finished"), "finished"),
        (lambda one: one.pop("code"), "code"),
        (lambda one: one.update(volume=3), "volume"),
        (lambda one: one.update(component="large"), "component"),
    ],
    ids=["no status", "no such status", "no code", "no such element", "text for a list"],
)
def test_the_validator_would_tell(spoil, told, with_labs, tmp_path):
    bundle = json.loads((with_labs / "bundle.fhir.json").read_text())
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    spoil(bundle["entry"][kinds.index("Observation")]["resource"])
    (tmp_path / "spoilt.json").write_text(json.dumps(bundle))
    assert told in "\n".join(fhir_faults(tmp_path / "spoilt.json"))


def test_bundle_brings_labs_back_to_our_own_reader(with_labs):
    back = read_patient_file(with_labs / "bundle.fhir.json").patient
    assert back.value("phosphate") == 7.1
    assert back.value("pth") == 812
    assert back.ca_p_product_mg2_dl2 == pytest.approx(LABS.ca_p_product_mg2_dl2)


def test_our_own_measurements_come_back_as_nothing_but_a_word(with_labs):
    back = read_patient_file(with_labs / "bundle.fhir.json")
    assert back.patient.passed_over == ("an earlier measurement by this program",)


def test_labs_without_a_day_and_without_a_loinc_code_come_back(plain, tmp_path):
    given = Patient(
        labs=tuple(
            LabResult.measured(analyte, value, unit)
            for analyte, value, unit in (
                ("corrected_calcium", 9.6, "mg/dL"),
                ("phosphate", 7.1, "mg/dL"),
                ("fgf23", 14000, "pg/mL"),
            )
        )
    )
    out = delivered(tmp_path, plain[0], patient=given)
    assert_valid_fhir(out / "bundle.fhir.json")
    back = read_patient_file(out / "bundle.fhir.json")
    assert set(back.patient.labs) == set(given.labs)


def test_code_system_is_that_of_the_dicom_objects():
    assert f"urn:oid:{derived_uid('code system')}" == OWN_CODES


def test_derived_values_are_observations_of_their_own(with_labs):
    """Payne: 9.6 + 0.8 · (4 − 3.4) = 10.08 mg/dL; times 7.1 mg/dL is 71.568."""
    told = {
        one["code"]["text"]: (one["valueQuantity"]["value"], one["valueQuantity"]["code"])
        for one in resources(with_labs, "Observation")
        if "valueQuantity" in one
    }
    derived = {name: value for name, value in told.items() if name.endswith("(derived)")}
    assert sorted(derived.values()) == [(10.08, "mg/dL"), (71.568, "mg2/dL2")]


def test_derived_values_bear_the_day_and_the_bound_of_what_they_were_made_of(plain, tmp_path):
    patient = Patient(
        labs=(
            LabResult.measured("calcium", 9.0, "mg/dL", "2024-06-01", ">"),
            LabResult.measured("albumin", 3.0, "g/dL", "2024-06-01"),
            LabResult.measured("phosphate", 6.0, "mg/dL", "2024-06-01"),
            LabResult.measured("phosphate", 8.0, "mg/dL", "2025-01-01"),
        )
    )
    out = delivered(tmp_path, plain[0], patient=patient)
    told = {one["code"]["text"]: one for one in resources(out, "Observation")}
    product = told["calcium × phosphate product (derived)"]
    assert product["valueQuantity"]["value"] == 58.8
    assert product["effectiveDateTime"] == "2024-06-01"
    corrected = told["albumin-corrected calcium (derived)"]["valueQuantity"]
    assert (corrected["value"], corrected["comparator"]) == (9.8, ">")


def test_bundle_names_the_patient_of_the_images_or_says_there_is_none(plain, tmp_path):
    _, out = plain

    def entry(folder: Path) -> dict:
        entries = json.loads((folder / "bundle.fhir.json").read_text())["entry"]
        return next(one for one in entries if one["resource"]["resourceType"] == "Patient")

    known = entry(out)
    assert known["resource"]["identifier"][0]["value"] == IDENTIFIER
    assert known["resource"]["name"] == [{"family": "Plantedname", "given": ["Ulrike"]}]
    assert known["request"]["method"] == "POST", "a record's own patient is never overwritten"
    assert known["request"]["ifNoneExist"].endswith(f"|{IDENTIFIER}")
    study = read_study(write_series(tmp_path / "ct", empty=("PatientID", "PatientName")))
    nobody = delivered(tmp_path, study)
    assert_valid_fhir(nobody / "bundle.fhir.json")
    assert "Placeholder" in entry(nobody)["resource"]["text"]["div"]


def test_an_identifier_with_signs_of_its_own_is_still_one_search(tmp_path):
    study = read_study(write_series(tmp_path / "ct", PatientID="7&name=x|y #1"))
    text = (delivered(tmp_path, study) / "bundle.fhir.json").read_text()
    assert "|7%26name%3Dx%7Cy%20%231" in text


def test_one_number_by_two_issuers_is_two_patients(tmp_path):
    people = []
    for issuer in ("Hospital A", "Hospital B"):
        series = write_series(tmp_path / issuer, IssuerOfPatientID=issuer)
        (person,) = resources(delivered(tmp_path, read_study(series)), "Patient")
        people.append((person["id"], person["identifier"][0]["system"]))
        assert person["identifier"][0]["value"] == IDENTIFIER
    assert people[0][0] != people[1][0]
    assert people[0][1] != people[1][1]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Doe^Ann Maria", {"family": "Doe", "given": ["Ann", "Maria"]}),
        (
            "Doe^Ann^Maria^Prof.^MD=ideographic",
            {"family": "Doe", "given": ["Ann", "Maria"], "prefix": ["Prof."], "suffix": ["MD"]},
        ),
        ("^Ann", {"given": ["Ann"]}),
        ("=山田^太郎=やまだ^たろう", {"family": "山田", "given": ["太郎"]}),
    ],
)
def test_titles_are_no_given_names(written, told, tmp_path):
    header = {"PatientName": written, "SpecificCharacterSet": "ISO_IR 192"}
    study = read_study(write_series(tmp_path / "ct", **header))
    (patient,) = resources(delivered(tmp_path, study), "Patient")
    assert patient["name"] == [told]


def test_the_study_is_told_by_its_day_its_number_and_how_many_files_it_has(plain, tmp_path):
    (single,) = resources(plain[1], "ImagingStudy")
    assert single["started"] == "2025-03-01"
    assert single["identifier"][1]["value"] == "A-99"
    assert single["series"][0]["numberOfInstances"] == SHAPE[0]
    files = enhanced(write_series(tmp_path / "ct"), tmp_path / "files", files=3)
    out = delivered(tmp_path, read_study(files))
    assert resources(out, "ImagingStudy")[0]["series"][0]["numberOfInstances"] == 3


def test_every_measure_of_the_report_for_pacs_is_a_component(plain):
    (mass, _) = resources(plain[1], "Observation")
    told = {
        one["code"]["text"]: one["valueQuantity"]["value"]
        for one in mass["component"]
        if "valueQuantity" in one
    }
    assert told["Area of contact with bone"] == 214
    assert told["Distance from joint"] == 4.5
    assert told["Confidence that this is a calcified mass"] == 0.875


def test_the_conclusion_says_where_each_mass_lies_and_how_large_it_is(plain):
    (report,) = resources(plain[1], "DiagnosticReport")
    assert report["conclusion"].startswith(
        "2 calcified soft-tissue masses, 60.6 mL in all: left hip, 52.1 mL; soft tissue, 8.5 mL. "
    )


def test_remarks_on_series_measurement_and_patient_end_the_conclusion(tmp_path):
    study = read_study(write_series(tmp_path / "ct", empty=("PatientPosition",)))
    out = delivered(tmp_path, study, remarks=("The sex given is not that of the header.",))
    assert_valid_fhir(out / "bundle.fhir.json")
    (report,) = resources(out, "DiagnosticReport")
    assert report["conclusion"].endswith(
        "not a medical device. "
        "The patient position is not stated: HFS (on the back) is assumed. "
        "Seen in one scan. The sex given is not that of the header."
    )


class Record(dict):
    """What a FHIR server keeps: a transaction's PUTs by id, its POSTs unless known already."""

    def take(self, out: Path) -> None:
        for entry in json.loads((out / "bundle.fhir.json").read_text())["entry"]:
            request, resource = entry["request"], entry["resource"]
            if request["method"] == "PUT":
                assert request["url"] == f"{resource['resourceType']}/{resource['id']}"
                self[request["url"]] = resource
            else:
                assert request["method"] == "POST"
                self.setdefault(f"{request['url']}?{request['ifNoneExist']}", resource)

    def count(self, kind: str) -> int:
        return sum(url.startswith((f"{kind}/", f"{kind}?")) for url in self)


def test_sending_again_updates_and_makes_nothing_twice(plain, with_labs):
    _, without_labs = plain
    record = Record()
    record.take(without_labs)
    known = set(record)
    record.take(without_labs)
    assert set(record) == known
    record.take(with_labs)
    assert set(record) > known, "laboratory results are added"
    assert record.count("DiagnosticReport") == record.count("Patient") == 1


def test_a_follow_up_adds_observations_of_the_same_masses(plain, tmp_path):
    _, first = plain
    later = read_study(write_series(tmp_path / "ct"))
    record = Record()
    record.take(first)
    record.take(delivered(tmp_path, later))
    assert record.count("Patient") == 1
    assert record.count("DiagnosticReport") == record.count("ImagingStudy") == 2
    assert record.count("BodyStructure") == 2, "two masses, seen twice"
    assert record.count("Observation") == 4
    focus = [one["focus"][0]["reference"] for one in record.values() if "focus" in one]
    assert sorted(focus.count(one) for one in set(focus)) == [2, 2]


def test_nothing_is_delivered_for_a_study_that_is_not_dicom(plain, tmp_path):
    study, _ = plain
    image = nib.Nifti1Image(study.volume.voxels.transpose(2, 1, 0), np.diag([-1.25, -1.5, 2, 1]))
    nib.save(image, tmp_path / "ct.nii.gz")
    assert list(delivered(tmp_path, read_study(tmp_path / "ct.nii.gz")).iterdir()) == []
