"""The diagnose command: what a clinician types, and what comes back."""

import json
import re
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest
from click.testing import CliRunner

from calcinosis.cli import commands, main
from calcinosis.errors import InputError
from calcinosis.lab_result import doubts_about
from calcinosis.read.case_file import Case

SHARED = Path(__file__).parents[2] / "../shared/cases"
DIALYSIS = {
    "id": "A",
    "age_years": 52,
    "ckd": "dialysis_hd",
    "sites": ["hip"],
    "labs": {"calcium_mg_dl": 10.9, "phosphate_mg_dl": 7.9, "pth_pg_ml": 1480},
    "imaging": {"ct": {"fluid_calcium_level": True}},
}


def written(folder, *cases, name="case.json"):
    path = folder / name
    path.write_text("\n".join(json.dumps(case) for case in cases), encoding="utf-8")
    return path


def answered(path, *options):
    run = CliRunner().invoke(commands, ["diagnose", str(path), *options], catch_exceptions=False)
    assert run.exit_code == 0
    return run.stdout


def test_one_case_gives_one_json_object_over_the_whole_vocabulary(tmp_path):
    answer = json.loads(answered(written(tmp_path, DIALYSIS), "--json"))
    assert answer["id"] == "A"
    assert {"differential", "red_flags", "plan", "next_tests"} <= set(answer)
    probabilities = [d["probability"] for d in answer["differential"]]
    assert sum(probabilities) == pytest.approx(1, abs=1e-9)
    assert probabilities == sorted(probabilities, reverse=True)
    assert answer["differential"][0]["diagnosis"] == "tc_uremic"
    assert {"finding", "state", "weight_db", "source"} <= set(
        answer["differential"][0]["evidence"][0]
    )
    assert {"option", "standing", "because", "sources"} <= set(answer["plan"][0])


def found_on_ultrasound(folder):
    seen = {"state": "present", "origin": "measured", "modality": "ultrasound"}
    findings = [
        {"code": "calcified_shell_with_fluid", **seen},
        {"code": "max_diameter_cm", "value": 7.5, "unit": "cm", **seen},
    ]
    path = folder / "ultrasound.json"
    result = {"schema": "calcinosis-ultrasound/1", "findings": findings}
    path.write_text(json.dumps(result), encoding="utf-8")
    return path


def test_what_was_found_on_another_image_is_weighed_with_the_case(tmp_path):
    case, image = written(tmp_path, DIALYSIS), found_on_ultrasound(tmp_path)
    answer = json.loads(answered(case, "--json", "--findings", str(image)))
    weighed = {item["finding"] for item in answer["differential"][0]["evidence"]}
    assert {"calcified_shell_with_fluid", "max_diameter_cm"} <= weighed
    answered(case, "--findings", str(image), "--output", str(tmp_path / "told"))
    page = (tmp_path / "told/report.html").read_text(encoding="utf-8")
    assert "(ultrasound)" in page, "the table of weights names the image"


def test_findings_beside_several_cases_are_refused_because_they_are_of_one(tmp_path):
    cases = written(tmp_path, DIALYSIS, DIALYSIS, name="cases.jsonl")
    image = found_on_ultrasound(tmp_path)
    with pytest.raises(InputError, match="holds several cases; findings are of one"):
        answered(cases, "--findings", str(image))


def test_open_questions_are_asked_in_words_and_not_in_codes(tmp_path):
    text = " ".join(answered(written(tmp_path, {"age_years": 50, "sites": ["hip"]})).split())
    assert "Kidney function: if on dialysis (" in text
    assert "; if no kidney disease (" in text
    assert "kidney_function" not in text


def test_what_two_sources_state_differently_is_told_in_words_with_who_says_what(tmp_path):
    imaging = {"radiograph": {"fluid_level": True}, "ct": {"fluid_calcium_level": False}}
    labs = {"labs": {"phosphate_mg_dl": 2.6}, "labs_qualitative": {"phosphate": "high"}}
    case = written(tmp_path, {**DIALYSIS, "imaging": imaging, **labs})
    text = " ".join(answered(case).split())
    said = (
        "Fluid-calcium level (sedimentation sign): radiograph (reported) says present, "
        "CT (reported) says absent"
    )
    assert said in text
    assert "Phosphate high: contradicted by Phosphate 2.6 mg/dL" in text
    page = tmp_path / "out"
    answered(case, "--output", str(page))
    html = (page / "report.html").read_text(encoding="utf-8")
    assert f"{said}. It weighs nothing." in html


