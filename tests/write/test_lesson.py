"""The lesson teaches what was drawn, with its sources, as a page and as a package for a course."""

import json
import re
import zipfile
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from calcinosis.errors import InputError
from calcinosis.explain.explanation import explain
from calcinosis.explain.management import load_rulebook
from calcinosis.explain.tables import load_tables
from calcinosis.finding import Finding
from calcinosis.volume import Subject
from calcinosis.write.deidentify import without_identity
from calcinosis.write.lesson import own, script
from calcinosis.write.lesson.answers import asked
from calcinosis.write.lesson.lesson import write_pages
from calcinosis.write.lesson.references import Bibliography
from calcinosis.write.lesson.scorm import MANIFEST, PAGE
from calcinosis.write.lesson.taught import (
    DisagreementError,
    Taught,
    disagreements,
    known_of,
    scan_options,
)
from calcinosis.write.lesson.words import Words

EVERY_CASE = pytest.mark.parametrize("name", script.BUILT_IN)
CP = "{http://www.imsproject.org/xsd/imscp_rootv1p1p2}"
ADL = "{http://www.adlnet.org/xsd/adlcp_rootv1p2}"


@pytest.fixture(scope="session")
def page(written):
    return (written / PAGE).read_text(encoding="utf-8")


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


# ------------------------------------------------------------------ the cases that ship


@EVERY_CASE
def test_a_case_is_about_a_patient_that_can_be_drawn(name):
    patient = script.load_case(name).patient
    assert scan_options(patient.scan).masses
    if patient.later:
        assert scan_options({**patient.scan, **patient.later}).masses
    assert patient.diagnosis in load_tables().names


@EVERY_CASE
def test_what_a_case_teaches_follows_from_what_is_drawn(name):
    """By the signs as drawn; that measuring finds them is held against truth when it is made."""
    case = script.load_case(name)
    drawn = scan_options(case.patient.scan).masses[0]
    signs = {
        "fluid_calcium_level": drawn.texture == "sedimented",
        "bone_erosion": drawn.erosion_mm > 0,
        "calcified": True,
    }
    findings = [
        Finding(code, "present" if there else "absent", "measured", "CT", mass_id=1)
        for code, there in signs.items()
    ]
    known = known_of(case.patient)
    explanation = explain(known.case, known.patient, findings)
    assert explanation.differential.diagnoses[0].diagnosis == case.patient.diagnosis
    standings = {option.option: option.standing for option in explanation.plan}
    for question in case.questions:
        if isinstance(question, script.WhatNext):
            taught = {option: standings[option] for option in question.teaches}
            assert taught == question.teaches


def texts(case):
    yield case.story
    yield from case.points
    for question in case.questions:
        yield question.ask
        yield question.answer
        for option in getattr(question, "options", ()):
            if isinstance(option, script.Said):
                yield f"{option.text} {option.because}"


@pytest.mark.parametrize("name", [*script.BUILT_IN, script.OWN])
def test_every_source_that_a_case_cites_is_known(name):
    bibliography = Bibliography()
    for text in texts(script.load_case(name)):
        bibliography.cited(text)
    assert bibliography.keys
    assert all(reference.text for reference in bibliography.references())


def test_an_unknown_source_is_refused():
    with pytest.raises(InputError, match="no_such2020"):
        Bibliography().cited("So it is said [no_such2020].")


