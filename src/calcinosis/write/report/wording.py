"""What was measured, in sentences and table rows."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from calcinosis.explain.findings import FAR_FROM_JOINT_MM
from calcinosis.measure.mass import (
    MIDLINE,
    MIRROR,
    BoneRelation,
    CtMeasurement,
    FluidLevel,
    HounsfieldStatistics,
    Mass,
    OtherCalcification,
    Point,
    Site,
)
from calcinosis.read.subject import written_name
from calcinosis.volume import Subject
from calcinosis.write.report.numbers import hydroxyapatite, length, number, plural, quantity

KIND_NAMES = {
    "vascular": ("vessel-wall calcification", "vessel-wall calcifications"),
    "phlebolith": ("phlebolith", "phleboliths"),
    "granuloma": ("granuloma", "granulomas"),
    "metal": ("metal object", "metal objects"),
    "contrast": ("pool of contrast agent", "pools of contrast agent"),
    "unclassified": ("unclassified density", "unclassified densities"),
}

_OPTION = re.compile(r"--[a-z-]+(?: [-A-Z\d,]+)?")


def remark(text: str) -> Markup:
    """A remark whose options of the command line no line break parts."""
    escaped = str(escape(text))
    return Markup(_OPTION.sub(r'<span class="option">\g<0></span>', escaped))  # noqa: S704


@dataclass(frozen=True)
class KindRow:
    """Other calcifications of one kind."""

    name: str
    kind: str
    count: int
    volume: str
    largest: str
    largest_at: str


def summary(measurement: CtMeasurement) -> str:
    """The first line of the report: what was found, with the figures that matter most."""
    masses = measurement.masses
    if not masses:
        return "No calcified soft-tissue mass of 1 mL or more."
    if len(masses) == 1:
        return f"One calcified mass, {_essence(masses[0])}."
    total = sum(mass.volume_ml for mass in masses)
    return (
        f"{plural(len(masses), 'calcified mass', 'calcified masses').capitalize()}, "
        f"{quantity(total, 'mL')} together. The largest, {_essence(masses[0])}."
    )


def _essence(mass: Mass) -> str:
    diameters = (
        f"{number(mass.max_diameter_mm, 0)}\u00a0×\u00a0"
        f"{number(mass.perpendicular_diameter_mm, 0)}\u00a0mm"
    )
    parts = [f"{_where(mass)}{quantity(mass.volume_ml, 'mL', mass.volume_ci95_ml)}", diameters]
    if mass.sedimentation_sign:
        levels = plural(len(mass.fluid_levels), "fluid–calcium level")
        parts.append(f"with {levels} (sedimentation sign)")
    if mass.bone.eroded:
        parts.append("eroding bone")
    return ", ".join(parts)


def _where(mass: Mass) -> str:
    """The joint that a mass lies by; how far from it where it lies in between."""
    if mass.site is None:
        return f"{site(mass)}; " if mass.bone.nearest else ""
    if mass.site.distance_mm <= FAR_FROM_JOINT_MM:
        return f"{site(mass)}: "
    aside = mass.site.side and mass.site.joint in MIDLINE
    return f"{length(mass.site.distance_mm)} {'to' if aside else 'from'} the {site(mass)}: "


def identity(subject: Subject, image: str = "CT") -> str:
    """Whose report this is and of which study, as far as the header tells; else empty."""
    day = subject.study_date.isoformat() if subject.study_date else ""
    told = (
        (person_name(subject.name), "{}"),
        (subject.patient_id, "ID {}"),
        (day, f"{image} of {{}}"),
        (subject.accession_number, "accession {}"),
    )
    return " · ".join(words.format(value) for value, words in told if value)


def person_name(dicom_name: str) -> str:
    """``Family^Given^Middle`` as ``Family, Given Middle``."""
    family, *others = written_name(dicom_name).split("^")
    given = " ".join(part.strip() for part in others if part.strip())
    return ", ".join(part for part in (family.strip(), given) if part)


def site(mass: Mass) -> str:
    """Where it lies: ``left hip``; by the nearest bone where no joint is recognised near it."""
    return place(mass.site, mass.bone.nearest)


def place(site: Site | None, nearest_bone: str | None) -> str:
    """``left hip``, ``nearest bone: femur``, or that the place is not recognised."""
    if site:
        return site.in_words
    return f"nearest bone: {nearest_bone}" if nearest_bone else "site not recognised"


def others_in_brief(measurement: CtMeasurement) -> str:
    """Everything dense outside the skeleton that is no mass, by kind."""
    rows = kinds(measurement.other_calcifications)
    if not rows:
        return "No other calcification outside the skeleton."
    listed = ", ".join(f"{row.name} ({row.volume})" for row in rows)
    return f"Other dense objects outside the skeleton: {listed}."


def kinds(others: Iterable[OtherCalcification]) -> list[KindRow]:
    """Other calcifications counted by kind, in a fixed order."""
    by_kind: dict[str, list[OtherCalcification]] = defaultdict(list)
    for other in others:
        by_kind[other.kind].append(other)
    rows = []
    for kind, names in KIND_NAMES.items():
        if kind in by_kind:
            largest = max(by_kind[kind], key=lambda other: other.volume_ml)
            total = sum(other.volume_ml for other in by_kind[kind])
            rows.append(
                KindRow(
                    plural(len(by_kind[kind]), *names),
                    names[1],
                    len(by_kind[kind]),
                    quantity(total, "mL"),
                    quantity(largest.volume_ml, "mL"),
                    point(largest.centroid_lps_mm),
                )
            )
    return rows


def measures(mass: Mass) -> list[tuple[str, str]]:
    """Rows of a mass's table: what, and how much."""
    rows = [
        ("Volume (envelope)", quantity(mass.volume_ml, "mL", mass.volume_ci95_ml)),
        ("Calcified volume", quantity(mass.calcified_volume_ml, "mL")),
        ("Calcium hydroxyapatite", hydroxyapatite(mass.calcium_mass_mg, mass.calcium_mass_ci95_mg)),
        ("Greatest diameter", length(mass.max_diameter_mm)),
        ("Perpendicular to it", length(mass.perpendicular_diameter_mm)),
        ("Attenuation", _attenuation(mass.hu)),
        ("Locules", str(mass.locules)),
        ("Sedimentation sign", _sedimentation(mass)),
        ("Nearest joint", _joint(mass)),
        ("Bone", _bone(mass)),
    ]
    if mass.skin_distance_mm is not None:
        rows.append(("Depth below skin", length(mass.skin_distance_mm)))
    rows.append(("Centre (LPS)", point(mass.centroid_lps_mm) + " mm"))
    rows.append(("Confidence", f"{100 * mass.confidence:.0f} %"))
    return rows


