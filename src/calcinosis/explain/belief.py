"""Bayes' rule over kidney setting x diagnosis, for many cases at once.

Every array has the case as its first axis. What is not known has no weight: neither for nor
against.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calcinosis.explain.findings import Contradiction
from calcinosis.explain.tables import Tables
from calcinosis.finding import Finding

Floats = NDArray[np.floating]
# Several sites of one patient, or several signs of one group, each count less: k of them together
# weigh as the square root of k.
_SHARED = 0.5
# A scan carries age and sex; whoever tells more of the patient would mention diseased kidneys.
_TOLD_BY_ANY_SCAN = frozenset({"age", "female"})
# The share of cases that no weighing of findings can tell: a diagnosis outside the vocabulary, a
# finding misread or miscoded, two diseases in one mass. With every number of the knowledge moved
# by its width, 2 to 4 % of the answers above 95 % were wrong (docs/diagnosis.md).
DOUBT = 0.02
_DRAWS = 128
_NOISE = np.random.default_rng(20).standard_normal((64, _DRAWS)).astype(np.float32)
_DECIBANS_PER_NEPER = 10 / math.log(10)
_UNTOLD = Finding("untold", "present", "reported", "history")
_NAMED = Finding("phosphate_stated", "present", "reported", "history")
_NOT_NAMED = Finding("phosphate_stated", "absent", "reported", "history")


class Clue(NamedTuple):
    """A finding that has a row in the tables, and the share of its weight that counts."""

    finding: Finding
    row: int
    share: float


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of one case: log P(setting, diagnosis) [setting, diagnosis], and why."""

    joint: Floats
    clues: tuple[Clue, ...]
    tables: Tables

    @cached_property
    def known(self) -> frozenset[str]:
        """Codes of the findings already used, words such as ``phosphate_high`` by their lab."""
        codes = {clue.finding.code for clue in self.clues} - {"phosphate_stated"}
        kidney = {"kidney_function"} if codes & self.tables.settings else set()
        mineral = {"calcified", "ossified"} if codes & {"calcified", "ossified"} else set()
        return frozenset(codes | {code.rsplit("_", 1)[0] for code in codes} | kidney | mineral)


@dataclass(frozen=True, eq=False)
class Weighing:
    """Several cases weighed together.

    Attributes:
        beliefs: one per case.
        probability, low, high: of every diagnosis, with its 90 % spread [case, diagnosis].
        weight_db: weight of each clue for each diagnosis [case, clue, diagnosis], see `weigh`.
    """

    beliefs: tuple[Belief, ...]
    probability: Floats
    low: Floats
    high: Floats
    weight_db: Floats


def weigh(cases: Sequence[tuple[Clue, ...]], tables: Tables) -> Weighing:
    """Weigh the clues of several cases.

    The weight of a clue is in decibans, 10 log10 of a factor by which the odds of the diagnosis
    change (Good, Biometrika 1979, doi:10.1093/biomet/66.2.393). The mean of two changes is taken:
    where the clue is all that is known, and where all the others are known before it. Either alone
    misleads: the first counts what several clues say together once for each, the second calls
    nothing what another clue says too.
    """
    rows = np.zeros((len(cases), max(map(len, cases))), int)
    shares = np.zeros((*rows.shape, 1))  # a case with fewer clues is filled up with weightless ones
    for case, clues in enumerate(cases):
        rows[case, : len(clues)] = [clue.row for clue in clues]
        shares[case, : len(clues), 0] = [clue.share for clue in clues]
    pushed = shares * tables.loglik[:, rows]
    joint = tables.prior[:, None] + pushed.sum(axis=2)
    joint -= joint.max(axis=(0, 2), keepdims=True)
    joint -= np.log(np.exp(joint).sum(axis=(0, 2), keepdims=True))
    marginal = _log_sum(joint)
    probability = with_doubt(np.exp(marginal))
    variance = tables.prior_variance + (shares**2 * tables.variance[rows]).sum(axis=1)
    low, high = _spread(marginal, variance)
    return Weighing(
        tuple(Belief(joint[:, at], clues, tables) for at, clues in enumerate(cases)),
        probability,
        np.minimum(low, probability),
        np.maximum(high, probability),
        _weights_db(tables.prior, pushed, joint),
    )


