"""What the pages say of a study, in words."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from calcinosis.analyte import ANALYTES, in_si, level_of
from calcinosis.lab_result import LabResult
from calcinosis.measure.mass import Point, Site
from calcinosis.measure.seed import seeds_named, told_of_doubt
from calcinosis.serve.worklist import StudyEntry
from calcinosis.write.explanation.wording import percent
from calcinosis.write.report.numbers import hydroxyapatite, number, plural, quantity
from calcinosis.write.report.wording import person_name, place

ABOUT_FILES = {
    "report.html": "Report: one page, works offline, prints",
    "result.json": "Every number, for programs",
    "follow.html": "Comparison with the earlier scan: one page",
    "follow.json": "What became of each mass, for programs",
    "forecast.csv": "Forecast day by day, as a table",
    "masses.nii.gz": "Masses as a label map (NIfTI)",
    "masses.seg.dcm": "Contours for PACS (DICOM SEG)",
    "measurements.sr.dcm": "Measurements for PACS (DICOM SR)",
    "bundle.fhir.json": "Observations for the record (FHIR R4)",
}
_STATES = {
    "receiving": "Receiving",
    "queued": "Waiting",
    "analysing": "Analysing",
    "done": "Done",
    "failed": "Failed",
}
_MEASURE, _OUTLINE = "Measure as a mass", "Outline again from here"  # what a seed asks for
_RANKED, _LEAST = 5, 0.01  # diagnoses on a study's page; the report has all


@dataclass(frozen=True)
class MassLine:
    """One mass of the table, by the number that the report and the outlines give it."""

    number: int
    site: str
    volume: str
    hydroxyapatite: str
    diameter: str
    levels: str


@dataclass(frozen=True)
class DiagnosisLine:
    """One diagnosis of the list: its probability, in words too, and the 90 % spread."""

    label: str
    probability: float
    percent: str
    spread: str


@dataclass(frozen=True)
class OutlookLine:
    """What one treatment would do, from the forecast."""

    name: str
    product: str
    chance_below_target: str
    chance_halved: str
    left_out: str


@dataclass(frozen=True)
class Doubt:
    """What a remark leaves open, the points that settle it, and what they ask for."""

    told: str
    seeds: tuple[Point, ...]
    words: str


@dataclass(frozen=True)
class Comparison:
    """What became of the masses since an earlier scan."""

    apart: str
    summary: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Brief:
    """The results in brief, from result.json."""

    finding: str
    masses: tuple[MassLine, ...]
    diagnoses: tuple[DiagnosisLine, ...]
    red_flags: tuple[str, ...]
    suggested: tuple[str, ...]
    remarks: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    product: str | None
    outlook: tuple[OutlookLine, ...]
    horizon: str
    comparison: Comparison | None

    @property
    def leading(self) -> str:
        """The most probable diagnosis with its percentage."""
        if not self.diagnoses:
            return ""
        first = self.diagnoses[0]
        return f"{first.label}: {first.percent}"


@dataclass(frozen=True)
class StudyView:
    """One study as the pages show it."""

    entry: StudyEntry
    name: str
    date: str
    state: str
    percent: int
    received: str
    finished: str
    brief: Brief | None

    @property
    def active(self) -> bool:
        """Whether it will change without anybody doing anything."""
        return self.entry.state in {"receiving", "queued", "analysing"}

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What may be a mass and was not asked for yet."""
        asked = set(self.entry.seeds_lps_mm)
        every = self.brief.doubts if self.brief else ()
        left = (
            replace(doubt, seeds=tuple(seed for seed in doubt.seeds if seed not in asked))
            for doubt in every
        )
        return tuple(doubt for doubt in left if doubt.seeds)


@dataclass(frozen=True)
class FileLine:
    """One file to download."""

    name: str
    about: str
    size: str


def study_view(entry: StudyEntry, results: Path | None) -> StudyView:
    """A study for the worklist or its own page.

    Args:
        entry: of the worklist.
        results: folder of its latest results, or None.
    """
    return StudyView(
        entry=entry,
        name=person_name(entry.patient_name) or entry.patient_id or f"Study {entry.id[:6]}",
        date=_day(entry.study_date),
        state=_STATES[entry.state],
        percent=round(100 * entry.progress),
        received=moment(entry.received_at),
        finished=moment(entry.finished_at),
        brief=None if results is None else _brief(results),
    )


