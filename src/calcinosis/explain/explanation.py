"""From a case to its explanation: findings, differential, red flags, plan and next tests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from calcinosis.explain.differential import Differential, differentials
from calcinosis.explain.findings import findings_of_case
from calcinosis.explain.management import Option, circumstances_of, plan
from calcinosis.explain.next_tests import NextTest, next_tests_of
from calcinosis.explain.red_flags import RedFlag, red_flags
from calcinosis.finding import Finding
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case

_BATCH = 64  # cases weighed together: large enough for numpy, small enough for the cache


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
    return explain_findings(patient, findings)


def explain_findings(patient: Patient, findings: tuple[Finding, ...]) -> Explanation:
    """Explain from findings that were stated or measured before."""
    return _explained([patient], [findings])[0]


def explain_many(cases: Iterable[Case]) -> Iterator[Explanation]:
    """Explain one case after the other, weighed a batch at a time."""
    cases = iter(cases)
    while batch := list(islice(cases, _BATCH)):
        yield from _explained(
            [case.patient() for case in batch], [findings_of_case(case) for case in batch]
        )


def _explained(
    patients: Sequence[Patient], findings: Sequence[tuple[Finding, ...]]
) -> list[Explanation]:
    weighed = differentials(findings)
    tests = next_tests_of(weighed)
    return [_explanation(*parts) for parts in zip(patients, findings, weighed, tests, strict=True)]


def _explanation(
    patient: Patient,
    findings: tuple[Finding, ...],
    weighed: Differential,
    tests: tuple[NextTest, ...],
) -> Explanation:
    probabilities = {d.diagnosis: d.probability for d in weighed.diagnoses}
    facts = circumstances_of(patient, findings, probabilities)
    return Explanation(patient, findings, weighed, red_flags(facts), plan(facts), tests)
