"""The differential diagnosis: probabilities over the whole vocabulary, and what moved them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calcinosis.explain.belief import Belief, Floats, Weighing, clues_of, weigh
from calcinosis.explain.findings import Contradiction, contradictions
from calcinosis.explain.tables import Tables, load_tables
from calcinosis.finding import Finding, State

_EVIDENCE_FROM_PROBABILITY = 0.02
_EVIDENCE_FOR_AT_LEAST = 3
# A diagnosis stands beside the first when it explains a finding that the first does not.
_UNEXPLAINED_DB, _EXPLAINED_DB, _BESIDE_PROBABILITY = -3.0, 3.0, 0.05


@dataclass  # not frozen: made by the hundred for every case, and four times as fast so
class Evidence:
    """One finding's weight for (positive) or against (negative) a diagnosis, in decibans."""

    finding: str
    label: str
    state: State
    value: float | None
    weight_db: float
    source: str


@dataclass  # not frozen, for the same reason
class Diagnosis:
    """One diagnosis: probability, its 90 % spread from the stated widths, and the evidence."""

    diagnosis: str
    label: str
    probability: float
    low: float
    high: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Differential:
    """All diagnoses of the vocabulary, likeliest first; the probabilities sum to one.

    Attributes:
        diagnoses: with evidence listed for the first three and for each of at least 2 %.
        contradictions: signs that one source calls present and another absent; they weigh nothing.
        beside: diagnoses that may coexist with the first: each explains a finding that speaks
            against the first.
        belief: the arrays behind it, which `next_tests` builds on.
    """

    diagnoses: tuple[Diagnosis, ...]
    contradictions: tuple[Contradiction, ...]
    beside: tuple[str, ...]
    belief: Belief = field(repr=False, compare=False)

    def probability(self, diagnosis: str) -> float:
        """The probability of one diagnosis of the vocabulary."""
        return next(d.probability for d in self.diagnoses if d.diagnosis == diagnosis)


def differential(findings: Iterable[Finding], tables: Tables | None = None) -> Differential:
    """Weigh findings into a differential diagnosis.

    Args:
        findings: from `findings_of_case`, `findings_of_masses`, or both together. Codes the
            knowledge base does not know are left aside.
        tables: compiled knowledge; that of the package by default.
    """
    return differentials([tuple(findings)], tables)[0]


def differentials(
    cases: Sequence[Sequence[Finding]], tables: Tables | None = None
) -> list[Differential]:
    """The differential diagnosis of several cases, quicker together than one by one."""
    tables = tables or load_tables()
    disputes = [contradictions(findings) for findings in cases]
    weighing = weigh(
        [clues_of(f, disputed, tables) for f, disputed in zip(cases, disputes, strict=True)], tables
    )
    return [_told(weighing, case, disputed) for case, disputed in enumerate(disputes)]


def _told(weighing: Weighing, case: int, disputed: tuple[Contradiction, ...]) -> Differential:
    """Spell one case out: order, spread, evidence."""
    belief, probability = weighing.beliefs[case], weighing.probability[case]
    tables, weights = belief.tables, weighing.weight_db[case, : len(belief.clues)]
    order = np.argsort(-probability, kind="stable")
    shares = probability.tolist()
    lows, highs = weighing.low[case].tolist(), weighing.high[case].tolist()
    listed = max(_EVIDENCE_FOR_AT_LEAST, int((probability >= _EVIDENCE_FROM_PROBABILITY).sum()))
    told = _evidence(belief, weights, order[:listed])
    diagnoses = tuple(
        [
            Diagnosis(
                tables.names[column],
                tables.labels[tables.names[column]],
                shares[column],
                lows[column],
                highs[column],
                told[place] if place < listed else (),
            )
            for place, column in enumerate(order.tolist())
        ]
    )
    beside = _beside(probability, weights, order, tables)
    return Differential(diagnoses, disputed, beside, belief)


def _evidence(
    belief: Belief, weights: Floats, columns: NDArray[np.int_]
) -> list[tuple[Evidence, ...]]:
    """The clues that weigh on some of the diagnoses, heaviest first."""
    labels, provenance = belief.tables.labels, belief.tables.provenance
    chosen = weights[:, columns].T.round(1)
    heaviest = np.argsort(-np.abs(chosen), axis=1, kind="stable").tolist()
    clues = [
        (f.code, labels.get(f.code, f.code), f.state, f.value, provenance[row])
        for f, row, _ in belief.clues
    ]
    told = []
    for column, places, row in zip(columns.tolist(), heaviest, chosen.tolist(), strict=True):
        evidence = []
        for place in places:
            if not row[place]:
                break
            code, label, state, value, sources = clues[place]
            evidence.append(Evidence(code, label, state, value, row[place], sources[column]))
        told.append(tuple(evidence))
    return told


def _beside(
    probability: Floats, weights: Floats, order: NDArray[np.int_], tables: Tables
) -> tuple[str, ...]:
    first = order[0]
    against = weights[:, first] <= _UNEXPLAINED_DB
    if not against.any():
        return ()
    return tuple(
        tables.names[other]
        for other in order[1:][probability[order[1:]] >= _BESIDE_PROBABILITY].tolist()
        if (weights[against, other] >= _EXPLAINED_DB).any()
    )