def moment(seconds: float | None) -> str:
    """Seconds since 1970 as local date and time, to the minute."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def file_lines(results: Path | None) -> list[FileLine]:
    """The files of a results folder: those for people first."""
    if results is None or not results.is_dir():
        return []
    names = list(ABOUT_FILES)
    files = [file for file in results.iterdir() if file.is_file()]
    files.sort(key=lambda f: (names.index(f.name) if f.name in names else len(names), f.name))
    return [FileLine(f.name, ABOUT_FILES.get(f.name, ""), _size(f.stat().st_size)) for f in files]


def result_line(result: LabResult) -> tuple[str, str, str, str]:
    """Day, test, value in both units, and level of one laboratory result."""
    analyte = ANALYTES[result.analyte]
    value = f"{result.comparator}{number(result.value)} {result.unit}"
    si = in_si(result.analyte, result.value)
    shown = f"{value} ({result.comparator}{number(si[0])} {si[1]})" if si else value
    level = level_of(result.analyte, result.value) or ""
    label = analyte.label[:1].upper() + analyte.label[1:]
    return str(result.day or "no date"), label, shown, level


@lru_cache(maxsize=2000)
def _brief(results: Path) -> Brief | None:
    """A run's folder never changes, so it is read once."""
    try:
        record = json.loads((results / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    masses = record["masses"]
    total_ml = sum(mass["volume_ml"] for mass in masses)
    count = "One calcified mass" if len(masses) == 1 else f"{len(masses)} calcified masses"
    options = (record["forecast"] or {}).get("options", [])
    product = (record["patient"] or {}).get("ca_p_product_mg2_dl2")
    return Brief(
        finding=f"{count}, {quantity(total_ml, 'mL')}" if masses else "No calcified mass",
        masses=tuple(_mass_line(mass) for mass in masses),
        diagnoses=tuple(_diagnosis_line(each) for each in _likeliest(record["differential"] or [])),
        red_flags=tuple(flag["label"] for flag in record["red_flags"]),
        suggested=tuple(
            option["label"] for option in record["plan"] or [] if option["standing"] == "suggested"
        ),
        remarks=(*record["series"]["remarks"], *record["remarks"]),
        doubts=(*_doubts(record, _MEASURE), *(d for m in masses for d in _doubts(m, _OUTLINE))),
        product=None if product is None else f"{product:.0f} mg²/dL²",
        outlook=tuple(_outlook_line(option) for option in options),
        horizon=f"{options[0]['outcomes']['horizon_days']:.0f} days" if options else "",
        comparison=_comparison(results),
    )


def _comparison(results: Path) -> Comparison | None:
    try:
        record = json.loads((results / "follow.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    days = record["days"]
    apart = "an earlier CT" if days is None else f"the CT {plural(days, 'day')} before"
    return Comparison(apart, record["summary"], tuple(record["remarks"]))


def _doubts(record: Mapping[str, Any], words: str) -> Iterator[Doubt]:
    """Remarks that name seeds, each up to where it says what to do about it."""
    for remark in record["remarks"]:
        if seeds := seeds_named(remark):
            yield Doubt(told_of_doubt(remark), seeds, words)


def _likeliest(ranked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first, and what is above one in a hundred."""
    return ranked[:1] + [each for each in ranked[1:_RANKED] if each["probability"] >= _LEAST]


def _mass_line(mass: Mapping[str, Any]) -> MassLine:
    site = mass["site"]
    where = place(Site(**site) if site else None, mass["bone"]["nearest"])
    diameters = mass["max_diameter_mm"], mass["perpendicular_diameter_mm"]
    return MassLine(
        number=mass["id"],
        site=where[:1].upper() + where[1:],
        volume=quantity(mass["volume_ml"], "mL", tuple(mass["volume_ci95_ml"])),
        hydroxyapatite=hydroxyapatite(mass["calcium_mass_mg"], tuple(mass["calcium_mass_ci95_mg"])),
        diameter=f"{number(diameters[0], 0)} × {number(diameters[1], 0)} mm",
        levels=str(len(mass["fluid_levels"])),
    )


def _diagnosis_line(each: Mapping[str, Any]) -> DiagnosisLine:
    low, high = percent(each["low"]), percent(each["high"])
    spread = "" if low == high else f"{low} to {high}"
    return DiagnosisLine(each["label"], each["probability"], percent(each["probability"]), spread)


def _outlook_line(option: Mapping[str, Any]) -> OutlookLine:
    seen = option["outcomes"]
    halved = seen["chance_deposit_halved"]
    return OutlookLine(
        name=option["name"][:1].upper() + option["name"][1:],
        product=f"{seen['ca_p_product_mg2_dl2']:.0f} mg²/dL²",
        chance_below_target=percent(seen["chance_product_below_55"]),
        chance_halved="" if halved is None else percent(halved),
        left_out=option.get("left_out", ""),  # results of before hold none
    )


def _day(dicom_date: str) -> str:
    digits = dicom_date.strip()
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 else digits


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
