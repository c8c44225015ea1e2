"""The pages: what they show, who may see them, and what they must never tell."""

import html
import io
import json
import logging
import re
import stat
import time
import zipfile
from http.cookies import SimpleCookie
from ipaddress import ip_network
from tempfile import gettempdir

import numpy as np
import pytest
from sqlalchemy import delete, insert, select
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from calcinosis.errors import InputError
from calcinosis.lab_result import LabResult
from calcinosis.measure.mass import Calibration, CtMeasurement
from calcinosis.serve import access as access_module
from calcinosis.serve.access import Access, access_token
from calcinosis.serve.armour import MAX_BODY_BYTES
from calcinosis.serve.database import deliveries, studies
from calcinosis.serve.dicom_node import Admission
from calcinosis.serve.given import read_given
from calcinosis.serve.lab_entry import entered, with_form
from calcinosis.serve.store import opaque
from calcinosis.serve.views import FileLine
from calcinosis.serve.web import web_app
from calcinosis.serve.worklist import open_worklist
from calcinosis.volume import Study, Volume
from calcinosis.write.measurement_file import NAME, save_measurement

TOKEN = "a-token-of-twenty-characters"  # noqa: S105 - of these tests alone
FAMILY, GIVEN, NUMBER = "Plantedname", "Hildegard", "ID-4711-planted"
MASS = {
    "id": 1,
    "site": {"joint": "hip", "side": "left", "distance_mm": 60.0},
    "volume_ml": 137.5,
    "volume_ci95_ml": [108.0, 167.0],
    "calcium_mass_mg": 32200.0,
    "calcium_mass_ci95_mg": [26500.0, 37900.0],
    "max_diameter_mm": 106.2,
    "perpendicular_diameter_mm": 77.1,
    "fluid_levels": [{}, {}],
    "bone": {"nearest": "femur"},
    "remarks": [],
}
RESULT = {
    "masses": [MASS],
    "differential": [
        {"label": "Uremic tumoral calcinosis", "probability": 0.91, "low": 0.8, "high": 0.97},
        {"label": "Sarcoma", "probability": 0.05, "low": 0.01, "high": 0.1},
        {"label": "Gout", "probability": 0.004, "low": 0.001, "high": 0.01},
    ],
    "red_flags": [{"label": "Erosion of bone"}],
    "plan": [{"label": "Calcium-free phosphate binder", "standing": "suggested"}],
    "patient": {"ca_p_product_mg2_dl2": 82.4},
    "series": {"remarks": ["Contrast agent was given."]},
    "remarks": ["Slices were resampled."],
    "forecast": {
        "options": [
            {
                "name": "daily haemodialysis",
                "left_out": "calcium stays above 10.2 mg/dL",
                "outcomes": {
                    "horizon_days": 365,
                    "ca_p_product_mg2_dl2": 47.3,
                    "chance_product_below_55": 0.72,
                    "chance_deposit_halved": 0.31,
                },
            }
        ]
    },
}
REPORT = "<!DOCTYPE html><style>p{color:red}</style><p style='margin:0'>A report</p>"


@pytest.fixture(scope="module")
def open_node(tmp_path_factory):
    worklist = open_worklist(tmp_path_factory.mktemp("node") / "data")
    yield worklist
    worklist.engine.dispose()


@pytest.fixture
def node(open_node):
    yield open_node
    with open_node.engine.begin() as connection:
        connection.execute(delete(studies))


def a_row(state, run, **columns):
    return {
        "id": opaque(),
        "study_instance_uid": f"1.2.{time.time_ns()}",
        "patient_name": f"{FAMILY}^{GIVEN}",
        "patient_id": NUMBER,
        "study_date": "20251102",
        "instances": 12,
        "received_at": time.time(),
        "state": state,
        "run": run,
        **columns,
    }


def add(worklist, state="done", *, results=True, result=RESULT, **columns):
    run = opaque() if results else None
    row = a_row(state, run, **columns)
    with worklist.engine.begin() as connection:
        connection.execute(insert(studies).values(row))
    if run:
        folder = worklist.store.results(row["id"], run)
        folder.mkdir(parents=True)
        (folder / "report.html").write_text(REPORT)
        (folder / "result.json").write_text(json.dumps(result))
        (folder / "masses.nii.gz").write_bytes(b"\x1f\x8b0")
    return row["id"]


def stranger(worklist, **settings):
    app = web_app(worklist, Access(TOKEN, **settings))
    scheme = "https" if settings.get("secure") else "http"
    return TestClient(app, base_url=f"{scheme}://node", follow_redirects=False)


def program(worklist):
    client = stranger(worklist)
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    return client


def mark_of(page):
    return re.search(r'name="mark" value="(\w+)"', page.text).group(1)


@pytest.fixture
def person(node):
    """Somebody who logged in with a browser."""
    client = stranger(node)
    form = {"token": TOKEN, "mark": mark_of(client.get("/login"))}
    assert client.post("/login", data=form).status_code == 303
    return client


def post(client, page, address, fields=None, **more):
    form = {"mark": mark_of(client.get(page)), **(fields or {})}
    return client.post(address, data=form, **more)


def labs_of(worklist, study):
    entry = worklist.study(study)
    return read_given(entry.labs, entry.labs_kind).patient


# What is shown


