"""De-identified results: names, numbers, dates and UIDs planted everywhere are found nowhere."""

import gzip
import json
import re
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import DicomDictionary

from calcinosis.analysis import explained
from calcinosis.forecast.given_prescription import GivenPrescription
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case
from calcinosis.read.patient_file import PatientFile, read_patient_file
from calcinosis.read.study import read_study
from calcinosis.volume import Subject
from calcinosis.write.deidentify import without_days, without_identity
from calcinosis.write.report import render_report
from calcinosis.write.result import result_json
from calcinosis.write.results import write_files
from ct_scene import measured, write_series
from outside_readers import assert_conforms, assert_valid_fhir

PLANTED = {
    "AE": "PLANTED", "AS": "077Y", "CS": "PLANTED", "DA": "19610203", "DT": "19610203031415.92",
    "LO": "PLANTED text", "LT": "PLANTED text", "PN": "Planted^Ulrike", "SH": "PLANTED",
    "ST": "PLANTED text", "TM": "031415.92", "UC": "PLANTED text", "UR": "http://planted.example",
    "UT": "PLANTED text", "DS": "61.3779",
}  # fmt: skip
# What the image is read by; none of it is in table E.1-1 of PS3.15.
KEPT = {
    "SpecificCharacterSet", "ImageType", "Modality", "PatientPosition", "ConvolutionKernel",
    "PhotometricInterpretation",
}  # fmt: skip
NUMBERS = {"PatientSize", "PatientWeight", "PatientBodyMassIndex"}
TRACES = re.compile(
    rb"planted|ulrike|077Y|\b77\b.years|19610203|1961-02-03|031415|61\.3779|"
    rb"20250301|2025-03-01|20250227|2025-02-27|2024-08-27|2011-05-06|\bA-99\b|840\.4711",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def planted_uids() -> list[str]:
    return []


@pytest.fixture(scope="module")
def study(planted_uids, tmp_path_factory):
    """A series with everything planted that a header can hold, and a broken one beside it."""
    folder = tmp_path_factory.mktemp("planted") / "PLANTED Ulrike"
    folder.mkdir()
    write_series(folder / "whole")
    write_series(folder / "broken")
    for path in sorted((folder / "broken").iterdir())[2:]:
        path.unlink()
    everywhere = planted_dataset(planted_uids)
    for path in sorted(folder.rglob("*.dcm")):
        image = pydicom.dcmread(path)
        for element in everywhere:
            if element.tag not in image or element.VR in {"PN", "LO", "SH", "DA", "TM"}:
                image[element.tag] = element
        image.save_as(path.with_name(f"PLANTED_{path.name}"))
        path.unlink()
        planted_uids += [image.StudyInstanceUID, image.SeriesInstanceUID]
        planted_uids += [image.SOPInstanceUID, image.FrameOfReferenceUID]
    found = read_study(folder)
    assert "PLANTED" in found.chosen_because, "the broken series' files are named to its owner"
    return found


def planted_dataset(uids: list[str]) -> pydicom.Dataset:
    """Every attribute of the dictionary that can name, number or date someone."""
    found = pydicom.Dataset()
    for tag, (kinds, _, _, _, keyword) in DicomDictionary.items():
        vr = kinds.split(" or ")[0]
        group = tag >> 16
        if not keyword or keyword in KEPT or group in (0, 2, 4, 0x28) or group >= 0x5000:
            continue
        if vr == "UI":
            uids.append(f"1.2.840.4711.{tag}")
            found.add_new(tag, vr, uids[-1])
        elif vr == "SQ" and "FunctionalGroups" not in keyword:
            item = pydicom.Dataset()
            item.PatientName, item.PatientID = PLANTED["PN"], PLANTED["LO"]
            found.add_new(tag, vr, [item])
        elif vr in PLANTED and (vr != "DS" or keyword in NUMBERS):
            found.add_new(tag, vr, PLANTED[vr])
    private = found.private_block(0x0009, "PLANTED", create=True)
    private.add_new(1, "LO", PLANTED["LO"])
    return found


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A record with a name, a birthday, and dated results."""

    def seen(code, value, unit, day):
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "effectiveDateTime": day,
            "valueQuantity": {"value": value, "code": unit},
        }  # fmt: skip

    someone = {
        "resourceType": "Patient",
        "name": [{"family": "Planted", "given": ["Ulrike"]}],
        "identifier": [{"value": "PLANTED-4711"}],
        "gender": "female",
        "birthDate": "1961-02-03",
    }
    dialysis = {
        "resourceType": "Procedure",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "302497006"}]},
        "performedPeriod": {"start": "2011-05-06"},
        "note": [{"text": "PLANTED text"}],
    }
    labs = [
        seen("17861-6", 9.0, "mg/dL", "2024-08-27"),
        seen("2777-1", 2.1, "mg/dL", "2024-08-27"),
        seen("PLANTED code", 1.0, "mg/dL", "2025-02-27"),
        seen("17861-6", 9.6, "mg/dL", "2025-02-27"),
        seen("2777-1", 7.1, "mg/dL", "2025-02-27"),
    ]
    entries = [{"resource": one} for one in (someone, dialysis, *labs)]
    path = tmp_path_factory.mktemp("record") / "record.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    return read_patient_file(path)


@pytest.fixture(scope="module")
def written(study, known, tmp_path_factory):
    """Results with identity, and without."""
    folders = {}
    analysis = explained(study, measured(study), known)
    assert analysis.patient.age_years == pytest.approx(64, abs=0.1)
    for deidentify in (False, True):
        folders[deidentify] = tmp_path_factory.mktemp("results")
        write_files(analysis, folders[deidentify], deidentify=deidentify, segments="all")
    return folders


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in sorted(folder.iterdir())
    }


def test_no_trace_of_the_patient_is_in_any_file(written, planted_uids):
    files = contents(written[True])
    assert {"result.json", "report.html", "masses.seg.dcm", "bundle.fhir.json"} < set(files)
    for name, content in files.items():
        pictureless = re.sub(rb"base64,[A-Za-z0-9+/=]+", b"", content)
        assert TRACES.findall(pictureless) == [], name
        found = [uid for uid in {*planted_uids} if uid.encode() in content]
        assert found == [], name


def test_the_same_traces_are_found_where_identity_was_kept(written, planted_uids):
    """Else the test before this one would prove nothing."""
    for name, content in contents(written[False]).items():
        traces = TRACES.findall(content)
        uids = [uid for uid in {*planted_uids} if uid.encode() in content]
        assert traces or uids or name in {"masses.nii.gz", "forecast.csv"}, name


def test_age_and_sex_are_gone_and_weigh_nothing(written):
    result = json.loads((written[True] / "result.json").read_text())
    assert result["patient"]["age_years"] is None
    assert result["patient"]["sex"] is None
    assert not {"age", "female"} & {each["code"] for each in result["findings"]}
    weighed = {e["finding"] for each in result["differential"] for e in each["evidence"]}
    assert weighed
    assert not {"age", "female"} & weighed
    kept = json.loads((written[False] / "result.json").read_text())
    assert {"age", "female"} <= {each["code"] for each in kept["findings"]}
    assert result["patient"]["labs"]["phosphate"]["value"] == 7.1
    assert result["patient"]["dialysis_vintage_years"] == pytest.approx(13.8, abs=0.1)


def test_age_and_sex_of_the_header_weigh_where_nobody_gave_them_and_go_with_identity(study):
    analysis = explained(study, measured(study))
    assert (analysis.patient.age_years, analysis.patient.sex) == (0, "F")  # all days are planted
    assert {"age", "female"} <= {each.code for each in analysis.explanation.findings}
    nameless = without_identity(analysis)
    assert nameless.patient == Patient()
    assert nameless.study.subject == Subject()
    assert not {"age", "female"} & {each.code for each in nameless.explanation.findings}


def test_a_patient_file_that_contradicts_the_header_is_remarked_on_in_report_and_json(study):
    analysis = explained(study, measured(study), PatientFile(patient=Patient(sex="M")))
    remark = "The sex given is not that in the header of the images."
    assert remark in render_report(analysis)
    assert remark in json.loads(result_json(analysis))["remarks"]


def test_a_prescription_that_serves_no_forecast_is_remarked_on_in_report_and_json(study):
    analysis = explained(study, measured(study), prescription=GivenPrescription())
    remark = "The prescription was not used: there is no forecast"
    assert remark in render_report(analysis)
    assert any(remark in told for told in json.loads(result_json(analysis))["remarks"])


def test_the_forecast_is_made_for_the_weight_of_the_header_and_tells_it_only_with_identity(written):
    told = {
        kept: json.loads((folder / "result.json").read_text())["forecast"]
        for kept, folder in written.items()
    }
    weight = "Dry weight 61.3779 kg, as in the header of the images."
    assert weight in told[False]["assumptions"]
    assert weight not in told[True]["assumptions"]
    assert told[False]["options"] == told[True]["options"]


def test_a_result_that_the_forecast_does_not_reach_is_told_without_its_day(written):
    told = {
        kept: " ".join(json.loads((folder / "result.json").read_text())["forecast"]["assumptions"])
        for kept, folder in written.items()
    }
    assert "Not reached by the fit: phosphate 2.1 mg/dL of 2024-08-27, where" in told[False]
    assert "Not reached by the fit: phosphate 2.1 mg/dL, where" in told[True]


def test_the_laboratory_told_without_days_is_the_latest(written):
    dated, undated = (
        json.loads((written[kept] / "result.json").read_text())["patient"] for kept in (False, True)
    )
    assert dated["passed_over"] == ["PLANTED code"]
    assert undated["passed_over"] == []
    for name in ("calcium", "phosphate"):
        assert undated["labs"][name] == {**dated["labs"][name], "date": None}
    assert undated["ca_p_product_mg2_dl2"] == dated["ca_p_product_mg2_dl2"]


def test_what_was_derived_from_one_day_is_not_derived_anew_from_several():
    patient = Patient(
        labs=(
            LabResult.measured("calcium", 9.0, "mg/dL", "2024-06-01"),
            LabResult.measured("albumin", 3.0, "g/dL", "2024-06-01"),
            LabResult.measured("phosphate", 6.0, "mg/dL", "2024-06-01"),
            LabResult.measured("phosphate", 8.0, "mg/dL", "2025-01-01"),
        )
    )
    undated = without_days(patient)
    assert undated.value("phosphate") == 8.0
    assert undated.corrected_calcium_mg_dl == pytest.approx(9.8)
    assert undated.ca_p_product_mg2_dl2 == pytest.approx(58.8)
    assert not any(result.taken for result in undated.labs)


def test_a_childs_phosphate_no_longer_tells_the_age(study):
    case = Case(age_years=4, labs={"phosphate_mg_dl": 6.0})
    child = explained(study, measured(study), PatientFile(case, case.patient()))
    nameless = without_identity(child)
    told, kept = (
        next(each for each in one.explanation.findings if each.code == "phosphate")
        for one in (nameless, child)
    )
    assert kept.value == pytest.approx(6.0 * 4.5 / 6.5)
    assert (told.value, told.unit) == (pytest.approx(6.0), "mg/dL")


def test_files_still_conform_and_belong_together(written, study):
    seg, report = (
        pydicom.dcmread(written[True] / name) for name in ("masses.seg.dcm", "measurements.sr.dcm")
    )
    for made in (seg, report):
        assert_conforms(Path(made.filename))
        assert made.PatientIdentityRemoved == "YES"
        assert made.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
        assert made.LongitudinalTemporalInformationModified == "REMOVED"
        assert (made.PatientName, made.PatientID, made.StudyDate) == ("", "", "")
    assert_valid_fhir(written[True] / "bundle.fhir.json")
    series = json.loads((written[True] / "result.json").read_text())["series"]
    assert seg.StudyInstanceUID == report.StudyInstanceUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == series["series_instance_uid"]
    assert series["series_instance_uid"] != study.series_instance_uid
    bundle = (written[True] / "bundle.fhir.json").read_text()
    assert series["series_instance_uid"] in bundle
    assert seg.SegmentSequence[0].TrackingUID in bundle
