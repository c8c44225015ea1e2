"""Blood tests of mineral metabolism: names, LOINC codes, units, and what a value can be.

Canonical units are those in which the dialysis literature speaks (mg/dL, pg/mL); SI units are
converted on intake. Factors for calcium, phosphate and PTH: 1 mmol/L calcium = 4.008 mg/dL,
1 mmol/L phosphate = 3.097 mg/dL as phosphorus, 1 pmol/L PTH = 9.43 pg/mL; the others follow from
molar masses (25-hydroxyvitamin D 400.6, calcitriol 416.6, creatinine 113.1, urate 168.1 g/mol,
albumin 66.5 kg/mol).

``possible`` is our own wide fence around values seen in living patients: a value outside it is a
slip of unit or decimal point, and is refused. It is no reference interval.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

from calcinosis.errors import InputError

Level = Literal["low", "normal", "high"]


@dataclass(frozen=True)
class Analyte:
    """One blood test.

    Attributes:
        name: key used throughout, e.g. ``phosphate``.
        label: how it is written for a reader.
        unit: canonical unit.
        units: for every accepted unit (normalised), the factor to the canonical unit.
        possible: lowest and highest value of a living patient, canonical unit.
        reference: adult reference interval, canonical unit; None where it depends on the assay.
        si: the SI unit to show beside, or None where the canonical unit is the SI one.
        loinc: LOINC codes; ``mass`` and ``moles`` tell which kind of unit belongs to the code.
        synonyms: further names met in laboratory files.
    """

    name: str
    label: str
    unit: str
    units: dict[str, float]
    possible: tuple[float, float]
    reference: tuple[float | None, float | None] | None = None
    si: str | None = None
    loinc: tuple[tuple[str, str], ...] = ()
    synonyms: tuple[str, ...] = ()


_CALCIUM = {"mg/dl": 1.0, "mmol/l": 4.008, "meq/l": 2.004}
_PHOSPHATE_OF_ADULTS = (2.5, 4.5)
_CALCIUM_REFERENCE = (8.4, 10.2)  # K/DOQI 2003, doi:10.1053/S0272-6386(03)00905-3

_TABLE = (
    Analyte(
        "calcium",
        "calcium",
        "mg/dL",
        _CALCIUM,
        (3.0, 25.0),
        _CALCIUM_REFERENCE,
        "mmol/L",
        (("17861-6", "mass"), ("2000-8", "moles")),
        ("ca", "total calcium", "serum calcium", "calcium total"),
    ),
    Analyte(
        "corrected_calcium",
        "albumin-corrected calcium",
        "mg/dL",
        _CALCIUM,
        (3.0, 25.0),
        _CALCIUM_REFERENCE,
        "mmol/L",
        (("29265-6", "moles"),),
        ("adjusted calcium", "albumin corrected calcium", "calcium corrected for albumin"),
    ),
    Analyte(
        "ionized_calcium",
        "ionised calcium",
        "mmol/L",
        {"mmol/l": 1.0, "mg/dl": 1 / 4.008, "meq/l": 0.5},
        (0.3, 5.0),
        (1.12, 1.32),  # Tietz; narrow differences between analysers are ignored
        None,
        (("1995-0", "moles"), ("1994-3", "moles")),
        ("ionised calcium", "ionized ca", "ica", "free calcium"),
    ),
    Analyte(
        "albumin",
        "albumin",
        "g/dL",
        {"g/dl": 1.0, "g/l": 0.1, "umol/l": 0.00665},
        (0.5, 8.0),
        (3.5, 5.0),
        "g/L",
        (("1751-7", "mass"), ("54347-0", "moles")),
        ("alb", "serum albumin"),
    ),
    Analyte(
        "phosphate",
        "phosphate",
        "mg/dL",
        {"mg/dl": 1.0, "mmol/l": 3.097},
        (0.2, 30.0),
        _PHOSPHATE_OF_ADULTS,
        "mmol/L",
        (("2777-1", "mass"), ("14879-1", "moles")),
        ("phosphorus", "p", "po4", "inorganic phosphate", "serum phosphate"),
    ),
    Analyte(
        "ca_p_product",
        "calcium × phosphate product",
        "mg²/dL²",
        {"mg2/dl2": 1.0, "mmol2/l2": 12.413},
        (2.0, 400.0),
        None,
        "mmol²/L²",
        (),
        ("ca x p", "ca*p", "ca×p", "calcium phosphate product", "calcium phosphorus product"),
    ),
    Analyte(
        "pth",
        "parathyroid hormone (intact)",
        "pg/mL",
        {"pg/ml": 1.0, "ng/l": 1.0, "pmol/l": 9.43},
        (0.0, 20000.0),
        (10.0, 65.0),  # K/DOQI 2003, intact assay
        "pmol/L",
        (("2731-8", "mass"), ("14866-4", "moles")),
        ("ipth", "intact pth", "parathyroid hormone", "parathormone", "parathyrin"),
    ),
    Analyte(
        "alp",
        "alkaline phosphatase",
        "U/L",
        {"u/l": 1.0, "iu/l": 1.0, "ukat/l": 60.0},
        (1.0, 20000.0),
        (40.0, 130.0),
        None,
        (("6768-6", ""),),
        ("alkaline phosphatase", "ap", "alk phos"),
    ),
    Analyte(
        "vit_d25",
        "25-hydroxyvitamin D",
        "ng/mL",
        {"ng/ml": 1.0, "ug/l": 1.0, "nmol/l": 1 / 2.496},
        (0.5, 3000.0),
        (20.0, 100.0),  # Endocrine Society 2011, doi:10.1210/jc.2011-0385
        "nmol/L",
        (("1989-3", "mass"), ("62292-8", "mass"), ("14635-7", "moles")),
        (
            "25ohd",
            "25(oh)d",
            "25-oh-d",
            "25-oh vitamin d",
            "25-oh-vitamin d",
            "25-hydroxyvitamin d",
            "vitamin d 25-hydroxy",
        ),
    ),
    Analyte(
        "vit_d125",
        "1,25-dihydroxyvitamin D",
        "pg/mL",
        {"pg/ml": 1.0, "ng/l": 1.0, "pmol/l": 1 / 2.4},
        (0.5, 1000.0),
        (18.0, 72.0),
        "pmol/L",
        (("1649-3", "mass"),),
        ("calcitriol", "1,25(oh)2d", "1,25-dihydroxyvitamin d"),
    ),
    Analyte(
        "fgf23",
        "FGF23 (intact)",
        "pg/mL",
        {"pg/ml": 1.0, "ng/l": 1.0},
        (0.0, 1e6),
        None,
        None,
        (),
        ("intact fgf23", "ifgf23", "fgf-23"),
    ),
    Analyte(
        "creatinine",
        "creatinine",
        "mg/dL",
        {"mg/dl": 1.0, "umol/l": 1 / 88.42},
        (0.05, 60.0),
        (0.5, 1.3),
        "µmol/L",
        (("2160-0", "mass"), ("14682-9", "moles")),
        ("crea", "serum creatinine"),
    ),
    Analyte(
        "egfr",
        "estimated glomerular filtration rate",
        "mL/min/1.73 m²",
        {"ml/min/1.73m2": 1.0, "ml/min": 1.0},
        (0.0, 250.0),
        (60.0, None),  # KDIGO 2012 definition of chronic kidney disease
        None,
        (("62238-1", ""), ("98979-8", ""), ("33914-3", "")),
        ("gfr", "estimated gfr"),
    ),
    Analyte(
        "urate",
        "urate",
        "mg/dL",
        {"mg/dl": 1.0, "umol/l": 1 / 59.48, "mmol/l": 16.81},
        (0.1, 40.0),
        (2.4, 7.0),
        "µmol/L",
        (("3084-1", "mass"), ("14933-6", "moles")),
        ("uric acid",),
    ),
    Analyte(
        "crp",
        "C-reactive protein",
        "mg/L",
        {"mg/l": 1.0, "mg/dl": 10.0},
        (0.0, 1000.0),
        (None, 5.0),
        None,
        (("1988-5", "mass"),),
        ("c-reactive protein", "c reactive protein"),
    ),
    Analyte(
        "bicarbonate",
        "bicarbonate",
        "mmol/L",
        {"mmol/l": 1.0, "meq/l": 1.0},
        (1.0, 80.0),
        (22.0, 29.0),
        None,
        (("1963-8", "moles"), ("2028-9", "moles")),
        ("hco3", "total co2", "tco2"),
    ),
    Analyte(
        "qtc",
        "corrected QT interval",
        "ms",
        {"ms": 1.0, "msec": 1.0, "s": 1000.0},
        (200.0, 900.0),
        (None, 460.0),
        None,
        (("8636-3", ""),),
        ("qtc interval",),
    ),
)

ANALYTES: dict[str, Analyte] = {analyte.name: analyte for analyte in _TABLE}
_BY_CODE: dict[str, tuple[Analyte, str]] = {
    code: (analyte, kind) for analyte in _TABLE for code, kind in analyte.loinc
}
_BY_NAME: dict[str, Analyte] = {
    name.lower(): analyte
    for analyte in _TABLE
    for name in (analyte.name, analyte.name.replace("_", " "), analyte.label, *analyte.synonyms)
}


def find_analyte(name_or_loinc: str) -> Analyte:
    """The analyte of a LOINC code or a name in common use (case does not matter).

    Raises:
        InputError: neither a code nor a name we know.
    """
    key = name_or_loinc.strip().lower()
    if key in _BY_CODE:
        return _BY_CODE[key][0]
    if key in _BY_NAME:
        return _BY_NAME[key]
    raise InputError(
        f"analyte {name_or_loinc.strip()!r} is not known; "
        f"expected a LOINC code or one of {', '.join(ANALYTES)}"
    )


def is_known(name_or_loinc: str) -> bool:
    """Whether `find_analyte` knows it."""
    key = name_or_loinc.strip().lower()
    return key in _BY_CODE or key in _BY_NAME


def _normalised(unit: str) -> str:
    unit = unit.strip().lower().replace("µ", "u").replace("μ", "u").replace("²", "2")
    for unwanted in " ^[](){}_":
        unit = unit.replace(unwanted, "")
    return unit


def to_canonical(name_or_loinc: str, value: float, unit: str | None) -> float:
    """Convert a value to the analyte's canonical unit, refusing what cannot be.

    Raises:
        InputError: no unit, a unit the analyte is not measured in, a unit that contradicts the
            LOINC code (mass for moles), or a value no living patient has.
    """
    analyte = find_analyte(name_or_loinc)
    if unit is None or not unit.strip():
        raise InputError(
            f"{analyte.label} {value:g} has no unit; expected {analyte.unit}"
            + (f" or {analyte.si}" if analyte.si else "")
        )
    factor = analyte.units.get(_normalised(unit))
    if factor is None:
        raise InputError(
            f"{analyte.label} is not measured in {unit.strip()!r}; "
            f"expected {analyte.unit}" + (f" or {analyte.si}" if analyte.si else "")
        )
    kind = _BY_CODE.get(name_or_loinc.strip(), (analyte, ""))[1]
    is_molar = "mol" in unit.lower() or "eq" in unit.lower()
    if kind and is_molar != (kind == "moles"):
        raise InputError(
            f"LOINC {name_or_loinc.strip()} is {analyte.label} in "
            f"{'moles' if kind == 'moles' else 'mass'} per volume, but the unit is {unit.strip()!r}"
        )
    return _possible(analyte, value, unit, value * factor)


def _possible(analyte: Analyte, value: float, unit: str, canonical: float) -> float:
    lowest, highest = analyte.possible
    if math.isfinite(value) and lowest <= canonical <= highest:
        return canonical
    others = [
        other
        for other, factor in analyte.units.items()
        if math.isfinite(value)
        and factor != analyte.units[_normalised(unit)]
        and lowest <= value * factor <= highest
    ]
    raise InputError(
        f"{analyte.label} {value:g} {unit.strip()} is impossible; expected "
        f"{lowest:g} to {highest:g} {analyte.unit}"
        + (f" (is it in {others[0].replace('/l', '/L').replace('/dl', '/dL')}?)" if others else "")
    )


def in_si(name: str, value: float) -> tuple[float, str] | None:
    """A canonical value in the SI unit shown beside it, or None where they are the same."""
    factor, unit = _si(name)
    return None if unit is None else (value / factor, unit)


@cache
def _si(name: str) -> tuple[float, str | None]:
    analyte = ANALYTES[name]
    return (
        (1.0, None) if analyte.si is None else (analyte.units[_normalised(analyte.si)], analyte.si)
    )


# Lower and upper phosphate of healthy children below an age in years, mg/dL: K/DOQI, bone
# metabolism in children with chronic kidney disease, Am J Kidney Dis 2005; 46(4) suppl 1, table of
# normal values by age: 0-5 and 6-12 months, 1-5 and 6-12 years; from 13 years as in adults.
_PHOSPHATE_BY_AGE = ((0.5, 5.2, 8.4), (1.0, 5.0, 7.8), (6.0, 4.5, 6.5), (13.0, 3.6, 5.8))


def phosphate_interval(age_years: float | None) -> tuple[float, float]:
    """Reference interval of phosphate, mg/dL; an age that is not known is taken as adult."""
    for below, low, high in _PHOSPHATE_BY_AGE:
        if age_years is not None and age_years < below:
            return low, high
    return _PHOSPHATE_OF_ADULTS


def is_judged_at(name: str, age_years: float | None) -> bool:
    """Whether a value can be judged at this age; an age that is not known is taken as adult.

    Alkaline phosphatase and creatinine of children depend on age and sex in ways we do not model:
    not under 18 years.
    """
    return not (name in {"alp", "creatinine"} and age_years is not None and age_years < 18)


def reference_interval(
    name: str, age_years: float | None
) -> tuple[float | None, float | None] | None:
    """Reference interval in canonical units; phosphate is higher in children.

    None for what is not judged at this age, see `is_judged_at`.
    """
    if name == "phosphate":
        return phosphate_interval(age_years)
    return ANALYTES[name].reference if is_judged_at(name, age_years) else None


def level_of(name: str, value: float, age_years: float | None = None) -> Level | None:
    """Low, normal or high against the reference interval; None where there is none."""
    interval = reference_interval(name, age_years)
    if interval is None:
        return None
    low, high = interval
    if low is not None and value < low:
        return "low"
    if high is not None and value > high:
        return "high"
    return "normal"