def test_the_worklist_shows_state_progress_and_result(node, person):
    add(node)
    add(node, "analysing", results=False, progress=0.43)
    add(node, "failed", results=False, error="no CT image")
    page = person.get("/").text
    for words in (
        f"{FAMILY}, {GIVEN}",
        NUMBER,
        "2025-11-02",
        "Done",
        "One calcified mass, 138",
        "Uremic tumoral calcinosis: 91",
        '<progress max="100" value="43"',
        "Failed",
        "no CT image",
    ):
        assert words in page


def test_a_long_worklist_is_shown_in_pages(node, person):
    with node.engine.begin() as connection:
        connection.execute(insert(studies), [a_row("queued", None) for _ in range(51)])
    assert person.get("/").text.count("<td><a ") == 50
    assert person.get("/?page=2").text.count("<td><a ") == 1
    assert person.get("/?page=00").text == person.get("/").text
    for odd in ("0", "-1", "x", "99999999", "²"):
        assert person.get("/", params={"page": odd}).status_code == 200


def test_a_study_shows_masses_diagnoses_files_and_deliveries(node, person):
    study = add(node)
    sent = {"sop_instance_uid": "1.2", "run": "r", "file": "masses.seg.dcm"}
    with node.engine.begin() as connection:
        connection.execute(
            insert(deliveries).values(study=study, peer="PACS", delivered_at=time.time(), **sent)
        )
    page = person.get(f"/studies/{study}").text
    for words in (
        "1 · Left hip",
        "[108–167]",
        "32.2",
        "106 × 77 mm",
        "82 mg²/dL²",
        "Sarcoma",
        "Erosion of bone",
        "Calcium-free phosphate binder",
        "Contrast agent was given.",
        "Slices were resampled.",
        "masses.nii.gz",
        "Daily haemodialysis (calcium stays above 10.2 mg/dL)",
        "47 mg²/dL²",
        "72",
        "to PACS",
        "delivered",
    ):
        assert words in page
    assert "Gout" not in page
    assert "<table>" not in page, "each has a name"


def test_the_report_keeps_its_styles_and_can_run_nothing(node, person):
    study = add(node)
    report = person.get(f"/studies/{study}/report")
    policy = report.headers["content-security-policy"]
    assert report.text == REPORT
    assert policy.startswith("sandbox ")
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert "style-src 'unsafe-inline'" in policy


def test_what_became_of_masses_stands_on_the_page_beside_the_comparison(node, person):
    study = add(node)
    assert "Compared with" not in person.get(f"/studies/{study}").text
    assert person.get(f"/studies/{study}/follow.html").status_code == 404
    study = add(node)
    folder = node.results_folder(study)
    follow = {"days": 182, "summary": "Mass 1 has shrunk <.", "remarks": ["Another voltage."]}
    (folder / "follow.json").write_text(json.dumps(follow))
    (folder / "follow.html").write_text(REPORT)
    page = person.get(f"/studies/{study}").text
    for words in ("the CT 182 days before", "Mass 1 has shrunk &lt;.", "Another voltage."):
        assert words in page
    assert f'<a href="/studies/{study}/follow.html">' in page
    shown = person.get(f"/studies/{study}/follow.html")
    assert shown.text == REPORT
    assert shown.headers["content-security-policy"].startswith("sandbox ")
    assert person.get(f"/studies/{study}/report.html").text == REPORT, "which it links to"


