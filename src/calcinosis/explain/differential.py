"""The differential diagnosis: probabilities over the whole vocabulary, and what moved them.

Bayes' rule over kidney setting x diagnosis. What is not known has no weight: neither for nor
against. Weights of evidence are in decibans (10 log10 of the factor by which the odds of the
diagnosis would fall if this finding, alone, were not known; Good, Biometrika 1979,
doi:10.1093/biomet/66.2.393).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calcinosis.explain.findings import Contradiction, contradictions
from calcinosis.explain.tables import Tables, load_tables
from calcinosis.finding import Finding, State

Floats = NDArray[np.float64]
# Several sites of one patient, or several signs of one group, each count less: k of them together
# weigh as the square root of k.
_SHARED = 0.5
# A scan carries age and sex; whoever tells more of the patient would mention diseased kidneys.
_TOLD_BY_ANY_SCAN = frozenset({"age", "female"})
_DRAWS = 128
_DECIBANS_PER_NEPER = 10 / math.log(10)
_EVIDENCE_FROM_PROBABILITY = 0.02
_EVIDENCE_FOR_AT_LEAST = 3
# A diagnosis stands beside the first when it explains a finding that the first does not.
_UNEXPLAINED_DB, _EXPLAINED_DB, _BESIDE_PROBABILITY = -3.0, 3.0, 0.05
_NOISE = np.random.default_rng(20).standard_normal((64, _DRAWS)).astype(np.float32)


@dataclass(frozen=True)
class Evidence:
    """One finding's weight for (positive) or against (negative) a diagnosis, in decibans."""

    finding: str
    label: str
    state: State
    value: float | None
    weight_db: float
    source: str


@dataclass(frozen=True)
class Diagnosis:
    """One diagnosis: probability, its 90 % spread from the stated widths, and the evidence."""

    diagnosis: str
    label: str
    probability: float
    low: float
    high: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class _Clue:
    """A finding that has a row in the tables, and the share of its weight that counts."""

    finding: Finding
    row: int
    share: float


@dataclass(frozen=True, eq=False)
class Posterior:
    """The state of belief as arrays; what `next_tests` builds on."""

    joint: Floats
    clues: tuple[_Clue, ...]
    tables: Tables

    @property
    def known(self) -> frozenset[str]:
        """Codes of the findings already used, words such as ``phosphate_high`` by their lab."""
        codes = {clue.finding.code for clue in self.clues} - {"phosphate_stated"}
        kidney = {"kidney_function"} if codes & self.tables.settings else set()
        mineral = {"calcified", "ossified"} if codes & {"calcified", "ossified"} else set()
        return frozenset(codes | {code.rsplit("_", 1)[0] for code in codes} | kidney | mineral)


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
    belief: Posterior = field(repr=False, compare=False)

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
    findings = tuple(findings)
    return differential_of(posterior(findings, tables), contradictions(findings))


def posterior(findings: Iterable[Finding], tables: Tables | None = None) -> Posterior:
    """Belief over kidney setting and diagnosis after `findings`."""
    tables = tables or load_tables()
    clues = _clues(tuple(findings), tables)
    shares = np.array([clue.share for clue in clues])
    evidence = tables.loglik[[clue.row for clue in clues]]
    joint = tables.prior + (shares[:, None, None] * evidence).sum(axis=0)
    return Posterior(_normalised(joint), clues, tables)


def differential_of(belief: Posterior, disputed: tuple[Contradiction, ...] = ()) -> Differential:
    """Spell a posterior out: order, spread, evidence."""
    tables = belief.tables
    marginal = _log_sum(belief.joint)
    probability = np.exp(marginal)
    low, high = _spread(marginal, belief)
    weights = _weights_db(belief)
    order = np.argsort(-probability, kind="stable")
    shares, lows, highs = probability.tolist(), low.tolist(), high.tolist()
    listed = max(_EVIDENCE_FOR_AT_LEAST, int((probability >= _EVIDENCE_FROM_PROBABILITY).sum()))
    told = _evidence(belief, weights, order[:listed])
    diagnoses = tuple(
        Diagnosis(
            tables.names[column],
            tables.labels[tables.names[column]],
            shares[column],
            lows[column],
            highs[column],
            told[place] if place < listed else (),
        )
        for place, column in enumerate(order.tolist())
    )
    beside = _beside(probability, weights, order, tables)
    return Differential(diagnoses, disputed, beside, belief)