# What a discussion of this disease must say (the founding case's, point by point, in words of the
# lesson): where each is taught.
TAUGHT = {
    "not the genetic disease of that name": r"Teutschländer.*Inclan.*genetic",
    "when after dialysis begins": r"months to many years",
    "slow, large, tumour-like": r"grows slowly, can reach 20 to 30 cm, and looks like a tumour",
    "places": r"hips, knees, shoulders, elbows; hands and feet now and then, the pubis seldom",
    "skin and complaints": r"silent under normal skin.*break through.*nerve or vessel",
    "erosion is exceptional": r"can erode bone, though this is exceptional",
    "the founding patient": r"at the pubis, unusual for the place",
    "product and parathyroids": r"beyond that threshold and severe hyperparathyroidism",
    "also without hyperparathyroidism": r"without hyperparathyroidism, and after parathyroid",
    "phosphate is not filtered": r"does not filter enough phosphate; it rises in cells",
    "1-hydroxylation": r"vitamin D is hydroxylated at position 1",
    "secondary hyperparathyroidism": r"drive the parathyroids to secondary hyperparathyroidism",
    "radiograph": r"cluster of small dense round or oval shapes beside the joint, each in its ring",
    "sedimentation": r"Chalk sinks, serum stands above it",
    "extent on CT": r"CT shows the mass and how far it reaches best",
    "ultrasound": r"Ultrasound, of which little is written",
    "MRI": r"Dark on T1; on T2 bright nodules, uneven, with dark patches.*oedema.*inflammation",
    "scintigraphy": r"bone scan shows such deposits early and tells whether they are active",
    "microtrauma": r"small injuries repeated with each movement",
    "chondrosarcoma": r"destroyed bone, a tumour belongs into the differential, chondrosarcoma",
    "a level helps": r"level on CT helps towards calcinosis",
    "treatment is difficult": r"Treatment is difficult",
    "surgery": r"disputed: it is for masses that press on something, and then all must go",
    "medical treatment": r"phosphate binders, less phosphate by measured protein, a dialysate low",
    "parathyroidectomy": r"work wonders, and is kept for severe hyperparathyroidism with normal",
    "calcinosis after it is why": r"comes after parathyroidectomy is why",
    "transplantation": r"regressions are reported after transplantation",
    "think of it": r"Think of it at once.*treated otherwise than with a knife",
    "rare": r"rare even among haemodialysis patients",
    "primary form": r"painless masses beside joints, healthy kidneys, relatives affected",
    "crystals": r"crystals of calcium phosphate laid down in the soft tissue around a joint",
    "cysts with levels": r"cysts, and in them many fluid–calcium levels",
}


@pytest.fixture(scope="module")
def all_texts():
    cases = [text for name in script.BUILT_IN for text in texts(script.load_case(name))]
    return " ".join(" ".join([*cases, *script.load_opening().points]).split())


@pytest.mark.parametrize("point", TAUGHT)
def test_each_point_of_the_discussion_is_taught(point, all_texts):
    assert re.search(TAUGHT[point], all_texts)


# ------------------------------------------------------------------ right answers


def answered(taught, kind):
    words = Words(taught, Bibliography())
    return [asked(q, words) for q in taught.script.questions if isinstance(q, kind)]


def right(question):
    return [str(choice.text) for choice in question.choices if choice.right]


def test_the_right_diagnosis_is_the_one_drawn(taught):
    (question,) = answered(taught, script.WhichDiagnosis)
    assert right(question) == ["Uremic (secondary, CKD-related) tumoral calcinosis"]


def test_of_an_own_case_the_given_diagnosis_is_right_whatever_the_program_ranks(taught):
    mine = replace(taught, script=script.load_case(script.OWN), truth=None)
    (known,) = answered(replace(mine, diagnosis="synovial_chondromatosis"), script.WhichDiagnosis)
    assert right(known) == ["Synovial (osteo)chondromatosis"]
    assert "The program ranks another first: uremic" in known.answer
    (open_question,) = answered(replace(mine, diagnosis=None), script.WhichDiagnosis)
    assert "does the program rank first" in open_question.ask
    assert "not the truth" in open_question.answer


def test_the_right_finding_weighs_most_of_those_offered(taught):
    (question,) = answered(taught, script.WhichFinding)
    weights = {
        str(choice.text): float(str(choice.because).replace("−", "-").split()[0])
        for choice in question.choices
    }
    assert right(question) == [max(weights, key=weights.get)]
    assert right(question) == ["Fluid-calcium level (sedimentation sign)"]


def test_right_options_are_those_of_the_plan(taught):
    (question,) = answered(taught, script.WhatNext)
    suggested = {o.label for o in taught.analysis.explanation.plan if o.standing == "suggested"}
    assert set(right(question)) == {str(c.text) for c in question.choices} & suggested
    assert "Surgical excision" not in right(question)


