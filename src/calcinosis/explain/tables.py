"""The knowledge base as arrays: one row of log-likelihoods for everything that can be found.

Hypotheses are kidney setting x diagnosis. A finding picks a row; a case adds up its rows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from calcinosis.explain.knowledge import SETTINGS, Diagnosis, Knowledge, LogNormal, load_knowledge
from calcinosis.explain.learned import Learned, load_learned

Floats = NDArray[np.float64]
BINS = 64
AGES = np.arange(0, 101)
# A share of every quantity lies outside its distribution: odd patients, wrong units, typing.
_OUTLIERS, _OUTLIER_SPREAD = 0.06, 3.0
# Share of sites that lie where the entry does not say.
_OTHER_SITES = 0.10
_OTHER_AGES = 0.05
# How often a word for a value on dialysis is meant by the range of dialysis, and not by the
# laboratory's own. Expert prior.
_BY_DIALYSIS = 0.25
# The stated frequency of the diagnoses in a kidney setting counts as so many published cases.
PRIOR_CASES = 60.0
# An expert prior on sites or ages is worth so many patients; a series never more than so many.
_EXPERT_PATIENTS, _MOST_SITE_PATIENTS = 10.0, 30.0
# The log-likelihood of one row is never trusted to better or worse than this (standard deviation).
_MOST_UNCERTAIN = 1.0


@dataclass(frozen=True)
class Grid:
    """Consecutive rows for a number: logarithmic bins, or years of age."""

    first_row: int
    low: float
    high: float
    logarithmic: bool

    def row(self, value: float) -> int:
        """The row for `value`; values beyond the grid fall into its last bins."""
        if not self.logarithmic:
            return self.first_row + round(min(max(value, self.low), self.high))
        bounded = min(max(value, self.low), self.high)
        place = math.log(bounded / self.low) / math.log(self.high / self.low)
        return self.first_row + min(int(place * BINS), BINS - 1)


@dataclass
class _Rows:
    """Rows being gathered."""

    loglik: list[Floats] = field(default_factory=list)
    variance: list[Floats] = field(default_factory=list)
    provenance: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, likelihood: Floats, variance: Floats, provenance: tuple[str, ...]) -> int:
        """Add one row; `likelihood` [setting, diagnosis] or [diagnosis], `variance` [diagnosis]."""
        shape = (len(SETTINGS), len(variance))
        self.loglik.append(np.broadcast_to(np.log(np.maximum(likelihood, 1e-9)), shape))
        self.variance.append(np.minimum(variance, _MOST_UNCERTAIN**2))
        self.provenance.append(provenance)
        return len(self.loglik) - 1


@dataclass(frozen=True, eq=False)
class Tables:
    """Compiled knowledge.

    Attributes:
        names: diagnoses, in the order of every last axis.
        labels: of the findings, for people.
        prior: log P(setting, diagnosis) [setting, diagnosis].
        prior_variance: of its diagnosis part.
        loglik: log P(row | setting, diagnosis) [setting, row, diagnosis].
        variance: of the log-likelihoods, from the stated widths [row, diagnosis].
        provenance: per row, per diagnosis, where the number is from.
        rows: finding code and state, e.g. ``"pain:present"``, to row.
        grids: numeric finding to its rows.
        groups: finding to the group it shares meaning with.
        costs: finding to the cost of learning it.
        modalities: finding to the examination that tells it.
        settings: codes of the statements about the kidneys.
    """

    names: tuple[str, ...]
    labels: Mapping[str, str]
    prior: Floats
    prior_variance: Floats
    loglik: Floats
    variance: Floats
    provenance: tuple[tuple[str, ...], ...]
    rows: Mapping[str, int]
    grids: Mapping[str, Grid]
    groups: Mapping[str, str]
    costs: Mapping[str, int]
    modalities: Mapping[str, str]
    settings: frozenset[str]


@cache
def load_tables() -> Tables:
    """Compile the knowledge that ships with the package."""
    return compile_tables(load_knowledge(), load_learned())


def relearned(tables: Tables, knowledge: Knowledge, learned: Learned) -> Tables:
    """The same tables with other published cases behind the frequencies."""
    prior, variance = _prior(knowledge, learned)
    return replace(tables, prior=prior, prior_variance=variance)


def compile_tables(knowledge: Knowledge, learned: Learned) -> Tables:
    """Turn a knowledge base and what was learned from published cases into arrays."""
    rows = _Rows()
    index: dict[str, int] = {}
    grids: dict[str, Grid] = {}
    index |= _setting_rows(knowledge, rows)
    index |= _sign_rows(knowledge, rows)
    index |= _site_rows(knowledge, rows)
    index |= _naming_rows(knowledge, rows)
    grids["age"] = _age_grid(knowledge, rows)
    for code in [*knowledge.vocabulary.quantities, "ca_p_product"]:
        grids[code], words = _quantity_rows(knowledge, code, rows)
        index |= words
    prior, prior_variance = _prior(knowledge, learned)
    return Tables(
        names=tuple(knowledge.diagnoses),
        labels=_labels(knowledge),
        prior=prior,
        prior_variance=prior_variance,
        loglik=np.stack(rows.loglik, axis=1),
        variance=np.array(rows.variance),
        provenance=tuple(rows.provenance),
        rows=index,
        grids=grids,
        groups={c: s.group for c, s in knowledge.vocabulary.signs.items() if s.group},
        costs=_costs(knowledge),
        modalities=_modalities(knowledge),
        settings=frozenset(knowledge.vocabulary.settings.statements),
    )


def _prior(knowledge: Knowledge, learned: Learned) -> tuple[Floats, Floats]:
    unstated = knowledge.vocabulary.settings.unstated
    joint = np.empty((len(SETTINGS), len(knowledge.diagnoses)))
    variance = np.zeros(len(knowledge.diagnoses))
    for row, setting in enumerate(SETTINGS):
        stated = np.array([d.frequency[setting] for d in knowledge.diagnoses.values()])
        counted = np.array([learned.get(name, {}).get(setting, 0) for name in knowledge.diagnoses])
        total = PRIOR_CASES * stated / stated.sum() + counted
        share = total / total.sum()
        joint[row] = np.log(unstated[setting] * share)
        variance = np.maximum(variance, np.minimum((1 - share) / total, _MOST_UNCERTAIN**2 / 4))
    return joint, variance


def _setting_rows(knowledge: Knowledge, rows: _Rows) -> dict[str, int]:
    count, settings = len(knowledge.diagnoses), knowledge.vocabulary.settings
    ratio = np.array([settings.untold[s] / settings.unstated[s] for s in SETTINGS])[:, None]
    untold = np.broadcast_to(ratio, (len(SETTINGS), count))
    source = ("expert prior on kidney setting where nothing is told",) * count
    index = {"untold:present": rows.add(untold, np.zeros(count), source)}
    for statement, likelihood in knowledge.vocabulary.settings.statements.items():
        column = np.array([likelihood[setting] for setting in SETTINGS])[:, None]
        source = ("frequency by kidney setting, expert prior and published cases",) * count
        index[f"{statement}:present"] = rows.add(
            np.broadcast_to(column, (len(SETTINGS), count)), np.zeros(count), source
        )
        index[f"{statement}:absent"] = rows.add(
            np.broadcast_to(1 - column, (len(SETTINGS), count)), np.zeros(count), source
        )
    return index


def _sign_rows(knowledge: Knowledge, rows: _Rows) -> dict[str, int]:
    index = {}
    for code, sign in knowledge.vocabulary.signs.items():
        share, weight, provenance = [], [], []
        for diagnosis in knowledge.diagnoses.values():
            stated = diagnosis.signs.get(code, sign.usual)
            # A quarter of a patient of doubt on either side: nothing is impossible.
            weight.append(stated.patients + 0.5)
            share.append((stated.p * stated.patients + 0.25) / weight[-1])
            usual = "" if code in diagnosis.signs else ", as in calcified masses at large"
            provenance.append(stated.provenance + usual)
        p, n = np.array(share), np.array(weight)
        source = tuple(provenance)
        index[f"{code}:present"] = rows.add(p, (1 - p) / (p * n), source)
        index[f"{code}:absent"] = rows.add(1 - p, p / ((1 - p) * n), source)
    return index


def _site_rows(knowledge: Knowledge, rows: _Rows) -> dict[str, int]:
    words = knowledge.vocabulary
    background = np.array(list(words.sites.values()))
    background = background / background.sum()
    shares, weights, provenance = [], [], []
    for diagnosis in knowledge.diagnoses.values():
        stated = np.array([diagnosis.sites.get(site, 0.0) for site in words.sites])
        shares.append((1 - _OTHER_SITES) * stated / stated.sum() + _OTHER_SITES * background)
        weights.append(min(diagnosis.sites_n or _EXPERT_PATIENTS, _MOST_SITE_PATIENTS))
        provenance.append(
            f"{diagnosis.sites_source} (n = {diagnosis.sites_n})"
            if diagnosis.sites_source
            else "expert prior on sites"
        )
    p, n = np.array(shares), np.array(weights)
    return {
        f"site_{site}:present": rows.add(
            p[:, column], (1 - p[:, column]) / (p[:, column] * n), tuple(provenance)
        )
        for column, site in enumerate(words.sites)
    }


def _naming_rows(knowledge: Knowledge, rows: _Rows) -> dict[str, int]:
    """Whether phosphate is known decides between the names of primary tumoral calcinosis."""
    stated = np.array(
        [d.phosphate_stated.p if d.phosphate_stated else 0.5 for d in knowledge.diagnoses.values()]
    )
    source = ("the primary forms are named by phosphate",) * len(stated)
    nothing = np.zeros(len(stated))
    return {
        "phosphate_stated:present": rows.add(stated, nothing, source),
        "phosphate_stated:absent": rows.add(1 - stated, nothing, source),
    }


def _age_grid(knowledge: Knowledge, rows: _Rows) -> Grid:
    density, variance, provenance = [], [], []
    for diagnosis in knowledge.diagnoses.values():
        density.append(_age_density(diagnosis))
        # Densities are known least where they are thin: the error of a count of few.
        expected = density[-1] * len(AGES) * _EXPERT_PATIENTS / 20
        variance.append(0.15 / np.maximum(expected, 0.2))
        cited = {f"{p.source} (n = {p.n})" for p in diagnosis.age_years if p.source}
        provenance.append(", ".join(sorted(cited)) or "expert prior on age")
    table, doubt = np.array(density), np.array(variance)
    first = len(rows.loglik)
    for age in AGES:
        rows.add(table[:, age], doubt[:, age], tuple(provenance))
    return Grid(first, 0.0, float(AGES[-1]), logarithmic=False)


def _age_density(diagnosis: Diagnosis) -> Floats:
    density = np.zeros(len(AGES))
    for peak in diagnosis.age_years:
        bell = np.exp(-0.5 * ((AGES - peak.mean) / peak.sd) ** 2)
        density += peak.share * bell / bell.sum()
    mixed: Floats = (1 - _OTHER_AGES) * density + _OTHER_AGES / len(AGES)
    return mixed


def _quantity_rows(knowledge: Knowledge, code: str, rows: _Rows) -> tuple[Grid, dict[str, int]]:
    """Rows of one quantity in bins, and, for a lab, the words low, normal and high."""
    low, high = _span(knowledge, code)
    edges = np.geomspace(low, high, BINS + 1)
    centres = np.sqrt(edges[1:] * edges[:-1])
    shapes = [
        [_distribution(knowledge, code, name, setting) for name in knowledge.diagnoses]
        for setting in SETTINGS
    ]
    mass, z = _binned(shapes, centres)
    worth = np.array([shape.patients for shape in shapes[-1]])
    doubt = np.minimum((z[:, -1] ** 2 + (z[:, -1] ** 2 - 1) ** 2 / 2) / worth, 1.0)
    provenance = []
    for name, shape in zip(knowledge.diagnoses, shapes[-1], strict=True):
        listed = code in knowledge.diagnoses[name].quantities or code == "ca_p_product"
        usual = "" if listed else ", usual for the kidney setting"
        provenance.append(shape.provenance + usual)
    first = len(rows.loglik)
    for bin_ in range(BINS):
        rows.add(mass[bin_], doubt[bin_], tuple(provenance))
    words = {}
    for word, called in _called(knowledge, code, centres).items():
        share = 0.96 * (called[..., None] * mass).sum(axis=0) + 0.04 / 3
        spread = (1 - share.mean(axis=0)) / (share.mean(axis=0) * 10)
        words[f"{code}_{word}:present"] = rows.add(share, spread, tuple(provenance))
    return Grid(first, low, high, logarithmic=True), words


def _called(knowledge: Knowledge, code: str, centres: Floats) -> dict[str, Floats]:
    """The chance that a value is called low, normal or high [bin, setting].

    On dialysis the range of dialysis may be meant instead of the laboratory's.
    """
    limits = _limits(knowledge, code)
    if limits is None:
        return {}
    quantity = knowledge.vocabulary.quantities.get(code)
    apart = (quantity and quantity.range_on_dialysis) or limits
    usual, on_dialysis = (
        {
            "low": centres < low,
            "normal": (centres >= low) & (centres <= high),
            "high": centres > high,
        }
        for low, high in (limits, apart)
    )
    share = np.array([_BY_DIALYSIS if setting == "dialysis" else 0.0 for setting in SETTINGS])
    return {
        word: np.outer(usual[word], 1 - share) + np.outer(on_dialysis[word], share)
        for word in usual
    }


def _binned(shapes: list[list[LogNormal]], centres: Floats) -> tuple[Floats, Floats]:
    """Share of each bin and its distance from the median [bin, setting, diagnosis]."""
    median, spread = (
        np.array([[getattr(shape, field) for shape in row] for row in shapes])
        for field in ("median", "spread")
    )
    z: Floats = np.log(centres[:, None, None] / median) / np.log(spread)
    bell, wide = np.exp(-0.5 * z**2), np.exp(-0.5 * (z / _OUTLIER_SPREAD) ** 2)
    mixed: Floats = (1 - _OUTLIERS) * bell / bell.sum(axis=0) + _OUTLIERS * wide / wide.sum(axis=0)
    return mixed, z


def _distribution(knowledge: Knowledge, code: str, name: str, setting: str) -> LogNormal:
    if code == "ca_p_product":
        calcium = _distribution(knowledge, "calcium", name, setting)
        phosphate = _distribution(knowledge, "phosphate", name, setting)
        spread = math.exp(math.hypot(math.log(calcium.spread), math.log(phosphate.spread)))
        return LogNormal(median=calcium.median * phosphate.median, spread=spread)
    value = knowledge.diagnoses[name].quantities.get(code)
    if value is None:
        return knowledge.vocabulary.quantities[code].usual_in(setting)  # type: ignore[arg-type]
    return value[setting] if isinstance(value, dict) else value  # type: ignore[index]


def _span(knowledge: Knowledge, code: str) -> tuple[float, float]:
    return (6.0, 250.0) if code == "ca_p_product" else knowledge.vocabulary.quantities[code].grid


def _limits(knowledge: Knowledge, code: str) -> tuple[float, float] | None:
    # 55 mg²/dL² is the upper limit advised on dialysis (KDOQI 2003, PMID 14520607).
    return (20.0, 55.0) if code == "ca_p_product" else knowledge.vocabulary.quantities[code].range


def _labels(knowledge: Knowledge) -> dict[str, str]:
    words = knowledge.vocabulary
    labels = {name: diagnosis.label for name, diagnosis in knowledge.diagnoses.items()}
    labels |= {code: sign.label for code, sign in words.signs.items()} | words.settings.labels
    for code, quantity in words.quantities.items():
        labels[code] = quantity.label
        for word in ("low", "normal", "high"):
            labels[f"{code}_{word}"] = f"{quantity.label} {word}"
    for word in ("low", "normal", "high"):
        labels[f"ca_p_product_{word}"] = f"Calcium × phosphate {word}"
    labels |= {f"site_{site}": f"Site: {site.replace('_', ' ')}" for site in words.sites}
    labels["phosphate_stated"] = "Phosphate known"
    return labels | {"age": "Age", "ca_p_product": "Calcium × phosphate"}


def _costs(knowledge: Knowledge) -> dict[str, int]:
    words = knowledge.vocabulary
    return {c: s.cost for c, s in words.signs.items()} | {
        c: q.cost for c, q in words.quantities.items()
    }


def _modalities(knowledge: Knowledge) -> dict[str, str]:
    words = knowledge.vocabulary
    return {c: s.modality for c, s in words.signs.items()} | {
        c: q.modality for c, q in words.quantities.items()
    }
