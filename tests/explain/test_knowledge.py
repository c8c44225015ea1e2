"""The knowledge base says what it is worth, and refuses what it cannot mean."""

import copy
import json
from pathlib import Path

import pytest

from calcinosis.errors import InputError
from calcinosis.explain.knowledge import (
    DIAGNOSIS_FILES,
    Proportion,
    knowledge_from,
    load_knowledge,
    read_yaml,
)
from calcinosis.explain.learned import learn, load_learned

SHARED = Path(__file__).parents[2] / "../shared/cases"
needs_cases = pytest.mark.skipif(not SHARED.exists(), reason="../shared/cases is not here")


@pytest.fixture
def raw():
    diagnoses = {}
    for name in DIAGNOSIS_FILES:
        diagnoses |= read_yaml(name)
    return copy.deepcopy(
        {
            "vocabulary": read_yaml("findings.yaml"),
            "diagnoses": diagnoses,
            "sources": read_yaml("sources.yaml"),
        }
    )


@needs_cases
def test_every_diagnosis_and_every_site_of_the_vocabulary_is_known():
    vocabulary = json.loads((SHARED / "vocabulary.json").read_text())
    knowledge = load_knowledge()
    assert set(knowledge.diagnoses) == set(vocabulary["final_diagnosis"])
    assert set(knowledge.vocabulary.sites) == set(vocabulary["sites"])


@needs_cases
def test_the_shipped_counts_are_those_of_the_published_cases():
    cases = json.loads((SHARED / "published_cases.json").read_text())
    assert load_learned() == learn(cases)


def test_every_paper_listed_is_cited_by_a_number():
    knowledge = load_knowledge()
    assert set(knowledge.cited()) == set(knowledge.sources)


def test_every_number_is_counted_or_has_a_width():
    signs = [s for d in load_knowledge().diagnoses.values() for s in d.signs.values()]
    assert all((s.n and s.source) or s.width for s in signs)
    assert len(signs) > 300


def test_an_unknown_sign_is_refused_by_name(raw):
    raw["diagnoses"]["tc_uremic"]["signs"]["halo"] = {"p": 0.5, "width": 0.1}
    with pytest.raises(InputError, match="tc_uremic: unknown sign halo"):
        knowledge_from(**raw)


def test_a_count_without_its_source_is_refused(raw):
    raw["diagnoses"]["tc_uremic"]["signs"]["pain"] = {"p": 0.5, "n": 12}
    with pytest.raises(InputError, match=r"tc_uremic.*pain.*belong together"):
        knowledge_from(**raw)


def test_a_paper_that_is_not_listed_is_refused(raw):
    raw["diagnoses"]["tc_uremic"]["signs"]["pain"] = {"p": 0.5, "n": 12, "source": "nobody1900"}
    with pytest.raises(InputError, match="nobody1900"):
        knowledge_from(**raw)


def test_a_prior_must_be_given_for_every_kidney_setting(raw):
    del raw["diagnoses"]["gout_tophaceous"]["frequency"]["transplant"]
    with pytest.raises(InputError, match="gout_tophaceous"):
        knowledge_from(**raw)


def test_age_peaks_must_share_all_patients(raw):
    raw["diagnoses"]["brown_tumor"]["age_years"] = [{"mean": 40, "sd": 10, "share": 0.5}]
    with pytest.raises(InputError, match="shares of the age peaks"):
        knowledge_from(**raw)


def test_a_wide_prior_is_worth_fewer_patients_than_a_narrow_one():
    narrow, wide = Proportion(p=0.5, width=0.1), Proportion(p=0.5, width=0.3)
    assert wide.patients < narrow.patients
    assert round(narrow.patients) == 60  # bounded
    assert 6 < wide.patients < 8  # 0.25 / (0.3 / 1.645)² − 1


def test_provenance_names_the_paper_or_says_expert_prior():
    signs = load_knowledge().diagnoses["tc_uremic"].signs
    assert signs["multiple"].provenance == "cofan1999 (n = 12)"
    assert signs["cystic_loculated"].provenance == "expert prior 75% ± 15%"