def test_the_right_range_holds_the_forecast_value(taught):
    (question,) = answered(taught, script.WhatBecomes)
    course = taught.analysis.outlook.courses[0]
    product = course.outcomes["ca_p_product_mg2_dl2"]
    place = sum(product >= bound for bound in (35, 55))
    assert question.right == [place]


def test_the_best_treatment_is_no_harmful_one(taught):
    (question,) = answered(taught, script.WhichTreatment)
    courses = {c.name: c for c in taught.analysis.outlook.courses}
    offered = {str(c.text).lower(): c.right for c in question.choices}
    sound = [courses[name] for name in offered if not courses[name].left_out]
    best = min(sound, key=lambda course: course.outcomes["ca_p_product_mg2_dl2"])
    assert offered[best.name]
    assert sum(offered.values()) == 1


def test_a_click_is_judged_by_what_was_drawn(taught, page):
    (scan,) = data_of(page)["cases"][0]["scans"]
    centre = taught.truth.masses[0].centroid_lps_mm
    at = int(np.argmin(np.abs(np.array(scan["z_mm"]) - centre[2])))
    for target in ("mass", "level"):
        (curve,) = scan["drawn"][target][at]
        x, y = (np.min(curve, axis=0) + np.max(curve, axis=0)) / 2
        assert np.hypot(x - scan["pixels"] / 2, y - scan["pixels"] / 2) < scan["pixels"] / 3
        reach_mm = scan["pixel_mm"] * np.ptp(curve, axis=0)
        assert reach_mm[0] > 30
        assert (reach_mm[1] > 30) == (target == "mass"), "a level is flat"
    assert scan["drawn"]["mass"][0] == [], "the mass does not reach the first slice"


# ------------------------------------------------------------------ what is not taught


def without_levels(taught):
    (mass,) = taught.analysis.measurement.masses
    return _measured(taught, replace(mass, fluid_levels=(), sedimentation_sign=False))


def elsewhere(taught):
    analysis = taught.analysis
    labels = np.roll(analysis.measurement.labels, 12, axis=2)
    moved = replace(analysis.measurement, labels=labels)
    return replace(taught, analysis=replace(analysis, measurement=moved))


def too_large(taught):
    (mass,) = taught.analysis.measurement.masses
    return _measured(taught, replace(mass, volume_ml=2 * mass.volume_ml))


def eroding(taught):
    (mass,) = taught.analysis.measurement.masses
    return _measured(taught, replace(mass, bone=replace(mass.bone, eroded=True)))


def missed(taught):
    measurement = replace(taught.analysis.measurement, masses=())
    return replace(taught, analysis=replace(taught.analysis, measurement=measurement))


def other_disease(taught):
    return replace(taught, diagnosis="chondrosarcoma_soft_tissue")


def other_plan(taught):
    question = script.WhatNext(
        kind="plan", ask="?", standing=("suggested",), teaches={"excision": "suggested"}
    )
    return replace(taught, script=taught.script.model_copy(update={"questions": (question,)}))


def _measured(taught, mass):
    measurement = replace(taught.analysis.measurement, masses=(mass,))
    return replace(taught, analysis=replace(taught.analysis, measurement=measurement))


def test_a_case_measured_as_drawn_is_taught(taught):
    assert list(disagreements(taught)) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (without_levels, "1 levels drawn, 0 found"),
        (elsewhere, "not outlined as drawn"),
        (too_large, "mL measured"),
        (eroding, "drawn not eroding, found True"),
        (missed, "1 masses drawn, 0 measured"),
        (other_disease, "the program ranks tc_uremic first"),
        (other_plan, "excision is to be taught as suggested"),
    ],
)
def test_what_the_program_got_wrong_is_not_taught(wrong, words, taught):
    assert words in "; ".join(disagreements(wrong(taught)))


def test_a_question_without_an_answer_is_not_dropped_in_silence(taught, tmp_path):
    silent = replace(taught, analysis=replace(taught.analysis, outlook=None))
    with pytest.raises(DisagreementError, match="no answer"):
        write_pages(tmp_path, [silent])


# ------------------------------------------------------------------ the page