def test_a_value_whose_unit_may_be_another_is_doubted_in_text_page_and_json(tmp_path):
    case = written(tmp_path, {**DIALYSIS, "labs": {"phosphate_mg_dl": 22.9}})
    doubt = "Phosphate 22.9 mg/dL (7.39 mmol/L): outside 0.8 to 15 mg/dL"
    assert doubt in " ".join(answered(case).split())
    (remark,) = json.loads(answered(case, "--json"))["remarks"]
    assert remark.startswith(doubt)
    answered(case, "--output", str(tmp_path / "out"))
    assert doubt in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_no_published_case_is_doubted():
    for fields in json.loads((SHARED / "published_cases.json").read_text(encoding="utf-8")):
        case = Case.model_validate({k: v for k, v in fields.items() if k in Case.model_fields})
        assert doubts_about(case.patient().labs) == ()


def test_the_answer_covers_exactly_the_published_vocabulary(tmp_path):
    assert SHARED.is_dir(), "the published cases (../shared/cases) are needed for this test"
    vocabulary = json.loads((SHARED / "vocabulary.json").read_text(encoding="utf-8"))
    answer = json.loads(answered(written(tmp_path, {}), "--json"))
    assert {d["diagnosis"] for d in answer["differential"]} == set(vocabulary["final_diagnosis"])


def test_json_lines_give_a_line_per_case_in_order(tmp_path):
    path = written(tmp_path, DIALYSIS, {}, {"id": 3}, name="cases.jsonl")
    answers = [json.loads(line) for line in answered(path, "--json").splitlines()]
    assert [answer.get("id") for answer in answers] == ["A", None, 3]


def test_without_json_a_page_of_text_tells_why_and_what_to_do(tmp_path):
    text = answered(written(tmp_path, DIALYSIS))
    assert "Uremic" in text
    assert "Fluid-calcium level" in " ".join(text.split())
    assert "Suggested: Parathyroidectomy" in text
    assert "not a medical device" in text


def test_many_cases_as_text_give_a_line_each(tmp_path):
    lines = answered(written(tmp_path, DIALYSIS, {}, name="cases.jsonl")).splitlines()
    assert len(lines) == 2


def test_the_page_is_self_contained_and_stands_beside_the_json(tmp_path):
    answered(written(tmp_path, DIALYSIS), "--output", str(tmp_path / "out"))
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)
    assert "Parathyroidectomy" in page
    assert page.count('<ol class="ranks"') == 1
    assert "Weight of each finding for and against the leading diagnoses" in page
    assert json.loads((tmp_path / "out/diagnosis.json").read_text(encoding="utf-8"))["id"] == "A"


def test_the_page_names_the_papers_behind_the_weights(tmp_path):
    case = DIALYSIS | {"bilateral_or_multiple": True}
    answered(written(tmp_path, case), "--output", str(tmp_path / "out"))
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "cofan1999: Uremic tumoral calcinosis in patients receiving longterm" in page


def test_no_finding_is_cut_off_beside_the_chart(tmp_path):
    answered(written(tmp_path, {"sites": ["hip"]}), "--output", str(tmp_path / "out"))
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    beside = re.findall(r'text-anchor="end">([^<]+)<', page)
    assert "Phosphate not known" in beside
    assert max(map(len, beside)) <= 42  # what its width holds


