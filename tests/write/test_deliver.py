"""SEG, SR and FHIR, read back by programs that are not ours."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from calcinosis.explain.differential import differential
from calcinosis.finding import Finding
from calcinosis.patient import LabResult, Patient
from calcinosis.read.fhir import read_fhir
from calcinosis.read.study import read_study
from calcinosis.volume import Study
from calcinosis.write.deliver import write_deliverables
from ct_scene import IDENTIFIER, OBLIQUE, SAGITTAL, SHAPE, as_one_file, measured, write_series

PREFIX = Path(sys.prefix)
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")

ODD_SERIES = {
    "plain": {},
    "slices in reverse order": {"backwards": True},
    "slices thicker than their distance": {"thickness_mm": 5.0},
    "slices thinner than their distance": {"thickness_mm": 1.0, "step_mm": 3.0},
    "oblique": {"axes": OBLIQUE},
    "empty type 2 tags": {"empty": TYPE_2},
    "missing type 2 tags": {"without": TYPE_2},
    "empty UIDs": {"empty": UIDS},
    "one multi-frame file": "one file",
    "no frame of reference, no slice thickness": {
        "without": ("FrameOfReferenceUID", "SliceThickness")
    },
}


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


def run(*command: str | Path) -> subprocess.CompletedProcess:
    """Run an outside tool; it must be there."""
    program = shutil.which(command[0], path=f"{PREFIX / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert program, f"{command[0]} is not installed; `make tools` installs what tests need"
    done = subprocess.run(
        [program, *map(str, command[1:])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def delivered(folder: Path, study: Study, *, masses: int = 2, **options: object) -> Path:
    out = folder / f"out-{len(list(folder.iterdir()))}"
    out.mkdir()
    write_deliverables(out, study, measured(study, masses=masses), **options)
    return out


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    study = read_study(write_series(folder / "ct"))
    return study, delivered(folder, study)


@pytest.fixture(scope="module", params=ODD_SERIES.values(), ids=ODD_SERIES.keys())
def odd(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    if request.param == "one file":
        series = as_one_file(write_series(folder / "ct"), folder / "enhanced")
    else:
        series = write_series(folder / "ct", **request.param)
    study = read_study(series)
    return study, delivered(folder, study, patient=LABS)


def assert_conforms(path: Path) -> None:
    """David Clunie's dciodvfy finds no error."""
    program = shutil.which("dciodvfy")
    assert program, "dciodvfy is not installed; `make tools` installs what tests need"
    said = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False)
    errors = [line for line in said.stderr.splitlines() if line.startswith(("Error", "Abort"))]
    assert not errors, "\n".join(errors)


def labels_read_by_dcmqi(segmentation: Path, study: Study, folder: Path) -> np.ndarray:
    """What dcmqi makes of the file, laid on the study's grid by place alone."""
    out = folder / "dcmqi"
    out.mkdir()
    run(
        "segimage2itkimage", "--inputDICOM", segmentation,
        "--outputDirectory", out, "--outputType", "nii",
    )  # fmt: skip
    found = np.zeros(study.volume.shape, dtype=np.uint8)
    for path in out.glob("*.nii.gz"):
        image = nib.load(path)
        values = np.asarray(image.dataobj)
        taken = np.argwhere(values)
        ras = taken @ image.affine[:3, :3].T + image.affine[:3, 3]
        indices = study.volume.to_indices(ras * (-1, -1, 1))
        assert np.abs(indices - np.rint(indices)).max() < 0.02
        z, y, x = np.rint(indices).astype(int).T
        found[z, y, x] = values[tuple(taken.T)]
    return found


def test_segmentation_returns_voxel_for_voxel_from_another_reader(odd, tmp_path):
    study, out = odd
    assert_conforms(out / "masses.seg.dcm")
    labels = measured(study).labels
    assert set(np.unique(labels)) == {0, 1, 2}
    back = labels_read_by_dcmqi(out / "masses.seg.dcm", study, tmp_path)
    assert np.array_equal(back, labels)


def test_report_conforms_whatever_the_source_lacks(odd):
    _, out = odd
    assert_conforms(out / "measurements.sr.dcm")