def test_the_page_fetches_nothing(page):
    fetched = re.findall(r'(?:src|href)="((?!data:|#)[^"]*)"', page)
    assert all(re.match(r"https://(doi\.org|pubmed)", address) for address in fetched)
    assert "default-src 'none'" in page
    assert len(page.encode()) < 8_000_000 / len(script.BUILT_IN)


def test_without_script_each_question_has_its_answer_folded(page, taught):
    text = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert text.count('<details class="answer">') == len(taught.script.questions)
    assert "<noscript>" in text
    assert "not a medical device" in text
    assert "patients are artificial" in text
    assert len(re.findall(r"<b>Right:</b>", text)) >= len(taught.script.questions) - 2


def test_every_reference_that_is_cited_is_listed_with_its_address(page):
    cited = set(re.findall(r'href="#ref-(\d+)"', page))
    listed = dict(re.findall(r'<li id="ref-(\d+)">(.*?)</li>', page))
    assert cited == set(listed)
    assert sum("https://doi.org/" in entry for entry in listed.values()) >= 5


def test_an_own_study_names_nobody(taught, tmp_path):
    subject = Subject(name="Plantedname^Ulrike", patient_id="PLANTED-4711", age_years=58.0)
    study = replace(taught.analysis.study, subject=subject, series_instance_uid="1.2.840.99.4711")
    analysis = without_identity(replace(taught.analysis, study=study))
    mine = Taught(script.load_case(script.OWN), analysis, "tc_uremic")
    write_pages(tmp_path, [mine], artificial=False)
    text = (tmp_path / PAGE).read_text(encoding="utf-8")
    for told in ("Planted", "4711", "58 years", "Female", "1.2.840.99"):
        assert told not in text
    assert "A head can be recognised" in text
    assert "artificial" not in text
    assert "Which diagnosis was it?" in text


def test_a_study_without_a_mass_is_refused(monkeypatch, fabricated, tmp_path):
    monkeypatch.setattr(own, "read_study", lambda *_, **__: None)
    monkeypatch.setattr(own, "analyze", lambda *_, **__: fabricated(masses=0))
    with pytest.raises(InputError, match="no calcified mass"):
        own.write_own_lesson(own.Own(tmp_path), tmp_path, lambda _: lambda _: None)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ the package


def test_the_package_is_what_scorm_1_2_asks_for(written):
    """One organisation, one item, one sharable content object; every file listed is there."""
    with zipfile.ZipFile(written / "lesson.zip") as package:
        assert package.testzip() is None
        assert package.namelist() == [MANIFEST, PAGE]
        assert package.read(PAGE) == (written / PAGE).read_bytes()
        manifest = ET.fromstring(package.read(MANIFEST))  # noqa: S314 - our own
    assert manifest.tag == f"{CP}manifest"
    assert manifest.findtext(f"{CP}metadata/{CP}schema") == "ADL SCORM"
    assert manifest.findtext(f"{CP}metadata/{CP}schemaversion") == "1.2"
    organizations = manifest.find(f"{CP}organizations")
    (organization,) = organizations.findall(f"{CP}organization")
    assert organizations.get("default") == organization.get("identifier")
    (item,) = organization.findall(f"{CP}item")
    assert organization.findtext(f"{CP}title") == item.findtext(f"{CP}title")
    (resource,) = manifest.findall(f"{CP}resources/{CP}resource")
    assert item.get("identifierref") == resource.get("identifier")
    assert resource.get(f"{ADL}scormtype") == "sco"
    assert resource.get("type") == "webcontent"
    files = [file.get("href") for file in resource.findall(f"{CP}file")]
    assert files == [resource.get("href")] == [PAGE]
    identifiers = [e.get("identifier") for e in manifest.iter() if e.get("identifier")]
    assert len(set(identifiers)) == len(identifiers)
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", one) for one in identifiers), "XML IDs"


def test_the_same_lesson_is_the_same_bytes(written, taught, tmp_path):
    write_pages(tmp_path, [taught])
    for name in (PAGE, "lesson.zip"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_options_of_every_plan_question_exist():
    known = {entry.option for entry in load_rulebook().options}
    for name in script.BUILT_IN:
        for question in script.load_case(name).questions:
            if isinstance(question, script.WhatNext):
                assert set(question.options) | set(question.teaches) <= known