def test_text_of_the_case_cannot_smuggle_markup_into_the_page(tmp_path):
    case = {"id": "<script>alert(1)</script>"}
    answered(written(tmp_path, case), "--output", str(tmp_path / "out"))
    assert "<script" not in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_many_cases_make_one_table_page(tmp_path):
    path = written(tmp_path, DIALYSIS, {}, name="cases.jsonl")
    answered(path, "--output", str(tmp_path / "out"))
    assert "2 cases" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    lines = (tmp_path / "out/diagnosis.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2


def test_a_fhir_bundle_is_a_case_too(tmp_path):
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {
                "resource": {
                    "resourceType": "Observation",
                    "code": {"coding": [{"system": "http://loinc.org", "code": "2731-8"}]},
                    "effectiveDateTime": "2024-01-02",
                    "valueQuantity": {"value": 1500, "code": "pg/mL"},
                }
            },
            {
                "resource": {
                    "resourceType": "Procedure",
                    "status": "completed",
                    "code": {"coding": [{"code": "302497006"}]},
                }
            },
        ],
    }
    answer = json.loads(answered(written(tmp_path, bundle), "--json"))
    told = {e["finding"] for d in answer["differential"] for e in d["evidence"]}
    assert {"dialysis", "pth"} <= told


@pytest.mark.parametrize(
    ("cases", "name", "message"),
    [
        ([{"shoe": 1}], "case.json", "shoe: found 1, expected no such field"),
        ([{}, {"age_years": -3}], "cases.jsonl", "line 2: age_years: found -3"),
        ([[]], "case.json", "found a list, expected one case"),
    ],
)
def test_bad_input_is_one_line_exit_2_and_nothing_is_printed_or_written(
    tmp_path, capsys, monkeypatch, cases, name, message
):
    path = written(tmp_path, *cases, name=name)
    output = tmp_path / "out"
    argv = ["calcinosis", "diagnose", str(path), "--json", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not output.exists()


def test_a_full_output_folder_is_refused_without_force(tmp_path, monkeypatch, capsys):
    path, output = written(tmp_path, DIALYSIS), tmp_path / "out"
    output.mkdir()
    (output / "mine.txt").write_text("keep")
    monkeypatch.setattr(sys, "argv", ["x", "diagnose", str(path), "--output", str(output)])
    with pytest.raises(SystemExit):
        main()
    assert "not empty" in capsys.readouterr().err
    assert [entry.name for entry in output.iterdir()] == ["mine.txt"]


def test_a_case_needs_no_imaging_library():
    asked = (
        "import sys, calcinosis.write.diagnosis; "
        "print({'numba', 'scipy', 'matplotlib', 'skimage', 'pydicom', 'jinja2'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "set()"


def test_a_thousand_cases_take_a_few_seconds_at_most(tmp_path):
    path = written(tmp_path, *[DIALYSIS] * 1000, name="cases.jsonl")
    before = process_time()
    assert len(answered(path, "--json").splitlines()) == 1000
    assert process_time() - before < 5  # about 1 s alone on a core; the rest is for busy machines


def test_what_was_given_but_is_not_used_is_named(tmp_path):
    potassium = {
        "resourceType": "Observation",
        "status": "final",
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "2823-3", "display": "Potassium"}]
        },
        "effectiveDateTime": "2024-01-02",
        "valueQuantity": {"value": 5.1, "code": "mmol/L"},
    }
    bundle = {"resourceType": "Bundle", "entry": [{"resource": potassium}]}
    path = written(tmp_path, bundle)
    assert "Given but not used: Potassium" in answered(path)
    assert json.loads(answered(path, "--json"))["passed_over"] == ["Potassium"]


def test_what_is_open_is_not_called_not_indicated(tmp_path):
    case = written(tmp_path, {"age_years": 18, "sites": ["buttock"], "ckd": "none"})
    text = " ".join(answered(case).split())
    is_open = text.split("Open until more is known: ")[1].split(" Not indicated: ")[0]
    assert "Referral to a sarcoma centre and biopsy" in is_open
    page = tmp_path / "out"
    answered(case, "--output", str(page))
    html = (page / "report.html").read_text(encoding="utf-8")
    assert "<summary>Open until more is known (" in html


def test_a_red_flag_does_not_say_its_name_twice(tmp_path):
    symptoms = {"skin_ulcer_or_fistula": True, "fever": True}
    low = {"labs": {"calcium_mg_dl": 7.0}}
    text = " ".join(answered(written(tmp_path, {**DIALYSIS, "symptoms": symptoms, **low})).split())
    assert "! Skin ulcer or fistula. Look" in text
    assert "! Fever. Cultures" in text
    assert "! Severe hypocalcaemia: calcium 7 mg/dL (1.75 mmol/L). Today" in text
