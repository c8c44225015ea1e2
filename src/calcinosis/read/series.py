"""Many files into series, and the one series worth measuring, with the reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from calcinosis.errors import InputError, NotCtError
from calcinosis.read import dicom
from calcinosis.read.ct_image import Acquisition, Image, acquisition, ct_image, series_key
from calcinosis.read.geometry import Stack, arrange
from calcinosis.read.pixels import read_hounsfield

AXIAL_COSINE = 0.75  # 41°: more than any gantry tilt, less than a coronal or sagittal image
HALF_OF_LONGEST = 0.5
PREFERRED_TO = "; preferred to "  # what follows may name files
AS_FINE = 1.5  # a soft kernel is preferred among slices up to this much thicker than the finest


@dataclass(frozen=True, eq=False)
class Series:
    """Images that belong together."""

    about: Acquisition
    images: tuple[Image, ...]

    @property
    def name(self) -> str:
        """How messages call it; by number, since descriptions may identify a patient."""
        return f"series {self.about.number or 'without number'}"

    @property
    def scout(self) -> bool:
        """Only localizers."""
        return all(image.scout for image in self.images)

    @property
    def slices(self) -> tuple[Image, ...]:
        """Its images, localizers apart."""
        return tuple(image for image in self.images if not image.scout)

    @property
    def original(self) -> bool:
        """Reconstructed by the scanner, not made from other images."""
        kinds = self.slices[0].image_type.split()
        return not {"DERIVED", "SECONDARY", "REFORMATTED", "MPR"} & set(kinds)

    @property
    def patient_position(self) -> str:
        """As the slices that state it do."""
        return next((one.patient_position for one in self.slices if one.patient_position), "")

    def arranged(self) -> Stack:
        """Its slices in order.

        Raises:
            InputError: they make no volume, or are of several patients.
        """
        images = self.slices
        self._check_one_patient(images)
        for image in images:
            if image.fault:
                raise image.fault
            if image.patient_position not in ("", self.patient_position):
                raise InputError(
                    f"{image.path.name}: PatientPosition is {image.patient_position!r}; expected "
                    f"{self.patient_position!r} as in other slices"
                )
        return arrange([plane for image in _without_copies(images) for plane in image.planes])

    def _check_one_patient(self, images: Sequence[Image]) -> None:
        """By the number; where no image has one, by the name."""
        numbered = [(image, image.patient_id) for image in images if image.patient_id]
        named = [(image, image.patient_name) for image in images if image.patient_name]
        known = numbered or named
        for image, patient in known:
            if patient != known[0][1]:
                raise InputError(
                    f"{image.path.name}: is of another patient than {known[0][0].path.name}; "
                    f"expected one patient in {self.name}"
                )


def _without_copies(images: Iterable[Image]) -> list[Image]:
    """Each instance once, though files of it may lie about in several places."""
    kept: list[Image] = []
    by_uid: dict[str, Image] = {}
    for image in images:
        first = by_uid.setdefault(image.sop_instance_uid or str(image.path), image)
        if first is image or not _same_image(first, image):
            kept.append(image)
    return kept


def _same_image(one: Image, other: Image) -> bool:
    """Whether two files hold the same slices: in the same places, of the same values."""
    places = [
        [
            (plane.position_lps_mm, plane.orientation, plane.pixel_spacing_mm)
            for plane in image.planes
        ]
        for image in (one, other)
    ]
    sizes = [{(p.pixels.rows, p.pixels.columns) for p in image.planes} for image in (one, other)]
    if places[0] != places[1] or sizes[0] != sizes[1]:
        return False
    return np.array_equal(read_hounsfield(one.planes), read_hounsfield(other.planes))


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
    def enhanced(self) -> bool:
        """Contrast agent known to be given."""
        return self.series.about.contrast_agent is True

    @property
    def other_energies(self) -> bool:
        """Hounsfield units of an energy or without a material, computed from two energies."""
        return self.series.about.other_energies

    @property
    def study_date(self) -> date:
        """Of the study; the earliest there is where it has none."""
        return self.series.about.subject.study_date or date.min

    def __str__(self) -> str:
        stack, about = self.stack, self.series.about
        words = [
            "axial" if self.axial else "not axial",
            {True: "contrast given", False: "unenhanced", None: "no contrast stated"}[
                about.contrast_agent
            ],
            f"{len(stack.planes)} slices every {stack.spacing_mm:.2f} mm",
        ]
        if about.kernel:
            words.append(f"{'sharp' if about.sharp else 'soft'} kernel {about.kernel}")
        return f"{self.series.name}: {', '.join(words)}"


def scan(files: Sequence[Path], progress: Callable[[float], None] | None = None) -> list[Series]:
    """Read the headers of files and group the CT images among them into series.

    Raises:
        NotReadableError: a file is meant to be DICOM but cannot be read.
        NotCtError: there is no CT image; says what there is.
    """
    groups: dict[tuple[str, ...], tuple[Acquisition, list[Image]]] = {}
    others: Counter[str] = Counter()
    for index, path in enumerate(files):
        found = dicom.read_header(path)
        if found is None:
            others[_kind(path)] += 1
        elif (image := ct_image(path, found)) is None:
            others[dicom.text(path, found.dataset, "Modality") or "DICOM without image"] += 1
        else:
            key = series_key(path, found.dataset)
            about, images = groups.get(key, (None, []))
            if about is None or all(one.scout for one in images):
                about = acquisition(path, found.dataset)
            images.append(image)
            groups[key] = about, images
        if progress:
            progress((index + 1) / len(files))
    if not groups:
        there = ", ".join(f"{kind} ({count})" for kind, count in others.most_common(6))
        raise NotCtError(f"no CT image found; expected a CT series, found {there or 'no file'}")
    return [Series(about, tuple(images)) for about, images in groups.values()]


def _kind(path: Path) -> str:
    """What a file that is no DICOM is called."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return "NIfTI"
    if path.name.lower().endswith((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")):
        return "an archive, to be unpacked first"
    return "not DICOM"


def choose(found: Sequence[Series], series_uid: str | None = None) -> tuple[Candidate, str]:
    """The best unenhanced axial CT with the finest slices, and why it is that one.

    Raises:
        InputError: `series_uid` is not among them, or none makes a volume (the fault of the
            largest is told).
    """
    series = sorted(found, key=lambda one: (-len(one.images), one.name))
    if series_uid is not None:
        series = [one for one in series if one.about.series_uid == series_uid]
        if not series:
            there = ", ".join(sorted(_with_uid(one) for one in found))
            raise InputError(
                f"series {series_uid} is not among the CT series of the input; expected {there}"
            )
        if series[0].scout:
            raise NotCtError(f"{series[0].name}: only scout images; expected CT slices")
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
    because = f"{best}{PREFERRED_TO}{'; '.join(others)}" if others else f"the only CT, {best}"
    return best, because


def _with_uid(series: Series) -> str:
    scout = ", scout" if series.scout else ""
    return f"{series.about.series_uid or 'one without UID'} ({series.name}{scout})"


def _best(candidates: Sequence[Candidate]) -> tuple[Candidate, list[str]]:
    """The winner, and the others each with what it lost by, in the order of the rules."""
    remaining = list(candidates)
    outranked: list[str] = []
    rules: list[tuple[Callable[[Candidate], bool], Callable[[Candidate], str]]] = [
        (lambda one: one.axial, lambda _: "not axial"),
        (lambda one: not one.other_energies, lambda _: "computed from two energies"),
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
        (
            lambda one: not one.series.about.sharp,
            lambda one: f"sharp kernel {one.series.about.kernel}",
        ),
        (
            lambda one: one.stack.spacing_mm <= 1.01 * finest(remaining),
            lambda one: f"slices every {one.stack.spacing_mm:.2f} mm",
        ),
        (lambda one: one.study_date == latest(remaining), lambda _: "an earlier study"),
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


def latest(candidates: Iterable[Candidate]) -> date:
    """Day of the latest study."""
    return max(one.study_date for one in candidates)
