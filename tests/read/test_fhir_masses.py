"""Masses that a record names: stated ones, not those it says are not there."""

import pytest

from calcinosis.read.fhir_masses import recorded_masses


def observed(**answer):
    code = {"text": "Soft tissue mass"}
    return {"resourceType": "Observation", "status": "final", "code": code, **answer}


def coded(code, display=""):
    return {"valueCodeableConcept": {"coding": [{"code": code, "display": display}]}}


@pytest.mark.parametrize(
    "answer", [{}, {"valueBoolean": True}, coded("52101004", "Present"), {"valueString": "5 cm"}]
)
def test_a_mass_that_an_observation_finds_is_recorded(answer):
    (mass,) = recorded_masses([observed(**answer)])
    assert mass.words.startswith("Soft tissue mass")


@pytest.mark.parametrize(
    "answer",
    [
        {"valueBoolean": False},
        {"valueString": "none"},
        {"valueString": "No mass seen."},
        {"valueCodeableConcept": {"text": "Absent"}},
        {"dataAbsentReason": {"text": "not performed"}},
        coded("260385009", "Negative"),
        coded("260415000"),
        coded("LA11883-8", "Not detected"),
    ],
)
def test_a_mass_that_is_not_there_or_not_known_is_not_recorded(answer):
    assert recorded_masses([observed(**answer)]) == ()