def _attenuation(hu: HounsfieldStatistics) -> str:
    middle = f"mean {number(hu.mean, 0)}, median {number(hu.p50, 0)} HU"
    return f"{middle} (5–95 %: {number(hu.p5, 0)} to {number(hu.p95, 0)})"


def _sedimentation(mass: Mass) -> str:
    if mass.sedimentation_sign is None:
        return "cannot be judged"
    if not mass.sedimentation_sign:
        return "absent"
    return f"present: {plural(len(mass.fluid_levels), 'fluid–calcium level')}"


def _joint(mass: Mass) -> str:
    if mass.site is None:
        return "none recognised within reach"
    return f"{site(mass)}, {length(mass.site.distance_mm)} from centre to centre"


def _contact(bone: BoneRelation) -> str:
    if bone.distance_mm == 0 and bone.contact_mm2 == 0:
        return f"touches {bone.nearest or 'bone'} at a point"
    if bone.contact_mm2 <= 0:
        away = "" if bone.distance_mm is None else f", {length(bone.distance_mm)} away"
        return f"{bone.nearest or 'nearest bone'}{away}"
    return f"touches {bone.nearest or 'bone'} over {quantity(bone.contact_mm2 / 100, 'cm²')}"


def _bone(mass: Mass) -> str:
    bone = mass.bone
    if bone.meets_across_slices:
        return f"touches {bone.nearest or 'bone'} across slices; contact and erosion not judged"
    text = _contact(bone)
    if bone.contact_mm2 <= 0 and not bone.eroded:
        return f"{text}; {'no contact' if bone.distance_mm != 0 else 'no erosion'}"
    if bone.eroded is None:
        return f"{text}; erosion cannot be judged"
    against = ", compared with the other side" if bone.expected_surface == MIRROR else ""
    if not bone.eroded:
        return f"{text}; no erosion{against}"
    depth = [] if bone.erosion_depth_mm is None else [f"{length(bone.erosion_depth_mm)} deep"]
    if bone.erosion_volume_ml is not None:
        depth.append(quantity(bone.erosion_volume_ml, "mL"))
    return f"{text}; eroded" + (f" ({', '.join(depth)})" if depth else "") + against


def level_row(level: FluidLevel) -> tuple[str, ...]:
    """Cells of the fluid-level table."""
    return (
        quantity(level.area_mm2 / 100, "cm²"),
        length(level.sediment_depth_mm),
        number(level.hu_above, 0),
        number(level.hu_below, 0),
        f"{number(level.tilt_deg, 1)}°",
        f"{100 * level.confidence:.0f} %",
    )


def point(point_lps_mm: Point) -> str:
    """A position: x, y, z in LPS millimetres."""
    return ", ".join(number(value, 0) for value in point_lps_mm)


def in_brief(measurement: CtMeasurement) -> list[str]:
    """The result in three lines of plain text (two where there is no mass)."""
    lines = [summary(measurement)]
    if measurement.masses:
        mass = measurement.masses[0]
        lines.append(
            f"Mass {mass.id}: {quantity(mass.calcified_volume_ml, 'mL')} calcified, "
            f"{hydroxyapatite(mass.calcium_mass_mg, mass.calcium_mass_ci95_mg)} "
            "calcium hydroxyapatite, "
            f"{plural(mass.locules, 'locule')}, "
            f"{plural(len(mass.fluid_levels), 'fluid–calcium level')}; {_bone(mass)}."
        )
    return [*lines, others_in_brief(measurement)]