def test_every_file_and_a_zip_of_all_can_be_downloaded(node, person):
    study = add(node)
    got = person.get(f"/studies/{study}/files/masses.nii.gz")
    assert got.content == b"\x1f\x8b0"
    assert "attachment" in got.headers["content-disposition"]
    packed = person.get(f"/studies/{study}/files.zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert sorted(archive.namelist()) == ["masses.nii.gz", "report.html", "result.json"]
        assert archive.read("report.html").decode() == REPORT


def test_results_that_go_while_they_are_packed_are_told_of(node, person, monkeypatch):
    study = add(node)
    gone = FileLine("gone.dcm", "", "")
    monkeypatch.setattr("calcinosis.serve.packed.file_lines", lambda _: [gone])
    answer = person.get(f"/studies/{study}/files.zip")
    assert answer.status_code == 404
    assert "Newer results" in answer.text


@pytest.mark.parametrize(
    "name", ["../results/report.html", "..%2f..%2f..%2fworklist.sqlite", "%2e%2e", ".", "x"]
)
def test_no_other_file_can_be_had(node, person, name):
    study = add(node)
    assert person.get(f"/studies/{study}/files/{name}").status_code == 404


# Laboratory


def test_results_typed_in_are_kept_and_explained_anew(node, person):
    study = add(node)
    page = f"/studies/{study}"
    fields = {
        "born": "1964",
        "sex": "female",
        "kidneys": "dialysis_hd",
        "dialysis_since": "2019-03-01",
        "drawn": "2025-10-05",
        "value_calcium": "2.4",
        "unit_calcium": "mmol/L",
        "value_phosphate": "7.4",
        "unit_phosphate": "mg/dL",
    }
    assert post(person, page, f"{page}/labs", fields).headers["location"] == page
    patient = labs_of(node, study)
    assert (patient.ckd, patient.sex) == ("dialysis_hd", "F")
    assert patient.ca_p_product_mg2_dl2 == pytest.approx(2.4 * 4.008 * 7.4)
    assert patient.age_years == pytest.approx(61.3, abs=0.5)
    entry = node.study(study)
    assert entry.state == "queued"
    shown = person.get(page).text
    assert "9.62 mg/dL (2.40 mmol/L)" in shown
    assert 'value="1964"' in shown


def test_a_second_entry_adds_to_the_first_and_corrects_the_same_day(node, person):
    study = add(node)
    page = f"/studies/{study}"
    first = {"drawn": "2025-10-05", "value_pth": "800", "unit_pth": "pg/mL", "born": "1964"}
    second = {**first, "value_pth": "900"}
    third = {**first, "drawn": "2025-11-05", "value_pth": ">1200", "born": "1965"}
    for fields in (first, second, third):
        assert post(person, page, f"{page}/labs", fields).status_code == 303
    found = [(r.day.month, r.comparator, r.value) for r in labs_of(node, study).series("pth")]
    assert found == [(10, "", 900), (11, ">", 1200)]
    assert node.study(study).labs.count("birthDate") == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value_calcium": "9", "unit_calcium": "mg/dL"}, "the day is missing"),
        (
            {"drawn": "2025-10-05", "value_calcium": "9,500", "unit_calcium": "mg/dL"},
            "decimal point",
        ),
        ({"drawn": "2025-10-05", "value_calcium": "95", "unit_calcium": "mg/dL"}, "impossible"),
        ({"drawn": "2999-10-05", "value_calcium": "9", "unit_calcium": "mg/dL"}, "future"),
        ({"drawn": "2025-10-05", "value_calcium": "9", "unit_calcium": "stone"}, "not measured in"),
        ({"born": "64"}, "four digits"),
        ({"born": "²²²²"}, "four digits"),
        ({"sex": "x"}, "sex"),
        ({"kidneys": "x"}, "kidneys"),
        ({"dialysis_since": "2020-01-01"}, "without the kind"),
        ({"born": "1850"}, "found 1850, expected 1900 to 2025"),
        ({"born": "2026"}, "expected 1900 to 2025, the year of the CT"),
        (
            {"kidneys": "dialysis_hd", "dialysis_since": "2025-11-03"},
            "expected a day up to 2025-11-02",
        ),
        ({"kidneys": "none", "dialysis_since": "2020-01-01"}, "healthy kidneys"),
    ],
)
def test_what_cannot_be_is_refused_with_one_line_and_the_form_stays_filled(
    node, person, fields, said
):
    study = add(node)
    page = f"/studies/{study}"
    answer = post(person, page, f"{page}/labs", {**fields, "value_albumin": "38.5"})
    assert answer.status_code == 422
    assert said in re.search(r'role="alert"[^>]*>(.*?)</p>', answer.text).group(1)
    assert 'value="38.5"' in answer.text
    assert node.study(study).labs is None


def test_a_prescription_typed_in_is_kept_shown_and_can_be_removed(node, person):
    study = add(node)
    page = f"/studies/{study}"
    assert "the usual prescription is assumed" in person.get(page).text
    fields = {
        "dialysis.modality": "hd",
        "dialysis.hours": "3,5",
        "dialysis.dialysate_calcium_mmol_l": "1.75",
        "binder.drug": "calcium_carbonate",
        "binder.g_per_day": "3",
        "active_vitamin_d_ug_per_week": "2",
        "dry_weight_kg": "62",
    }
    assert post(person, page, f"{page}/prescription", fields).headers["location"] == page
    assert json.loads(node.study(study).prescription) == {
        "dialysis": {"modality": "hd", "hours": 3.5, "dialysate_calcium_mmol_l": 1.75},
        "binder": {"drug": "calcium_carbonate", "g_per_day": 3.0},
        "active_vitamin_d_ug_per_week": 2.0,
        "dry_weight_kg": 62.0,
    }
    assert node.study(study).state == "queued", "the forecast is made anew"
    shown = person.get(page).text
    assert re.search(r'name="dialysis.hours"[^>]*value="3.5"', shown)
    assert '<option value="calcium_carbonate" selected>' in shown
    assert post(person, page, f"{page}/prescription").status_code == 303
    assert node.study(study).prescription is None


def test_a_prescription_in_a_file_brings_its_history_which_the_form_leaves(node, person):
    study = add(node)
    page = f"/studies/{study}"
    operated = {"days": 90, "event": {"parathyroidectomy": {"remnant_fraction": 0.05}}}
    given = {"history": [operated], "dialysis": {"hours": 5}, "diet": None}
    file = {"file": ("any", json.dumps(given))}
    answer = post(person, page, f"{page}/prescription/file", files=file)
    assert answer.status_code == 303
    shown = person.get(page).text
    assert re.search(r'name="parathyroidectomy.days"[^>]*value="90"', shown)
    assert re.search(r'name="parathyroidectomy.remnant_fraction"[^>]*value="0.05"', shown)
    assert (
        'name="dialysis.hours" inputmode="decimal" autocomplete="off" maxlength="12" value="5"'
        in shown
    )
    post(person, page, f"{page}/prescription", {"dialysis.hours": "4"})
    kept = json.loads(node.study(study).prescription)
    assert kept == {"history": [operated], "dialysis": {"hours": 4.0}}
    post(person, page, f"{page}/prescription")
    assert node.study(study).prescription is None


