"""The structured report, read back by programs that are not ours."""

import re

import pydicom

from calcinosis.explain.explanation import explain
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case
from calcinosis.read.study import read_study
from ct_scene import delivered, write_series
from outside_readers import (
    assert_conforms,
    assert_valid_fhir,
    numbers,
    report_read_by_dcmqi,
    run,
)


def test_report_returns_every_number_from_another_reader(plain, tmp_path):
    study, out = plain
    groups = report_read_by_dcmqi(out / "measurements.sr.dcm", tmp_path)
    by_name = {group["TrackingIdentifier"]: group for group in groups}
    first = "Calcified mass, left hip, A"
    assert numbers(by_name[first]) == {
        "Volume": (52.125, "mL"),
        "Volume, low end of 95 % interval": (49.0, "mL"),
        "Volume, high end of 95 % interval": (55.0, "mL"),
        "Calcium Volume": (31.5, "mL"),
        "Mass of calcium hydroxyapatite": (5012.0, "mg"),
        "Mass of calcium hydroxyapatite, low end of 95 % interval": (4000.0, "mg"),
        "Mass of calcium hydroxyapatite, high end of 95 % interval": (6000.0, "mg"),
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
    assert numbers(by_name[f"{first}, fluid-calcium level 1"]) == {
        "Area": (131.5, "mm2"),
        "Depth of sediment": (7.25, "mm"),
        "Angle of level to the horizontal": (1.75, "deg"),
        "Attenuation above the level": (41.0, "[hnsf'U]"),
        "Attenuation below the level": (655.0, "[hnsf'U]"),
    }
    second = by_name["Calcified mass, soft tissue, A"]
    assert "Depth of bone erosion" not in numbers(second), "not judged is not zero"
    assert second["ReferencedSegment"] == 2
    assert second["SourceSeriesForImageSegmentation"] == study.series_instance_uid
    said = [item["conceptValue"] for item in by_name["Whole scan"]["qualitativeEvaluations"]]
    assert "For research and teaching; not a medical device." in said
    assert "Seen in one scan." in said


def _items(container):
    for item in container.get("ContentSequence", []):
        yield item
        yield from _items(item)


def test_report_names_the_nearest_bone_where_it_is_known(plain):
    _, out = plain
    report = pydicom.dcmread(out / "measurements.sr.dcm")
    named = [
        item.ConceptCodeSequence[0]
        for item in _items(report)
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Nearest bone"
    ]
    assert [(code.CodeValue, code.CodeMeaning) for code in named] == [("71341001", "Femur")]


def test_report_draws_both_diameters_in_space(plain):
    _, out = plain
    report = pydicom.dcmread(out / "measurements.sr.dcm")
    lines = [
        list(item.value)
        for item in report.iterall()
        if item.keyword == "GraphicData" and len(item.value) == 6
    ]
    long_axis, short_axis = [-10, 2, 110, 60, 8, 154], [20, -18, 131, 24, 29, 125]
    assert lines[:2] == [long_axis, short_axis]


def test_report_opens_in_highdicom(plain):
    from highdicom.sr import srread

    _, out = plain
    groups = srread(out / "measurements.sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert [list(one.referenced_segment.referenced_segment_numbers) for one in groups] == [[1], [2]]
    assert groups[0].tracking_identifier == "Calcified mass, left hip, A"
    measured = {one.name.meaning: one.value for one in groups[0].get_measurements()}
    assert measured["Mass of calcium hydroxyapatite, high end of 95 % interval"] == 6000


def test_report_prints_in_dcmtk(plain):
    _, out = plain
    printed = run("dsrdump", out / "measurements.sr.dcm").stdout
    assert '"Volume")="52.125" (mL,UCUM,"milliliter")' in printed
    assert '"Sedimentation sign")=(52101004,SCT,"Present")' in printed
    assert '"Algorithm Name")="Calcinosis"' in printed


def test_differential_goes_out_with_its_probabilities(tmp_path):
    study = read_study(write_series(tmp_path / "ct"))
    explanation = explain(Case(), Patient(ckd="dialysis_hd"))
    weighed = explanation.differential.diagnoses
    out = delivered(tmp_path, study, explanation=explanation)
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


def test_red_flags_go_out_whatever_the_differential_says(tmp_path):
    study = read_study(write_series(tmp_path / "ct"))
    out = delivered(
        tmp_path, study, explanation=explain(Case.model_validate({"symptoms": {"fever": True}}))
    )
    assert_conforms(out / "measurements.sr.dcm")
    assert_valid_fhir(out / "bundle.fhir.json")
    flag = "Red flag: Fever"
    assert f'"Comment")="{flag}' in run("dsrdump", "+Pl", out / "measurements.sr.dcm").stdout
    conclusion = (out / "bundle.fhir.json").read_text().partition('"conclusion": "')[2]
    assert 0 < conclusion.index(flag) < conclusion.index("Differential:")


def test_a_scan_without_masses_is_reported_as_such(tmp_path):
    study = read_study(write_series(tmp_path / "ct"))
    out = delivered(tmp_path, study, masses=0)
    assert sorted(path.name for path in out.iterdir()) == [
        "bundle.fhir.json",
        "measurements.sr.dcm",
    ]
    assert_conforms(out / "measurements.sr.dcm")
    assert_valid_fhir(out / "bundle.fhir.json")
    (group,) = report_read_by_dcmqi(out / "measurements.sr.dcm", tmp_path)
    assert numbers(group) == {"Number of calcified soft-tissue masses": (0.0, "1")}
    printed = run("dsrdump", out / "measurements.sr.dcm").stdout
    assert '"Calcified soft-tissue mass")=(272519000,SCT,"Absent")' in printed
    assert "No calcified soft-tissue mass" in (out / "bundle.fhir.json").read_text()


def test_remarks_on_series_measurement_and_patient_are_in_the_report(tmp_path):
    study = read_study(write_series(tmp_path / "ct", ContrastBolusAgent="IOHEXOL"))
    out = delivered(tmp_path, study, remarks=("The sex given is not that of the header.",))
    assert_conforms(out / "measurements.sr.dcm")
    printed = run("dsrdump", "+Pl", out / "measurements.sr.dcm").stdout
    for remark in (
        "Contrast agent was given: bright vessels and urine may not be calcium.",
        "Seen in one scan.",
        "The sex given is not that of the header.",
        (
            "Calcium was taken as 0.8 mg of hydroxyapatite per mL and HU, standard deviation 15 %: "
            "test."
        ),
    ):
        assert f'"Comment")="{remark}"' in printed