def frames_in_space(path: Path) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Segment number, origin and LPS points of the set pixels of every frame, by pydicom alone."""
    image = pydicom.dcmread(path)
    shared = image.SharedFunctionalGroupsSequence[0]
    orientation = np.array(
        shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float
    ).reshape(2, 3)
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    found = []
    for pixels, group in zip(
        image.pixel_array, image.PerFrameFunctionalGroupsSequence, strict=True
    ):
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        rows, columns = np.nonzero(pixels)
        points = (
            origin
            + columns[:, None] * column_mm * orientation[0]
            + rows[:, None] * row_mm * orientation[1]
        )
        holder = group if "SegmentIdentificationSequence" in group else shared
        number = int(holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        found.append((number, origin, points))
    return found


def test_segmentation_of_a_sagittal_series_lies_on_its_own_slices(tmp_path):
    study = read_study(write_series(tmp_path / "ct", axes=SAGITTAL))
    frames = frames_in_space(delivered(tmp_path, study) / "masses.seg.dcm")
    found = np.zeros(study.volume.shape, dtype=np.uint8)
    for number, _, points in frames:
        z, y, x = np.rint(study.volume.to_indices(points)).astype(int).T
        found[z, y, x] = number
    assert np.array_equal(found, measured(study).labels)


def test_segmentation_of_a_tilted_gantry_lies_on_the_original_slices(tmp_path):
    source = write_series(tmp_path / "ct", shear_mm=0.6)
    study = read_study(source)
    assert any("tilt" in remark for remark in study.remarks)
    labels = measured(study, masses=1).labels
    frames = frames_in_space(delivered(tmp_path, study, masses=1) / "masses.seg.dcm")
    originals = [
        [float(v) for v in pydicom.dcmread(path).ImagePositionPatient] for path in source.iterdir()
    ]
    for _, origin, points in frames:
        assert min(np.abs(np.array(originals) - origin).max(axis=1)) < 1e-3
        z, y, x = np.rint(study.volume.to_indices(points)).astype(int).T
        assert labels[z, y, x].all()
    pixels = sum(len(points) for _, _, points in frames)
    assert pixels == pytest.approx(np.count_nonzero(labels), rel=0.02)


def test_segments_say_what_and_where_and_follow_the_mass(plain):
    study, out = plain
    seg = pydicom.dcmread(out / "masses.seg.dcm")
    first, second = seg.SegmentSequence
    assert first.SegmentLabel == "Calcified mass 1, left hip"
    assert first.AnatomicRegionSequence[0].CodeValue == "29836001"
    side = first.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0]
    assert (side.CodeValue, side.CodeMeaning) == ("7771000", "Left")
    assert second.SegmentLabel == "Calcified mass 2"
    assert second.AnatomicRegionSequence[0].CodeMeaning == "Soft tissue"
    assert first.RecommendedDisplayCIELabValue != second.RecommendedDisplayCIELabValue
    referenced = {
        item.ReferencedSOPInstanceUID
        for item in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    sources = {pydicom.dcmread(path).SOPInstanceUID for path in study.source_files}
    assert referenced == sources


def test_labelmap_holds_the_same_voxels_compressed(tmp_path):
    study = read_study(write_series(tmp_path / "ct"))
    seg = pydicom.dcmread(delivered(tmp_path, study, labelmap=True) / "masses.seg.dcm")
    assert seg.SegmentationType == "LABELMAP"
    assert seg.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless
    found = np.zeros(SHAPE, dtype=np.uint8)
    for pixels, group in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        height = group.PlanePositionSequence[0].ImagePositionPatient[2]
        found[round((height - 100) / 2)] = pixels
    assert np.array_equal(found, measured(study).labels)


def report_read_by_dcmqi(path: Path, folder: Path) -> list[dict]:
    out = folder / "report.json"
    run("tid1500reader", "--inputDICOM", path, "--outputMetadata", out)
    return json.loads(out.read_text())["Measurements"]


def numbers(group: dict) -> dict[str, tuple[float, str]]:
    return {
        item["quantity"]["CodeMeaning"]: (float(item["value"]), item["units"]["CodeValue"])
        for item in group["measurementItems"]
    }


def test_report_returns_every_number_from_another_reader(plain, tmp_path):
    study, out = plain
    groups = report_read_by_dcmqi(out / "measurements.sr.dcm", tmp_path)
    by_name = {group["TrackingIdentifier"]: group for group in groups}
    assert numbers(by_name["Calcified mass 1, left hip"]) == {
        "Volume": (52.125, "mL"),
        "Calcium Volume": (31.5, "mL"),
        "Calcium Mass": (5012.0, "mg"),
        "Long Axis": (83.25, "mm"),
        "Short Axis": (47.5, "mm"),
        "Number of locules": (7.0, "1"),
        "Number of fluid-calcium levels": (1.0, "1"),
        "Area of contact with bone": (214.0, "mm2"),
        "Distance from bone": (0.0, "mm"),
        "Depth of bone erosion": (2.75, "mm"),
        "Volume of bone erosion": (0.375, "mL"),
        "Distance from joint": (4.5, "mm"),
        "Distance from skin": (12.5, "mm"),
        "Confidence that this is a calcified mass": (0.875, "1"),
        "Attenuation Coefficient": (402.5, "[hnsf'U]"),
    }
    assert numbers(by_name["Calcified mass 1, left hip, fluid-calcium level 1"]) == {
        "Area": (131.5, "mm2"),
        "Depth of sediment": (7.25, "mm"),
        "Angle of level to the horizontal": (1.75, "deg"),
        "Attenuation above the level": (41.0, "[hnsf'U]"),
        "Attenuation below the level": (655.0, "[hnsf'U]"),
    }
    second = by_name["Calcified mass 2"]
    assert "Depth of bone erosion" not in numbers(second), "not judged is not zero"
    assert second["ReferencedSegment"] == 2
    assert second["SourceSeriesForImageSegmentation"] == study.series_instance_uid
    said = [item["conceptValue"] for item in by_name["Whole scan"]["qualitativeEvaluations"]]
    assert "For research and teaching; not a medical device." in said
    assert "Seen in one scan." in said


def test_report_draws_the_longest_diameter_in_space(plain):
    _, out = plain
    report = pydicom.dcmread(out / "measurements.sr.dcm")
    lines = [
        item for item in report.iterall() if item.keyword == "GraphicData" and len(item.value) == 6
    ]
    assert list(lines[0].value) == [-10.0, 2.0, 110.0, 60.0, 8.0, 154.0]


def test_report_prints_in_dcmtk(plain):
    _, out = plain
    printed = run("dsrdump", out / "measurements.sr.dcm").stdout
    assert '"Volume")="52.125" (mL,UCUM,"milliliter")' in printed
    assert '"Sedimentation sign")=(52101004,SCT,"Present")' in printed


def test_mass_has_one_tracking_uid_in_every_file_and_run(plain, tmp_path):
    study, out = plain
    again = delivered(tmp_path, study)
    for folder in (out, again):
        seg = pydicom.dcmread(folder / "masses.seg.dcm")
        uid = seg.SegmentSequence[0].TrackingUID
        assert uid in run("dsrdump", folder / "measurements.sr.dcm").stdout
        assert uid in (folder / "bundle.fhir.json").read_text()


def test_writing_twice_gives_the_same_identity(plain, tmp_path):
    study, out = plain
    again = delivered(tmp_path, study)
    for name in ("masses.seg.dcm", "measurements.sr.dcm"):
        first, second = (pydicom.dcmread(folder / name) for folder in (out, again))
        assert first.SOPInstanceUID == second.SOPInstanceUID
        assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert (out / "bundle.fhir.json").read_text() == (again / "bundle.fhir.json").read_text()


def test_another_measurement_of_the_same_series_is_another_instance(plain, tmp_path):
    study, out = plain
    fewer = delivered(tmp_path, study, masses=1)
    for name in ("masses.seg.dcm", "measurements.sr.dcm"):
        first, second = (pydicom.dcmread(folder / name) for folder in (out, fewer))
        assert first.SOPInstanceUID != second.SOPInstanceUID


def test_differential_goes_out_with_its_probabilities(tmp_path):
    study = read_study(write_series(tmp_path / "ct"))
    weighed = differential((Finding("dialysis", "present", "reported", "history"),)).diagnoses
    out = delivered(tmp_path, study, diagnoses=weighed)
    assert_conforms(out / "measurements.sr.dcm")
    assert_valid_fhir(out / "bundle.fhir.json")
    printed = run("dsrdump", out / "measurements.sr.dcm").stdout
    named = re.findall(r'Differential Diagnosis/Impression"\)=\((\w+),99CALCINOSIS', printed)
    assert named == [each.diagnosis for each in weighed if each.probability >= 0.05]
    first = weighed[0]
    assert f'"Certainty of Impression")="{100 * first.probability:.1f}" (%' in printed
    assert (
        f"{first.label}, {100 * first.probability:.1f} %" in (out / "bundle.fhir.json").read_text()
    )


def test_deidentified_results_name_nobody_and_still_belong_together(plain, tmp_path):
    study, _ = plain
    out = delivered(tmp_path, study, deidentify=True)
    planted = re.compile(rb"Planted|PLANTED|19610203|1961-02-03|20250301|2025-03-01|A-99")
    uids = {str(pydicom.dcmread(path).SOPInstanceUID) for path in study.source_files}
    for path in out.iterdir():
        content = path.read_bytes()
        assert not planted.search(content), path.name
        assert not any(uid.encode() in content for uid in uids), path.name
        assert study.series_instance_uid.encode() not in content
    assert_conforms(out / "masses.seg.dcm")
    assert_conforms(out / "measurements.sr.dcm")
    seg, report = (pydicom.dcmread(out / n) for n in ("masses.seg.dcm", "measurements.sr.dcm"))
    assert seg.StudyInstanceUID == report.StudyInstanceUID
    assert seg.PatientIdentityRemoved == "YES"


def test_writing_says_nothing_about_the_patient(tmp_path, capfd):
    study = read_study(write_series(tmp_path / "ct"))
    delivered(tmp_path, study)
    assert capfd.readouterr() == ("", "")


def test_a_scan_without_masses_is_reported_as_such(tmp_path):
    study = read_study(write_series(tmp_path / "ct"))
    out = delivered(tmp_path, study, masses=0)
    assert sorted(path.name for path in out.iterdir()) == [
        "bundle.fhir.json",
        "measurements.sr.dcm",
    ]
    assert_conforms(out / "measurements.sr.dcm")
    assert_valid_fhir(out / "bundle.fhir.json")
    printed = run("dsrdump", out / "measurements.sr.dcm").stdout
    assert '"Calcified soft-tissue mass")=(272519000,SCT,"Absent")' in printed
    assert "No calcified soft-tissue mass" in (out / "bundle.fhir.json").read_text()


def test_nothing_is_delivered_for_a_study_that_is_not_dicom(tmp_path):
    study = read_study(write_series(tmp_path / "ct"))
    nib.save(
        nib.Nifti1Image(study.volume.voxels.transpose(2, 1, 0), np.diag([-1.25, -1.5, 2, 1])),
        tmp_path / "ct.nii.gz",
    )
    assert list(delivered(tmp_path, read_study(tmp_path / "ct.nii.gz")).iterdir()) == []


VALIDATE = """
const { Fhir } = require('fhir');
const bundle = JSON.parse(require('fs').readFileSync(process.argv[1]));
const { valid, messages } = new Fhir().validate(bundle, { errorOnUnexpected: true });
const wrong = messages.filter(each => each.severity === 'error' || each.severity === 'fatal');
console.log(JSON.stringify({ valid, wrong }));
"""


def assert_valid_fhir(path: Path) -> None:
    """The npm package `fhir` finds no fault."""
    modules = PREFIX / "lib" / "node_modules"
    assert (modules / "fhir").is_dir(), "npm's fhir is not installed; `make tools` installs it"
    done = subprocess.run(
        ["node", "-e", VALIDATE, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NODE_PATH": str(modules)},
    )
    assert json.loads(done.stdout) == {"valid": True, "wrong": []}
    bundle = json.loads(path.read_text())
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    assert len(urls) == len(bundle["entry"])
    assert set(re.findall(r'"reference": "([^"]+)"', path.read_text())) <= urls


def test_bundle_is_valid_fhir(odd):
    _, out = odd
    assert_valid_fhir(out / "bundle.fhir.json")


def test_bundle_brings_labs_back_to_our_own_reader(tmp_path):
    study = read_study(write_series(tmp_path / "ct"))
    out = delivered(tmp_path, study, patient=LABS)
    back = read_fhir(out / "bundle.fhir.json").patient
    assert back.value("phosphate") == 7.1
    assert back.value("pth") == 812
    assert back.ca_p_product_mg2_dl2 == pytest.approx(LABS.ca_p_product_mg2_dl2)


def test_bundle_names_the_patient_of_the_images_or_says_there_is_none(plain, tmp_path):
    _, out = plain

    def patient(folder: Path) -> dict:
        bundle = json.loads((folder / "bundle.fhir.json").read_text())
        return next(
            entry for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient"
        )

    known = patient(out)
    assert known["resource"]["identifier"][0]["value"] == IDENTIFIER
    assert known["resource"]["name"] == [{"family": "Plantedname", "given": ["Ulrike"]}]
    assert known["request"]["method"] == "POST", "a record's own patient is never overwritten"
    assert "ifNoneExist" in known["request"]
    study = read_study(write_series(tmp_path / "ct", empty=TYPE_2))
    unknown = patient(delivered(tmp_path, study))
    assert "Placeholder" in unknown["resource"]["text"]["div"]