def test_an_operation_typed_in_is_a_phase_of_the_history_and_can_be_taken_back(node, person):
    study = add(node)
    page = f"/studies/{study}"
    fields = {
        "dialysis.hours": "4",
        "parathyroidectomy.days": "60",
        "parathyroidectomy.remnant_fraction": "0,1",
    }
    post(person, page, f"{page}/prescription", fields)
    (phase,) = json.loads(node.study(study).prescription)["history"]
    assert phase == {"days": 60.0, "event": {"parathyroidectomy": {"remnant_fraction": 0.1}}}
    assert re.search(r'name="parathyroidectomy.days"[^>]*value="60"', person.get(page).text)
    emptied = dict.fromkeys(fields, "") | {"dialysis.hours": "4"}
    post(person, page, f"{page}/prescription", emptied)
    assert json.loads(node.study(study).prescription) == {"dialysis": {"hours": 4.0}}


def test_a_history_that_the_form_has_no_fields_for_is_told_and_stays(node, person):
    study = add(node)
    page = f"/studies/{study}"
    history = [{"days": 90, "name": "richer bath", "dialysis": {"dialysate_calcium_mmol_l": 1.75}}]
    file = {"file": ("any", json.dumps({"history": history, "dialysis": {"hours": 5}}))}
    post(person, page, f"{page}/prescription/file", files=file)
    shown = person.get(page).text
    assert "Before today: 90 days: richer bath." in shown
    assert "parathyroidectomy.days" not in shown
    post(person, page, f"{page}/prescription", {"dialysis.hours": "4"})
    assert json.loads(node.study(study).prescription)["history"] == history


def test_binders_beyond_the_second_are_told_and_stay_when_the_form_is_used(node, person):
    study = add(node)
    page = f"/studies/{study}"
    binders = [
        {"drug": "sevelamer", "g_per_day": 4.8},
        {"drug": "lanthanum", "g_per_day": 1.5},
        {"drug": "calcium_acetate", "g_per_day": 2},
    ]
    file = {"file": ("any", json.dumps({"binder": binders}))}
    post(person, page, f"{page}/prescription/file", files=file)
    assert "Further binders: Calcium acetate 2 g a day." in person.get(page).text
    fields = {"binder.drug": "sevelamer", "binder.g_per_day": "2.4"}
    post(person, page, f"{page}/prescription", fields)
    kept = json.loads(node.study(study).prescription)["binder"]
    assert kept == [{"drug": "sevelamer", "g_per_day": 2.4}, binders[2]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected a prescription as JSON"),
        (b"{'days'", "prescription: is not JSON"),
        (b'{"history": [{"days": 0}]}', "prescription: history.0.days: found 0"),
    ],
)
def test_a_prescription_in_a_file_that_cannot_be_is_refused(node, person, content, said):
    study = add(node)
    page = f"/studies/{study}"
    answer = post(person, page, f"{page}/prescription/file", files={"file": ("any", content)})
    assert answer.status_code == 422
    assert said in html.unescape(answer.text)
    assert node.study(study).prescription is None


def test_two_binders_typed_in_are_kept_and_shown(node, person):
    study = add(node)
    page = f"/studies/{study}"
    fields = {
        "binder.drug": "sevelamer",
        "binder.g_per_day": "4.8",
        "second_binder.drug": "calcium_acetate",
        "second_binder.g_per_day": "2",
    }
    assert post(person, page, f"{page}/prescription", fields).headers["location"] == page
    first, second = json.loads(node.study(study).prescription)["binder"]
    assert first == {"drug": "sevelamer", "g_per_day": 4.8}
    assert second == {"drug": "calcium_acetate", "g_per_day": 2.0}
    shown = person.get(page).text
    assert '<option value="calcium_acetate" selected>' in shown
    assert re.search(r'name="second_binder.g_per_day"[^>]*value="2"', shown)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {
                "binder.drug": "sevelamer",
                "binder.g_per_day": "4.8",
                "second_binder.drug": "calcium_acetate",
            },
            "Second binder, g a day: found nothing",
        ),
        (
            {"parathyroidectomy.days": "60", "parathyroidectomy.remnant_fraction": ""},
            "Share of the parathyroids left (0 to 1): found nothing, expected a number",
        ),
        (
            {
                "dialysis.hours": "4",
                "parathyroidectomy.days": "0",
                "parathyroidectomy.remnant_fraction": "0.1",
            },
            "Parathyroidectomy, days ago: found 0.0, expected at least 1",
        ),
        ({"dialysis.hours": "30"}, "Hours a session: found 30.0, expected at most 12"),
        ({"dialysis.hours": "four"}, "Hours a session: found &#39;four&#39;, expected a number"),
        ({"dialysis.hours": "nan"}, "Hours a session: found &#39;nan&#39;, expected a number"),
        ({"dialysis.modality": "pd", "dialysis.hours": "4"}, "Hours a session: there is no such"),
        ({"binder.drug": "sevelamer"}, "Binder, g a day"),
        ({"binder.g_per_day": "3"}, "Phosphate binder: found nothing"),
        ({"binder.drug": "chalk", "binder.g_per_day": "3"}, "Phosphate binder: found"),
        ({"dry_weight_kg": "620"}, "Dry weight, kg: found 620.0, expected at most 250"),
        ({"calcimimetic.mg_per_day": "60"}, "Calcimimetic: found nothing"),
        (
            {"calcimimetic.drug": "cinacalcet", "calcimimetic.mg_per_week": "21"},
            "Calcimimetic: found",
        ),
    ],
)
def test_a_prescription_that_cannot_be_is_refused_by_the_name_of_its_field(
    node, person, fields, said
):
    study = add(node)
    page = f"/studies/{study}"
    answer = post(person, page, f"{page}/prescription", {**fields, "gfr_ml_min": "2.5"})
    assert answer.status_code == 422
    assert said in re.search(r'role="alert"[^>]*>(.*?)</p>', answer.text).group(1)
    assert 'value="2.5"' in answer.text
    assert node.study(study).prescription is None


