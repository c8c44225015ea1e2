"""From a case to its explanation: findings, differential, red flags, plan and next tests."""

from collections.abc import Iterable
from dataclasses import dataclass

from calcinosis.explain.differential import Differential, differential
from calcinosis.explain.findings import findings_of_case
from calcinosis.explain.management import Option, circumstances_of, plan
from calcinosis.explain.next_tests import NextTest, next_tests
from calcinosis.explain.red_flags import RedFlag, red_flags
from calcinosis.finding import Finding
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case


@dataclass(frozen=True)
class Explanation:
    """What a calcified mass most likely is, why, and what can be done.

    Attributes:
        patient: as known from case file and laboratory.
        findings: what was stated and measured.
        differential: every diagnosis of the vocabulary with its evidence.
        red_flags: what must be looked into whatever the ranking says.
        plan: every option with its standing.
        next_tests: what would sharpen the ranking most.
    """

    patient: Patient
    findings: tuple[Finding, ...]
    differential: Differential
    red_flags: tuple[RedFlag, ...]
    plan: tuple[Option, ...]
    next_tests: tuple[NextTest, ...]


def explain(
    case: Case, patient: Patient | None = None, measured: Iterable[Finding] = ()
) -> Explanation:
    """Explain one case.

    Args:
        case: what is stated of the patient and the mass.
        patient: with further laboratory results or history; that of the case by default.
        measured: findings of our own measurement on CT.
    """
    patient = patient or case.patient()
    findings = (*findings_of_case(case.informed_by(patient)), *measured)
    weighed = differential(findings)
    probabilities = {d.diagnosis: d.probability for d in weighed.diagnoses}
    facts = circumstances_of(patient, findings, probabilities)
    return Explanation(
        patient, findings, weighed, red_flags(facts), plan(facts), next_tests(weighed)
    )
