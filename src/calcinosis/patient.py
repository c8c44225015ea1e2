"""Who the patient is and what the blood says.

Derived here: albumin-corrected calcium, the calcium × phosphate product and the time it spent above
its two classic limits, trends, and dialysis vintage. Nothing is guessed: what was not given is
None.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import combinations, pairwise
from operator import attrgetter
from statistics import median
from typing import Any, Literal

from calcinosis.analyte import ANALYTES, Level, in_si, level_of
from calcinosis.lab_result import LabResult

Sex = Literal["F", "M"]
Ckd = Literal[
    "dialysis_hd",
    "dialysis_pd",
    "dialysis_unspecified",
    "ckd_unspecified",
    "ckd_nondialysis",
    "transplant",
    "none",
]

# K/DOQI 2003 guideline 6 asks for a product below 55 mg²/dL² (doi:10.1053/S0272-6386(03)00905-3);
# above 70 lies the classic threshold of precipitation, near the 72 above which dialysis mortality
# rose in Block 1998 (doi:10.1053/ajkd.1998.v31.pm9531176). Neither is validated as a diagnostic
# cut-off: tumoral calcinosis is published at products of 46 and 51.
CA_P_TARGET_MG2_DL2 = 55.0
CA_P_PRECIPITATION_MG2_DL2 = 70.0

# Payne 1973 (doi:10.1136/bmj.4.5893.643) as restated by K/DOQI 2003: 0.8 mg/dL per g/dL of albumin
# under 4. It misjudges ionised calcium in a third of CKD patients (Gauci 2008,
# doi:10.1681/ASN.2007040449), so ionised calcium is preferred where it was measured.
_CALCIUM_PER_ALBUMIN = 0.8
NORMAL_ALBUMIN_G_DL = 4.0

_PAIRING_DAYS = 7  # results this close are read together (our parameter: one dialysis week)
_BRIDGED_DAYS = 183  # a longer gap between results counts as not observed (our parameter)
_TREND_SHARE = 0.75  # share of result pairs that must rise (or fall) to speak of a trend (ours)


@dataclass(frozen=True)
class Trend:
    """How an analyte moves: Theil–Sen slope in canonical units per year over `n` results."""

    slope_per_year: float
    direction: Literal["rising", "falling", "steady"]
    n: int


@dataclass(frozen=True)
class ProductExposure:
    """Days spent above the two limits of the calcium × phosphate product, of those observed."""

    days_observed: float
    days_above_55: float
    days_above_70: float


@dataclass(frozen=True)
class Patient:
    """What is known about the patient beside the images.

    Attributes:
        age_years: age, or None.
        birth_date: where it was given; the middle of the year where only that was.
        sex: F or M.
        ckd: kidney status; None is not known, ``none`` is stated normal kidney function.
        dialysis_start: first day of dialysis.
        dialysis_vintage_years: as stated; `vintage_years` prefers the start date.
        family_history: of tumoral calcinosis.
        history: other conditions and procedures, True or False; not listed means not known. Keys:
            ``HISTORY``; trauma is an injury at the place of the mass.
        labs: results in canonical units.
        levels: wording of a report ("high") where no value was given.
        ranges: lowest and highest value where only a range was given, canonical units.
        passed_over: what the files held beside, as they name it, and is not used here.
    """

    age_years: float | None = None
    birth_date: date | None = None
    sex: Sex | None = None
    ckd: Ckd | None = None
    dialysis_start: date | None = None
    dialysis_vintage_years: float | None = None
    family_history: bool | None = None
    history: Mapping[str, bool] = field(default_factory=dict)
    labs: tuple[LabResult, ...] = ()
    levels: Mapping[str, Level] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()

    @property
    def on_dialysis(self) -> bool | None:
        """None where the kidney status is not known or does not tell."""
        if self.ckd is None or self.ckd == "ckd_unspecified":
            return None
        return self.ckd.startswith("dialysis")

    @property
    def kidney_disease(self) -> bool | None:
        """Chronic kidney disease, dialysis or transplant; None where not known."""
        return None if self.ckd is None else self.ckd != "none"

    def vintage_years(self) -> float | None:
        """Years on dialysis on the day of the latest result, or as stated."""
        days = [result.day for result in self.labs if result.day]
        if self.dialysis_start and days:
            return max(0.0, (max(days) - self.dialysis_start).days / 365.25)
        return self.dialysis_vintage_years

    def with_labs(
        self, labs: tuple[LabResult, ...], passed_over: tuple[str, ...] = ()
    ) -> "Patient":
        """The same patient with further results, and what else their file held."""
        unused = tuple(dict.fromkeys((*self.passed_over, *passed_over)))
        return replace(self, labs=(*self.labs, *labs), passed_over=unused)

    @cached_property
    def _by_analyte(self) -> dict[str, tuple[LabResult, ...]]:
        """Results per analyte, undated first, then in order of time."""
        grouped: dict[str, list[LabResult]] = {}
        for result in self.labs:
            grouped.setdefault(result.analyte, []).append(result)
        return {
            name: tuple(sorted(results, key=attrgetter("moment")))
            for name, results in grouped.items()
        }

    def series(self, analyte: str) -> tuple[LabResult, ...]:
        """Dated results in order of time."""
        return tuple(r for r in self._by_analyte.get(analyte, ()) if r.taken is not None)

    def latest(self, analyte: str) -> LabResult | None:
        """The most recent result; of the last day the first (before dialysis); else the undated."""
        results = self._by_analyte.get(analyte)
        if not results:
            return None
        if len(results) == 1:
            return results[0]
        return next(r for r in results if r.day == results[-1].day)

    def value(self, analyte: str) -> float | None:
        """The most recent value in its canonical unit; calcium products are derived if need be."""
        if analyte == "corrected_calcium":
            return self.corrected_calcium_mg_dl
        if analyte == "ca_p_product":
            return self.ca_p_product_mg2_dl2
        result = self.latest(analyte)
        return result.value if result else None

    def comparator(self, analyte: str) -> Literal["", "<", ">"]:
        """``<`` or ``>`` where the most recent value is only a bound, else nothing."""
        result = self.latest(analyte)
        if result is None and analyte == "corrected_calcium":
            result = self.latest("calcium")
        return result.comparator if result else ""

    def _near(self, analyte: str, result: LabResult) -> LabResult | None:
        """The result of another analyte drawn together with this one."""
        if result.day is None:
            return next((r for r in self._by_analyte.get(analyte, ()) if r.day is None), None)
        apart = [
            (abs((other.day - result.day).days), other)
            for other in self.series(analyte)
            if other.day
        ]
        days, other = min(apart, key=lambda pair: pair[0], default=(math.inf, None))
        return other if days <= _PAIRING_DAYS else None

    def _corrected(self, calcium: LabResult) -> float | None:
        albumin = self._near("albumin", calcium)
        if albumin is None:
            return None
        return corrected_for_albumin(calcium.value, albumin.value)

    def corrected(self, calcium: LabResult) -> LabResult:
        """A calcium result corrected for albumin drawn within a week; itself where none was."""
        value = self._corrected(calcium)
        return (
            calcium if value is None else replace(calcium, analyte="corrected_calcium", value=value)
        )

    @cached_property
    def corrected_calcium_mg_dl(self) -> float | None:
        """Albumin-corrected calcium: as measured by the laboratory, else after Payne 1973."""
        stated, calcium = self.latest("corrected_calcium"), self.latest("calcium")
        if stated and (calcium is None or not _later(calcium, stated)):
            return stated.value
        corrected = self._corrected(calcium) if calcium else None
        return corrected if corrected is not None or stated is None else stated.value

    @cached_property
    def ionized_calcium_mmol_l(self) -> float | None:
        """Ionised calcium; None where total or corrected calcium is more than a week newer."""
        ionized = self.latest("ionized_calcium")
        others = [r for name in ("calcium", "corrected_calcium") if (r := self.latest(name))]
        if ionized is None or any(
            (other.moment - ionized.moment).days > _PAIRING_DAYS for other in others
        ):
            return None
        return ionized.value

    @property
    def calcium_mg_dl(self) -> float | None:
        """Albumin-corrected calcium where it can be had, else total calcium."""
        corrected = self.corrected_calcium_mg_dl
        return corrected if corrected is not None else self.value("calcium")

    def _products(self) -> list[tuple[LabResult, float]]:
        """Every phosphate with its Ca×P, from corrected calcium where albumin is at hand."""
        found = []
        for phosphate in self._by_analyte.get("phosphate", ()):
            corrected = self._near("corrected_calcium", phosphate)
            calcium = self._near("calcium", phosphate)
            best = corrected.value if corrected else (self._corrected(calcium) if calcium else None)
            if best is None and calcium:
                best = calcium.value
            if best is not None:
                found.append((phosphate, best * phosphate.value))
        return found

    def ca_p_series(self) -> tuple[LabResult, ...]:
        """Dated Ca×P, one per day, stated by the laboratory or computed from a pair."""
        computed = [
            LabResult("ca_p_product", product, phosphate.taken)
            for phosphate, product in self._products()
            if phosphate.taken
        ]
        by_day: dict[date | None, LabResult] = {}
        stated = self.series("ca_p_product")
        for result in sorted((*stated, *computed), key=attrgetter("moment")):
            by_day.setdefault(result.day, result)
        return tuple(by_day.values())

    @cached_property
    def ca_p_product_mg2_dl2(self) -> float | None:
        """The most recent calcium × phosphate product, mg²/dL²."""
        dated = self.ca_p_series()
        if dated:
            return dated[-1].value
        stated = self.latest("ca_p_product")
        if stated:
            return stated.value
        return next((product for _, product in self._products()), None)

    def ca_p_exposure(self) -> ProductExposure | None:
        """Time above 55 and 70 mg²/dL², straight lines between results; None with fewer than two.

        Gaps longer than half a year are not bridged.
        """
        observed = above_target = above_precipitation = 0.0
        for first, second in pairwise(self.ca_p_series()):
            days = (second.moment - first.moment).total_seconds() / 86400
            if days > _BRIDGED_DAYS:
                continue
            observed += days
            pair = first.value, second.value
            above_target += days * _share_above(*pair, CA_P_TARGET_MG2_DL2)
            above_precipitation += days * _share_above(*pair, CA_P_PRECIPITATION_MG2_DL2)
        return ProductExposure(observed, above_target, above_precipitation) if observed else None

    def trend(self, analyte: str) -> Trend | None:
        """Theil–Sen slope of the dated results; None with fewer than three days of results."""
        series = self.ca_p_series() if analyte == "ca_p_product" else self.series(analyte)
        slopes = [
            (b.value - a.value) / days * 365.25
            for a, b in combinations(series, 2)
            if a.day and b.day and (days := (b.day - a.day).days) > 0
        ]
        n = len({result.day for result in series})
        if n < 3:
            return None
        rising = sum(slope > 0 for slope in slopes) / len(slopes)
        falling = sum(slope < 0 for slope in slopes) / len(slopes)
        direction: Literal["rising", "falling", "steady"] = "steady"
        if max(rising, falling) >= _TREND_SHARE:
            direction = "rising" if rising > falling else "falling"
        return Trend(median(slopes), direction, n)

    def level(self, analyte: str) -> Level | None:
        """Low, normal or high: from the value, else the range, else the report's wording.

        ``calcium`` is judged on ionised calcium if measured, then corrected, then total;
        ``ca_p_product`` is high above 55 mg²/dL².
        """
        if analyte == "ca_p_product":
            product = self.ca_p_product_mg2_dl2
            if product is not None:
                return "high" if product > CA_P_TARGET_MG2_DL2 else "normal"
            return self.levels.get(analyte)
        if analyte == "calcium":
            for name, value in (
                ("ionized_calcium", self.ionized_calcium_mmol_l),
                ("calcium", self.calcium_mg_dl),
            ):
                if value is not None:
                    return level_of(name, value, self.age_years)
        value = self.value(analyte)
        if value is not None:
            return level_of(analyte, value, self.age_years)
        return self._level_of_range(analyte) or self.levels.get(analyte)

    def _level_of_range(self, analyte: str) -> Level | None:
        if analyte not in self.ranges:
            return None
        low, high = (level_of(analyte, value, self.age_years) for value in self.ranges[analyte])
        return low if low == high else None

    def derived(self) -> dict[str, Any]:
        """Everything a reader wants beside the raw results, for ``result.json`` and the report."""
        exposure = self.ca_p_exposure()
        trends = {name: self.trend(name) for name in ANALYTES}
        return {
            "age_years": self.age_years,
            "sex": self.sex,
            "ckd": self.ckd,
            "dialysis_vintage_years": self.vintage_years(),
            "labs": {r.analyte: self._shown(r) for name in ANALYTES if (r := self.latest(name))},
            "corrected_calcium_mg_dl": self.corrected_calcium_mg_dl,
            "ca_p_product_mg2_dl2": self.ca_p_product_mg2_dl2,
            "ca_p_days_observed": exposure and exposure.days_observed,
            "ca_p_days_above_55": exposure and exposure.days_above_55,
            "ca_p_days_above_70": exposure and exposure.days_above_70,
            "trends": {
                name: {"slope_per_year": t.slope_per_year, "direction": t.direction, "n": t.n}
                for name, t in trends.items()
                if t
            },
            "passed_over": self.passed_over,
        }

    def _shown(self, result: LabResult) -> dict[str, Any]:
        si = in_si(result.analyte, result.value)
        return {
            "label": ANALYTES[result.analyte].label,
            "value": result.value,
            "unit": result.unit,
            "si_value": si and float(f"{si[0]:.6g}"),
            "si_unit": si and si[1],
            "comparator": result.comparator,
            "date": result.day.isoformat() if result.day else None,
            "level": level_of(result.analyte, result.value, self.age_years),
        }


# Conditions and procedures that change what may be done; SNOMED CT and ICD-10 codes in read/fhir.
HISTORY = (
    "parathyroidectomy",
    "transplantation",
    "calciphylaxis",
    "long_qt",
    "connective_tissue_disease",
    "sarcoidosis",
    "gout",
    "malignancy",
    "tuberculosis",
    "trauma",
)


def corrected_for_albumin(calcium_mg_dl: float, albumin_g_dl: float) -> float:
    """Total calcium as it would be with normal albumin, after Payne 1973."""
    return calcium_mg_dl + _CALCIUM_PER_ALBUMIN * (NORMAL_ALBUMIN_G_DL - albumin_g_dl)


def _later(first: LabResult, second: LabResult) -> bool:
    return first.moment.date() > second.moment.date()


def _share_above(first: float, second: float, limit: float) -> float:
    """Share of a straight line from first to second that runs above the limit."""
    low, high = sorted((first, second))
    if low >= limit:
        return 1.0
    if high <= limit:
        return 0.0
    return (high - limit) / (high - low)