def test_a_prescription_that_contradicts_the_kidneys_is_refused_in_the_words_of_the_form(
    node, person
):
    study = add(node)
    page = f"/studies/{study}"
    post(person, page, f"{page}/labs", {"kidneys": "dialysis_pd"})
    for fields, told in (
        ({"dialysis.modality": "hd"}, "Dialysis, Kind: found Haemodialysis in today"),
        ({"dialysis.hours": "4"}, "Hours a session: there is no such field: Kind is as usual"),
    ):
        answer = post(person, page, f"{page}/prescription", fields)
        assert answer.status_code == 422
        said = re.search(r'role="alert"[^>]*>(.*?)</p>', answer.text).group(1)
        assert told in said
        assert "Peritoneal dialysis" in said
        assert "modality" not in said


def test_dialysis_of_the_usual_kind_is_that_of_the_kidneys(node, person):
    study = add(node)
    page = f"/studies/{study}"
    post(person, page, f"{page}/labs", {"kidneys": "dialysis_pd"})
    fields = {"dialysis.dialysate_calcium_mmol_l": "1.25"}
    assert post(person, page, f"{page}/prescription", fields).status_code == 303
    assert json.loads(node.study(study).prescription)["dialysis"] == {
        "dialysate_calcium_mmol_l": 1.25
    }


DOUBTS = (
    "2 densities that may be masses or bone were not called; if one is a mass, its seed "
    "measures it: --seed 118,-20,-340; --seed -7,8,3."
)


def listed(page, words):
    """The places that have a button of these words."""
    return re.findall(rf'aria-label="{words}: ([^"]*)"', page.text)


def test_places_that_may_be_masses_are_asked_for_and_taken_back(node, person):
    study = add(node, result={**RESULT, "remarks": [*RESULT["remarks"], DOUBTS]})
    page = f"/studies/{study}"
    shown = person.get(page)
    assert "<p>2 densities that may be masses or bone were not called.</p>" in shown.text
    assert listed(shown, "Measure as a mass") == ["x 118, y −20, z −340 mm", "x −7, y 8, z 3 mm"]
    assert f'<a href="{page}/report#doubts">How these places look</a>' in shown.text
    forms = re.findall(rf'action="{page}/seeds">(.*?)</form>', shown.text)
    fields = dict(re.findall(r'name="(\w)" value="([^"]*)"', forms[0]))
    assert post(person, page, f"{page}/seeds", fields).headers["location"] == page
    typed = {"x": "118,5", "y": " 20", "z": "−12.25"}
    assert post(person, page, f"{page}/seeds", typed).status_code == 303
    assert node.study(study).seeds_lps_mm == ((118.0, -20.0, -340.0), (118.5, 20.0, -12.25))
    assert node.study(study).state == "queued"
    shown = person.get(page)
    assert "Left hip" in shown.text, "the earlier result stays"
    assert listed(shown, "Measure as a mass") == ["x −7, y 8, z 3 mm"]
    assert listed(shown, "Take back") == ["x 118, y −20, z −340 mm", "x 118.5, y 20, z −12.25 mm"]
    assert post(person, page, f"{page}/seeds/remove", fields).status_code == 303
    assert node.study(study).seeds_lps_mm == ((118.5, 20.0, -12.25),)
    assert len(listed(person.get(page), "Measure as a mass")) == 2


def test_a_mass_whose_outline_is_in_doubt_is_outlined_again_from_a_place(node, person):
    remark = "Mass 1 touches bone; if its outline is wrong, --seed 118,-20,-340 takes it as a mass."
    study = add(node, result={**RESULT, "masses": [{**MASS, "remarks": [remark]}]})
    page = f"/studies/{study}"
    shown = person.get(page)
    assert "<p>Mass 1 touches bone.</p>" in shown.text
    assert listed(shown, "Outline again from here") == ["x 118, y −20, z −340 mm"]
    fields = {"x": "118", "y": "-20", "z": "-340"}
    assert post(person, page, f"{page}/seeds", fields).status_code == 303
    assert listed(person.get(page), "Outline again from here") == []
    assert listed(person.get(page), "Take back") == ["x 118, y −20, z −340 mm"]