def _clues(findings: tuple[Finding, ...], tables: Tables) -> tuple[_Clue, ...]:
    """Pick the rows; a sign called present and absent by two voices is left out."""
    by_code: dict[str, Finding] = {}
    disputed = {c.code for c in contradictions(findings)}
    for finding in findings:
        earlier = by_code.get(finding.code)
        if finding.state == "unknown" or finding.code in disputed:
            continue
        if earlier is None or _tells_more(finding, earlier):
            by_code[finding.code] = finding
    picked = [(f, row) for f in by_code.values() if (row := _row(f, tables)) is not None]
    families = [_family(f.code, tables) for f, _ in picked]
    clues = [
        _Clue(f, row, math.pow(families.count(family), _SHARED - 1))
        for (f, row), family in zip(picked, families, strict=True)
    ]
    if all(f.origin == "measured" or f.code in _TOLD_BY_ANY_SCAN for f in by_code.values()):
        untold = Finding("untold", "present", "reported", "history")
        clues.append(_Clue(untold, tables.rows["untold:present"], 1.0))
    named = any(f.code.startswith("phosphate") for f in by_code.values())
    naming = Finding("phosphate_stated", "present" if named else "absent", "reported", "history")
    clues.append(_Clue(naming, tables.rows[f"phosphate_stated:{naming.state}"], 1.0))
    return tuple(clues)


def _tells_more(new: Finding, earlier: Finding) -> bool:
    """Of several masses the one with the sign, and the largest, leads."""
    if new.state != earlier.state:
        return new.state == "present"
    return (new.value or 0.0) > (earlier.value or 0.0)


def _row(finding: Finding, tables: Tables) -> int | None:
    if finding.value is not None and finding.code in tables.grids:
        return tables.grids[finding.code].row(finding.value)
    return tables.rows.get(f"{finding.code}:{finding.state}")


def _family(code: str, tables: Tables) -> str:
    return "site" if code.startswith("site_") else tables.groups.get(code, code)


def _normalised(joint: Floats) -> Floats:
    peak = joint.max()
    normalised: Floats = joint - (peak + math.log(np.exp(joint - peak).sum()))
    return normalised


def _log_sum(joint: Floats) -> Floats:
    """Sum over settings (second axis from the end), in logarithms."""
    peak = joint.max(axis=-2)
    total: Floats = peak + np.log(np.exp(joint - peak[..., None, :]).sum(axis=-2))
    return total


def _spread(marginal: Floats, belief: Posterior) -> tuple[Floats, Floats]:
    """The 5th and 95th percentile of each probability when every number wavers by its width."""
    shares = np.array([clue.share for clue in belief.clues])
    rows = belief.tables.variance[[clue.row for clue in belief.clues]]
    variance = belief.tables.prior_variance + shares**2 @ rows
    widths = np.sqrt(variance).astype(np.float32)
    drawn = marginal.astype(np.float32)[:, None] + widths[:, None] * _NOISE[: len(marginal)]
    drawn = np.exp(drawn - drawn.max(axis=0))
    drawn /= drawn.sum(axis=0)
    probability = np.exp(marginal)
    cut = round(0.05 * _DRAWS)
    drawn.sort(axis=1)
    return np.minimum(drawn[:, cut], probability), np.maximum(drawn[:, -1 - cut], probability)


def _weights_db(belief: Posterior) -> Floats:
    """Decibans of each clue for each diagnosis [clue, diagnosis]: log odds with, minus without."""
    rows = belief.tables.loglik[[clue.row for clue in belief.clues]]
    shares = np.array([clue.share for clue in belief.clues])[:, None, None]
    without = _log_sum(belief.joint - shares * rows)
    change = _log_odds(_log_sum(belief.joint)) - _log_odds(without)
    weights: Floats = _DECIBANS_PER_NEPER * change
    return weights


def _log_odds(logs: Floats) -> Floats:
    """Log odds along the last axis from unnormalised log probabilities."""
    shifted = np.exp(logs - logs.max(axis=-1, keepdims=True))
    rest = np.maximum(shifted.sum(axis=-1, keepdims=True) - shifted, 1e-12)
    odds: Floats = np.log(np.maximum(shifted, 1e-300)) - np.log(rest)
    return odds


def _evidence(
    belief: Posterior, weights: Floats, columns: NDArray[np.int_]
) -> list[tuple[Evidence, ...]]:
    """The clues that weigh on some of the diagnoses, heaviest first."""
    labels, provenance = belief.tables.labels, belief.tables.provenance
    chosen = weights[:, columns].T.round(1)
    heaviest = np.argsort(-np.abs(chosen), axis=1, kind="stable").tolist()
    clues = [(c.finding, labels.get(c.finding.code, c.finding.code), c.row) for c in belief.clues]
    told = []
    for column, places, row in zip(columns.tolist(), heaviest, chosen.tolist(), strict=True):
        evidence = []
        for place in places:
            if not row[place]:
                break
            finding, label, source = clues[place]
            code, state, value = finding.code, finding.state, finding.value
            evidence.append(
                Evidence(code, label, state, value, row[place], provenance[source][column])
            )
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