def with_doubt(probability: Floats) -> Floats:
    """Probabilities over the vocabulary (last axis), no surer than a case can be known."""
    doubtful: Floats = (1 - DOUBT) * probability + DOUBT / probability.shape[-1]
    return doubtful


def _log_sum(logs: Floats) -> Floats:
    """Sum over settings, the first axis, in logarithms."""
    peak = logs.max(axis=0)
    total: Floats = np.log(np.exp(logs - peak).sum(axis=0)) + peak
    return total


def _spread(marginal: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """The 5th and 95th percentile of each probability when every number wavers by its width."""
    widths = np.sqrt(variance).astype(np.float32)
    noise = _NOISE[: marginal.shape[-1]]
    drawn = marginal.astype(np.float32)[..., None] + widths[..., None] * noise
    drawn -= drawn.max(axis=-2, keepdims=True)
    np.exp(drawn, out=drawn)
    drawn /= drawn.sum(axis=-2, keepdims=True)
    drawn.sort(axis=-1)
    cut = round(0.05 * _DRAWS)
    size = marginal.shape[-1]
    low, high = drawn[..., cut], drawn[..., -1 - cut]
    return (1 - DOUBT) * low + DOUBT / size, (1 - DOUBT) * high + DOUBT / size


def _weights_db(prior: Floats, pushed: Floats, joint: Floats) -> Floats:
    """Decibans of every clue [case, clue, diagnosis] from what it pushed, settings first."""
    before, after = _log_sum(prior), _log_sum(joint)
    alone = _log_odds(_log_sum(prior[:, None, None] + pushed)) - _log_odds(before)
    last = _log_odds(after)[:, None] - _log_odds(_log_sum(joint[:, :, None] - pushed))
    weights: Floats = _DECIBANS_PER_NEPER * (alone + last) / 2
    return weights


def _log_odds(logs: Floats) -> Floats:
    """Log odds along the last axis from unnormalised log probabilities."""
    shifted = np.exp(logs - logs.max(axis=-1, keepdims=True))
    rest = np.maximum(shifted.sum(axis=-1, keepdims=True) - shifted, 1e-12)
    odds: Floats = np.log(np.maximum(shifted, 1e-300)) - np.log(rest)
    return odds


def clues_of(
    findings: Sequence[Finding], disputed: Sequence[Contradiction], tables: Tables
) -> tuple[Clue, ...]:
    """Pick the rows; a sign called present and absent by two voices is left out."""
    left_out = {dispute.code for dispute in disputed}
    by_code: dict[str, Finding] = {}
    for finding in findings:
        if finding.state == "unknown" or finding.code in left_out:
            continue
        earlier = by_code.get(finding.code)
        if earlier is None or _tells_more(finding, earlier):
            by_code[finding.code] = finding
    if "ossified" in by_code:  # our own CT finds calcium, and does not tell bone from it
        by_code.pop("calcified", None)
    picked = [(f, row) for f in by_code.values() if (row := _row(f, tables)) is not None]
    families = [_family(f.code, tables) for f, _ in picked]
    clues = [
        Clue(f, row, math.pow(families.count(family), _SHARED - 1))
        for (f, row), family in zip(picked, families, strict=True)
    ]
    if all(f.origin == "measured" or f.code in _TOLD_BY_ANY_SCAN for f in by_code.values()):
        clues.append(Clue(_UNTOLD, tables.rows["untold:present"], 1.0))
    naming = _NAMED if any(code.startswith("phosphate") for code in by_code) else _NOT_NAMED
    clues.append(Clue(naming, tables.rows[f"phosphate_stated:{naming.state}"], 1.0))
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