def test_a_study_without_doubts_says_so_and_takes_a_typed_place(node, person):
    study = add(node)
    page = person.get(f"/studies/{study}").text
    assert "Nothing that may be a mass was left out of this result" in page
    assert 'id="seed_x" name="x"' in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"x": "118", "z": "3"}, "y, mm to the back: found nothing, expected a number"),
        (
            {"x": "left", "y": "2", "z": "3"},
            "x, mm to the patient&#39;s left: found &#39;left&#39;",
        ),
        ({"x": "1", "y": "2", "z": "inf"}, "z, mm to the head: found &#39;inf&#39;"),
        ({"x": "9000", "y": "2", "z": "3"}, "seed 9000,2,3 lies outside the scan; expected LPS mm"),
    ],
)
def test_a_place_that_cannot_be_is_refused_and_the_form_stays_filled(node, person, fields, said):
    study = add(node)
    run = node.results_folder(study).parent
    volume = Volume(np.zeros((5, 6, 7), np.int16), np.eye(4))
    none = CtMeasurement(
        (),
        volume.voxels,
        np.empty(0, np.uint8),
        (),
        Calibration(0.8, 0.1, 120.0, "measured"),
        (),
        (),
    )
    save_measurement(run / NAME, Study(volume), none)
    page = f"/studies/{study}"
    answer = post(person, page, f"{page}/seeds", fields)
    assert answer.status_code == 422
    assert said in re.search(r'role="alert"[^>]*>(.*?)</p>', answer.text).group(1)
    assert re.search(rf'id="seed_z"[^>]* value="{fields["z"]}"', answer.text)
    assert node.study(study).seeds_lps_mm == ()
    assert node.study(study).state == "done"


