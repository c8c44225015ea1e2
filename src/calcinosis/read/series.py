"""Many files into series, and the one series worth measuring, with the reason."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.errors import InputError, NotCtError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.dicom import Header, Plane
from calcinosis.read.geometry import Stack, arrange

if TYPE_CHECKING:
    from pydicom import Dataset

AXIAL_COSINE = 0.75  # 41°: more than any gantry tilt, less than a coronal or sagittal image
HALF_OF_LONGEST = 0.5
AS_FINE = 1.5  # a soft kernel is preferred among slices up to this much thicker than the finest

WITHOUT_CONTRAST = re.compile(
    r"without|w/o|\bwo\b|(un|non[- ])enhanced|plain|nativ"
    r"|\b(non|no|pre|ohne|sans)[- ]?(iv )?(contrast|km|inj)"
    r"|\bnc(ct)?\b|\bc-(?!\w)",
    re.IGNORECASE,
)
WITH_CONTRAST = re.compile(
    r"\bwith (iv |i\.v\. )?contrast|w/ ?contrast|post[- ]?contrast|(?<!un)(?<!non[- ])enhanced"
    r"|arteri|portal|venous|ven(ö|oe?)s|angio|\bctp?a\b|delayed|nephro|\bce(ct)?\b|\bc\+|\bmit km",
    re.IGNORECASE,
)
NO_AGENT = {"NONE", "NO", "N", "0", "WITHOUT", "NO CONTRAST", "NIL", "-"}
# Vendors' names for sharp kernels: GE words, Siemens numbers from 50, Canon FC30 and beyond
# (bone, lung, high resolution), Philips D, E, L and Y.
SHARP_KERNEL = re.compile(
    r"^(bone|lung|edge|ultra|detail|[bhijuqt][a-z]?[5-9]\d|fc[358]\d|(d|e|l|y[a-e])\b)",
    re.IGNORECASE,
)
HOUNSFIELD_TYPES = {"", "HU", "US", "HOUNSFIELD"}  # US: unspecified, told by the values


@dataclass(frozen=True, slots=True)
class Image:
    """One CT file: its slices, or why it has none, and what its header says of the series."""

    path: Path
    series: tuple[str, ...]
    series_uid: str
    study_uid: str
    number: str
    image_type: str
    contrast_agent: bool | None
    kernel: str
    tube_voltage_kv: float | None
    patient_position: str
    planes: tuple[Plane, ...]
    fault: InputError | None


@dataclass(frozen=True, eq=False)
class Series:
    """Images that belong together."""

    images: tuple[Image, ...]

    @property
    def first(self) -> Image:
        """An image that speaks for the series."""
        return self.images[0]

    @property
    def name(self) -> str:
        """How messages call it; by number, since descriptions may identify a patient."""
        return f"series {self.first.number or 'without number'}"

    @property
    def scout(self) -> bool:
        """Only localizers."""
        return all("LOCALIZER" in image.image_type for image in self.images)

    @property
    def original(self) -> bool:
        """Reconstructed by the scanner, not made from other images."""
        kinds = self.first.image_type.split()
        return not {"DERIVED", "SECONDARY", "REFORMATTED", "MPR", "MIP"} & set(kinds)

    def arranged(self) -> Stack:
        """Its slices in order.

        Raises:
            InputError: they make no volume.
        """
        images = [one for one in self.images if "LOCALIZER" not in one.image_type]
        for image in images:
            if image.fault:
                raise image.fault
            if image.patient_position != images[0].patient_position:
                raise InputError(
                    f"{image.path.name}: PatientPosition is {image.patient_position!r}; expected "
                    f"{images[0].patient_position!r} as in {images[0].path.name}"
                )
        return arrange([plane for image in images for plane in image.planes])


@dataclass(frozen=True, eq=False)
class Candidate:
    """A series whose slices make a volume."""

    series: Series
    stack: Stack

    @property
    def axial(self) -> bool:
        """Slices across the body."""
        rise = self.stack.ascent / (self.stack.ascent @ self.stack.ascent) ** 0.5
        return bool(abs(rise[2]) > AXIAL_COSINE)

    @property
    def sharp(self) -> bool:
        """Reconstructed for edges: noisier, and calcium beside bone overshoots."""
        return bool(SHARP_KERNEL.match(self.series.first.kernel))

    @property
    def enhanced(self) -> bool:
        """Contrast agent known to be given."""
        return self.series.first.contrast_agent is True

    def __str__(self) -> str:
        stack, image = self.stack, self.series.first
        words = [
            "axial" if self.axial else "not axial",
            {True: "contrast given", False: "unenhanced", None: "no contrast stated"}[
                image.contrast_agent
            ],
            f"{len(stack.planes)} slices every {stack.spacing_mm:.2f} mm",
        ]
        if image.kernel:
            words.append(f"{'sharp' if self.sharp else 'soft'} kernel {image.kernel}")
        return f"{self.series.name}: {', '.join(words)}"


def scan(files: Sequence[Path], progress: Callable[[float], None] | None = None) -> list[Series]:
    """Read the headers of files and group the CT images among them into series.

    Raises:
        NotReadableError: a file is meant to be DICOM but cannot be read.
        NotCtError: there is no CT image; says what there is.
    """
    groups: dict[tuple[str, ...], list[Image]] = {}
    others: Counter[str] = Counter()
    for index, path in enumerate(files):
        found = dicom.read_header(path)
        if found is None:
            others["NIfTI" if path.name.endswith((".nii", ".nii.gz")) else "not DICOM"] += 1
        elif (image := _ct_image(path, found)) is None:
            others[dicom.text(path, found.dataset, "Modality") or "DICOM without image"] += 1
        else:
            groups.setdefault(image.series, []).append(image)
        if progress:
            progress((index + 1) / len(files))
    if not groups:
        there = ", ".join(f"{kind} ({count})" for kind, count in others.most_common(6))
        raise NotCtError(f"no CT image found; expected a CT series, found {there or 'no file'}")
    return [Series(tuple(images)) for images in groups.values()]


def _ct_image(path: Path, found: Header) -> Image | None:
    """What a CT file says; None for another modality, a report or a screen capture."""
    header = found.dataset
    sop_class = dicom.text(path, header, "SOPClassUID")
    modality = dicom.text(path, header, "Modality")
    if (sop_class and sop_class not in dicom.CT_IMAGES) or modality not in ("CT", ""):
        return None
    if not sop_class and not (modality and found.has_pixels):
        return None
    if not found.has_pixels:  # cut short, perhaps before it says to which series it belongs
        raise NotReadableError(
            f"{path.name}: the file ends after {path.stat().st_size} bytes without pixels; "
            "expected a CT image"
        )
    planes, fault = _planes(path, found)
    series_uid = dicom.text(path, header, "SeriesInstanceUID")
    number = dicom.text(path, header, "SeriesNumber")
    kernel = _kernel(path, header)
    image_type = dicom.text(path, header, "ImageType")
    alike = (str(path.parent), number, kernel, image_type)
    return Image(
        path=path,
        series=(series_uid,) if series_uid else alike,
        series_uid=series_uid,
        study_uid=dicom.text(path, header, "StudyInstanceUID"),
        number=number,
        image_type=image_type,
        contrast_agent=_contrast_agent(path, header),
        kernel=kernel,
        tube_voltage_kv=_tube_voltage(path, header),
        patient_position=dicom.text(path, header, "PatientPosition"),
        planes=planes,
        fault=fault,
    )


def _planes(path: Path, found: Header) -> tuple[tuple[Plane, ...], InputError | None]:
    """The slices of a CT file, or the fault that keeps them from being used."""
    header = found.dataset
    try:
        pixels = dicom.pixel_format(path, found)
        place = dicom.functional_group(header, 0, "PixelValueTransformationSequence")
        kind = dicom.text(path, place, "RescaleType").upper()
        if kind not in HOUNSFIELD_TYPES:
            raise NotCtError(f"{path.name}: RescaleType is {kind}; expected HU")
        if pixels.samples != 1:
            raise NotCtError(f"{path.name}: a colour image; expected one value per pixel")
        return dicom.planes(path, header, pixels), None
    except InputError as fault:
        return (), fault


def _kernel(path: Path, header: "Dataset") -> str:
    place = dicom.functional_group(header, 0, "CTReconstructionSequence")
    return dicom.text(path, place, "ConvolutionKernel")


def _tube_voltage(path: Path, header: "Dataset") -> float | None:
    place = dicom.functional_group(header, 0, "CTXRayDetailsSequence")
    try:
        found = dicom.numbers(path, place, "KVP", 1)
    except NotReadableError:
        return None
    return found[0] if found and found[0] > 0 else None


def _contrast_agent(path: Path, header: "Dataset") -> bool | None:
    """Whether contrast was given, or None where nothing is said.

    A series named unenhanced is believed before its agent tag, which scanners fill for the whole
    examination.
    """
    described = " ".join(
        dicom.text(path, header, keyword) for keyword in ("SeriesDescription", "ProtocolName")
    )
    without, with_ = WITHOUT_CONTRAST.search(described), WITH_CONTRAST.search(described)
    if without and not with_:
        return False
    agent = dicom.text(path, header, "ContrastBolusAgent").upper()
    usage = dicom.functional_group(header, 0, "ContrastBolusUsageSequence")
    administered = dicom.text(path, usage, "ContrastBolusAgentAdministered").upper()
    if (agent and agent not in NO_AGENT) or administered == "YES" or (with_ and not without):
        return True
    return False if agent or administered else None


def choose(found: Sequence[Series], series_uid: str | None = None) -> tuple[Candidate, str]:
    """The best unenhanced axial CT with the finest slices, and why it is that one.

    Raises:
        InputError: `series_uid` is not among them, or none makes a volume (the fault of the
            largest is told).
    """
    series = sorted(found, key=lambda one: (-len(one.images), one.name))
    if series_uid is not None:
        series = [one for one in series if one.first.series_uid == series_uid]
        if not series:
            there = ", ".join(sorted({one.first.series_uid or "one without UID" for one in found}))
            raise InputError(
                f"series {series_uid} is not among the CT series of the input; expected {there}"
            )
        return Candidate(series[0], series[0].arranged()), "asked for by its UID"
    candidates, passed_over, faults = [], [], []
    for one in series:
        if one.scout:
            passed_over.append(f"{one.name} (scout)")
            continue
        try:
            candidates.append(Candidate(one, one.arranged()))
        except InputError as fault:
            faults.append(fault)
            passed_over.append(f"{one.name} ({fault})")
    if not candidates:
        raise faults[0] if faults else NotCtError("only scout images found; expected CT slices")
    best, outranked = _best(candidates)
    others = outranked + passed_over
    because = f"{best}; preferred to {'; '.join(others)}" if others else f"the only CT, {best}"
    return best, because


def _best(candidates: Sequence[Candidate]) -> tuple[Candidate, list[str]]:
    """The winner, and the others each with what it lost by, in the order of the rules."""
    remaining = list(candidates)
    outranked: list[str] = []
    rules: list[tuple[Callable[[Candidate], bool], Callable[[Candidate], str]]] = [
        (lambda one: one.axial, lambda _: "not axial"),
        (lambda one: one.series.original, lambda _: "derived images"),
        (lambda one: not one.enhanced, lambda _: "contrast given"),
        (
            lambda one: one.stack.extent_mm >= HALF_OF_LONGEST * longest(remaining),
            lambda one: f"covers only {one.stack.extent_mm:.0f} mm",
        ),
        (
            lambda one: one.stack.spacing_mm <= AS_FINE * finest(remaining),
            lambda one: f"slices every {one.stack.spacing_mm:.2f} mm",
        ),
        (lambda one: not one.sharp, lambda one: f"sharp kernel {one.series.first.kernel}"),
        (
            lambda one: one.stack.spacing_mm <= 1.01 * finest(remaining),
            lambda one: f"slices every {one.stack.spacing_mm:.2f} mm",
        ),
    ]
    for keep, lost_by in rules:
        kept = [one for one in remaining if keep(one)]
        if kept:
            outranked += [
                f"{one.series.name} ({lost_by(one)})" for one in remaining if one not in kept
            ]
            remaining = kept
    remaining.sort(key=lambda one: -len(one.stack.planes))
    outranked += [f"{one.series.name} (no better)" for one in remaining[1:]]
    return remaining[0], outranked


def finest(candidates: Iterable[Candidate]) -> float:
    """Smallest slice spacing, mm."""
    return min(one.stack.spacing_mm for one in candidates)


def longest(candidates: Iterable[Candidate]) -> float:
    """Largest coverage, mm."""
    return max(one.stack.extent_mm for one in candidates)