CSV = "date,analyte,value,unit\n2025-10-05,calcium,9.6,mg/dL\n2025-10-05,phosphate,7.4,mg/dL\n"
BUNDLE = {
    "resourceType": "Bundle",
    "entry": [
        {"resource": {"resourceType": "Patient", "gender": "male", "birthDate": "1970-01-01"}},
        {"resource": {"resourceType": "Condition", "code": {"text": "On dialysis"}}},
    ],
}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (CSV.encode(), "csv"),
        (CSV.replace("mg/dL\n2025-10-05,ph", "mg/dL\n2025-10-06,ph").encode("cp1252"), "csv"),
        (json.dumps(BUNDLE).encode("utf-8-sig"), "json"),
        (b'{"age_years": 52, "ckd": "dialysis_hd"}', "json"),
    ],
)
def test_csv_fhir_and_case_files_can_be_uploaded(node, person, data, kind):
    study = add(node)
    page = f"/studies/{study}"
    file = {"file": (f"{FAMILY}.anything", data)}
    assert post(person, page, f"{page}/labs/file", files=file).status_code == 303
    assert node.study(study).labs_kind == kind
    assert person.get(page).status_code == 200
    assert post(person, page, f"{page}/labs/clear").status_code == 303
    assert node.study(study).labs is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\0\1\2", "not text"),
        (b"{", "not JSON"),
        (CSV.replace("7.4", "740").encode(), "row 3"),
        (b'{"resourceType": "Patient"}', "resourceType"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_row_or_field(node, person, data, said):
    study = add(node)
    page = f"/studies/{study}"
    answer = post(person, page, f"{page}/labs/file", files={"file": (f"{FAMILY}.csv", data)})
    assert answer.status_code == 422
    assert said in answer.text
    assert gettempdir() not in answer.text


def test_a_form_adds_to_an_uploaded_table_and_bundle_but_not_to_a_case_file():
    row = {"drawn": "2025-11-05", "value_phosphate": "2.1", "unit_phosphate": "mmol/L"}
    joined = read_given(with_form(CSV, "csv", {**row, "kidneys": "dialysis_pd"}), "json").patient
    assert [r.day.month for r in joined.series("phosphate")] == [10, 11]
    assert joined.ckd == "dialysis_pd"
    bundle = with_form(json.dumps(BUNDLE), "json", {**row, "born": "1999"})
    patient = read_given(bundle, "json").patient
    assert (patient.sex, patient.ckd) == ("M", "dialysis_unspecified")
    assert entered(bundle, "json").own_person
    case = '{"age_years": 52}'
    assert entered(case, "json").is_case
    with pytest.raises(InputError, match="case file"):
        with_form(case, "json", row)


@pytest.mark.parametrize(("typed", "value"), [("2,4", 2.4), ("<0,125", 0.125), ("2.4", 2.4)])
def test_a_decimal_comma_may_be_typed(typed, value):
    row = {"drawn": "2025-11-05", "value_phosphate": typed, "unit_phosphate": "mmol/L"}
    (result,) = read_given(with_form(None, None, row), "json").patient.labs
    assert result.value == pytest.approx(value * 3.097, rel=1e-3)


def test_kidneys_may_be_entered_as_healthy_and_the_form_shows_it_again():
    text = with_form(None, None, {"kidneys": "none"})
    assert read_given(text, "json").patient.ckd == "none"
    assert entered(text, "json").person["kidneys"] == "none"
    corrected = with_form(text, "json", {"kidneys": "dialysis_hd"})
    assert read_given(corrected, "json").patient.ckd == "dialysis_hd"
    assert entered(corrected, "json").person["kidneys"] == "dialysis_hd"


@pytest.mark.parametrize(
    "odd", [{"code": {"coding": "abc"}}, {"performedPeriod": "2020"}, {"code": "x"}]
)
def test_a_record_with_our_names_and_another_shape_still_opens_the_page(odd):
    procedure = {"resourceType": "Procedure", "id": "entered-kidneys", **odd}
    text = json.dumps({"resourceType": "Bundle", "entry": [{"resource": procedure}]})
    assert entered(text, "json").person["dialysis_since"] == ""


def test_every_analyte_of_a_table_that_has_a_code_survives_a_form():
    tests = ("corrected_calcium", "ionized_calcium", "albumin", "pth", "creatinine", "egfr", "qtc")
    units = ("mg/dL", "mmol/L", "g/L", "pmol/L", "umol/L", "mL/min", "ms")
    values = (10.1, 1.2, 38, 90, 700, 8, 430)
    rows = [
        f"2025-10-05,{t},{v},{u}" for t, v, u in zip(tests, values, units, strict=True)
    ]  # fmt: skip
    table = "\n".join(["date,analyte,value,unit", *rows])
    before = {r.analyte: r for r in read_given(table, "csv").patient.labs}
    after = read_given(with_form(table, "csv", {"kidneys": "transplant"}), "json").patient.labs
    assert {r.analyte for r in after} == set(before)
    for result in after:
        assert isinstance(result, LabResult)
        assert result.value == pytest.approx(before[result.analyte].value)


# Managing


def test_a_study_is_deleted_only_after_asking(node, person):
    study = add(node)
    page = f"/studies/{study}/delete"
    assert "cannot be brought back" in person.get(page).text
    assert node.study(study)
    assert post(person, page, page).headers["location"] == "/"
    assert not node.store.study(study).exists()
    assert person.get(f"/studies/{study}").status_code == 404


def test_a_study_can_be_measured_again(node, person):
    study = add(node)
    page = f"/studies/{study}"
    assert post(person, page, f"{page}/analyse").status_code == 303
    assert node.study(study).state == "queued"


# Who may


def endpoints(app):
    """(method, path) of everything the application answers to."""

    def walk(routes, prefix=""):
        for route in routes:
            if isinstance(route, Mount):
                yield from walk(route.routes, prefix + route.path)
            else:
                yield from ((method, prefix + route.path) for method in route.methods)

    assert isinstance(app, Starlette)
    return sorted(walk(app.routes))


PUBLIC = {"/login", "/static/{name}", "/about/tumoral-calcinosis", "/cds-services"}


def test_without_token_every_page_but_the_public_ones_is_closed(node):
    study = add(node)
    client = stranger(node)
    closed = [
        (method, path)
        for method, path in endpoints(client.app.app)
        if path not in PUBLIC and not path.startswith("/cds-services/")
    ]
    assert len(closed) >= 12
    for method, path in closed:
        address = path.format(study=study, name="report.html")
        answer = client.request(method, address)
        expected = 303 if method == "GET" else 401
        assert answer.status_code == expected, (method, path)
        assert FAMILY not in answer.text
        wrong = {"Authorization": "Bearer wrong"}
        assert client.request(method, address, headers=wrong).status_code == 401


def test_every_form_must_bear_our_mark(node, person):
    study = add(node)
    posts = [path for method, path in endpoints(person.app.app) if method == "POST"]
    ours = [path for path in posts if not path.startswith("/cds-services")]
    assert len(ours) == 11
    mark = mark_of(person.get("/"))
    for path in ours:
        address = path.format(study=study)
        assert person.post(address).status_code == 403, path
        assert person.post(address, data={"mark": "0" * 64}).status_code == 403, path
        foreign = {"Sec-Fetch-Site": "cross-site"}
        answer = person.post(address, data={"mark": mark}, headers=foreign)
        assert answer.status_code == 403, path
    assert node.study(study).state == "done"


def test_a_mark_of_another_visitor_is_refused(node, person):
    other = mark_of(stranger(node).get("/login"))
    assert person.post("/logout", data={"mark": other}).status_code == 403


def test_programs_use_the_token_as_bearer(node):
    study = add(node)
    client = program(node)
    assert client.get(f"/studies/{study}").status_code == 200
    file = {"file": ("labs.csv", CSV.encode())}
    assert client.post(f"/studies/{study}/labs/file", files=file).status_code == 303


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(node):
    for secure in (False, True):
        client = stranger(node, secure=secure)
        form = {"token": TOKEN, "mark": mark_of(client.get("/login"))}
        answer = client.post("/login", data=form)
        (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert bool(cookie["secure"]) is secure
        assert TOKEN not in cookie.value
        assert client.get("/").status_code == 200
        assert ("strict-transport-security" in client.get("/").headers) is secure


def test_a_session_ends_by_logging_out_by_time_and_by_a_new_token(person, monkeypatch):
    assert post(person, "/", "/logout").status_code == 303
    assert person.get("/").status_code == 303
    access = Access(TOKEN)
    cookie = access.session()
    assert access.is_session(cookie)
    assert not Access(TOKEN + "x").is_session(cookie)
    assert not access.is_session(access.visit())
    later = time.time() + access_module.SESSION_S + 1
    monkeypatch.setattr(access_module, "time", lambda: later)
    assert not access.is_session(cookie)


@pytest.mark.parametrize("cookie", ["", ".", "9999999999.x.", "9999999999.x.é", "visit.x"])
def test_an_invented_cookie_is_no_session(cookie):
    assert not Access(TOKEN).is_session(cookie)


def test_a_wrong_token_is_told_and_opens_nothing(node):
    client = stranger(node)
    form = {"token": "wrong", "mark": mark_of(client.get("/login"))}
    answer = client.post("/login", data=form)
    assert answer.status_code == 403
    assert "not the token" in answer.text
    assert client.get("/").status_code == 303


def test_the_token_is_made_once_for_nobody_else_to_read(tmp_path, monkeypatch):
    monkeypatch.delenv("CALCINOSIS_TOKEN", raising=False)
    token, file = access_token(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) >= 40
    assert access_token(tmp_path) == (token, None)
    monkeypatch.setenv("CALCINOSIS_TOKEN", TOKEN)
    assert access_token(tmp_path) == (TOKEN, None)
    monkeypatch.setenv("CALCINOSIS_TOKEN", "short")
    with pytest.raises(InputError, match="20 or more"):
        access_token(tmp_path)


# What must hold for every answer


def test_every_answer_is_armoured(node, person):
    study = add(node)
    for address in ("/", f"/studies/{study}", f"/studies/{study}/files.zip", "/login", "/none",
                    "/cds-services", "/static/style.css", f"/studies/{study}/report"):  # fmt: skip
        headers = person.get(address).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] in {"no-store", "no-cache"}
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action" in policy
        assert "unsafe-eval" not in policy
        if not address.endswith("/report"):
            assert "unsafe-inline" not in policy


@pytest.mark.parametrize("address", ["/", "/login", "/cds-services", "/static/style.css", "/none"])
def test_an_address_that_is_not_allowed_gets_nothing(tmp_path, address):
    admits = Admission(networks=(ip_network("10.1.2.0/24"),)).admits
    app = web_app(open_worklist(tmp_path), Access(TOKEN), admits=admits)
    near, far = (TestClient(app, client=(ip, 50000)) for ip in ("10.1.2.9", "10.1.3.9"))
    token = {"Authorization": f"Bearer {TOKEN}"}
    assert near.get(address, headers=token).status_code in {200, 404}
    refused = far.get(address, headers=token)
    assert (refused.status_code, refused.text) == (403, "This address is not allowed.\n")
    assert refused.headers["x-frame-options"] == "DENY"


def test_pages_need_no_inline_style_or_script(node, person):
    study = add(node)
    for address in ("/", f"/studies/{study}", "/login", "/about/tumoral-calcinosis", "/none"):
        page = person.get(address).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)|javascript:", page)
        assert not re.search(r'(?:src|href|action)="(?!/|#)', page)


def test_too_much_is_refused_before_it_is_held(node, person):
    study = add(node)
    page = f"/studies/{study}"
    large = {"file": ("labs.csv", b"x" * MAX_BODY_BYTES)}
    answer = post(person, page, f"{page}/labs/file", files=large)
    assert answer.status_code == 413
    many = {f"field{n}": "x" for n in range(200)}
    assert post(person, page, f"{page}/labs", many).status_code == 400
    cds = "/cds-services/calcinosis-patient-view"
    refused = person.post(cds, content=b" " * (MAX_BODY_BYTES + 1))
    assert refused.status_code == 413
    assert "error" in refused.json()


def test_what_a_pacs_writes_cannot_become_markup(node, person):
    study = add(node, patient_name="<script>alert(1)</script>^\"'>", error="<b>bad</b>")
    for address in ("/", f"/studies/{study}", f"/studies/{study}/delete"):
        page = person.get(address).text
        assert "<script>alert" not in page
        assert "<b>bad" not in page


def test_no_name_in_addresses_error_pages_or_log(node, person, caplog, capfd, monkeypatch):
    study = add(node, error=None)
    caplog.set_level(logging.DEBUG)
    page = f"/studies/{study}"
    told = [person.get(f"/studies/{'0' * 32}"), person.get(f"{page}/files/{FAMILY}")]
    told.append(person.post(f"{page}/labs", data={"value_calcium": FAMILY}))

    def defect(_study):
        raise RuntimeError(FAMILY)

    monkeypatch.setattr(type(node), "study", lambda _self, _study: defect(_study))
    broken = person.get(page)
    assert broken.status_code == 500
    for answer in (*told, broken):
        assert answer.status_code >= 400
        assert FAMILY not in answer.text
    out, err = capfd.readouterr()
    ours = "".join(r.getMessage() + str(r.exc_info) for r in caplog.records if r.name != "httpx2")
    assert "RuntimeError in test_web.py" in ours
    for text in (out, err, ours):
        assert FAMILY not in text
        assert NUMBER not in text
    monkeypatch.undo()
    addresses = re.findall(r'(?:href|action|src)="([^"]*)"', person.get(page).text)
    assert addresses
    for address in addresses:
        assert not re.search(f"{FAMILY}|{GIVEN}|{NUMBER}|20251102", address, re.IGNORECASE)


def test_files_of_the_node_bear_no_name_either(node):
    add(node)
    names = " ".join(str(path) for path in node.store.folder.rglob("*"))
    assert FAMILY not in names
    with node.engine.connect() as connection:
        assert connection.execute(select(studies.c.patient_name)).scalar_one().startswith(FAMILY)
