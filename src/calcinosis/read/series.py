"""Many files into series, and the one series worth measuring, with the reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from calcinosis.errors import InputError, NotCtError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.ct_image import Acquisition, Image, acquisition, ct_image, series_key
from calcinosis.read.geometry import Stack, arrange
from calcinosis.read.parts import parts_of, without_copies

AXIAL_COSINE = 0.75  # 41°: more than any gantry tilt, less than a coronal or sagittal image
HALF_OF_LONGEST = 0.5
ASKED_FOR = "asked for by its UID"
PREFERRED_TO = "; preferred to "  # what follows may name files
AS_FINE = 1.5  # a soft kernel is preferred among slices up to this much thicker than the finest


@dataclass(frozen=True, eq=False)
class Series:
    """Images that belong together: a series, or one phase or reconstruction of several in it.

    Attributes:
        part: which one of `parts`, the earliest first; both 1 where the series is not parted.
        told_by: what tells the parts apart.
        namesake: whether the input holds another series of the same number.
    """

    about: Acquisition
    images: tuple[Image, ...]
    part: int = 1
    parts: int = 1
    told_by: tuple[str, ...] = ()
    namesake: bool = False

    @property
    def name(self) -> str:
        """How messages call it; by number, since descriptions may identify a patient."""
        part = f"part {self.part} of {self.parts} of " if self.parts > 1 else ""
        return f"{part}series {self.about.number or 'without number'}"

    @property
    def full_name(self) -> str:
        """With the UID, where the number is that of another series, too."""
        if not self.namesake:
            return self.name
        return f"{self.name} with UID {self.about.series_uid or 'missing'}"

    def beside(self, other: "Series") -> bool:
        """Whether both are parts of one series."""
        one, two = self.about, other.about
        return self.parts > 1 and (one.series_uid, one.number) == (two.series_uid, two.number)

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
        self._check_one_patient()
        for image in images:
            if image.fault:
                raise image.fault
            if image.patient_position not in ("", self.patient_position):
                raise InputError(
                    f"{image.path.name}: PatientPosition is {image.patient_position!r}; expected "
                    f"{self.patient_position!r} as in other slices"
                )
        return arrange([plane for image in without_copies(images) for plane in image.planes])

    @property
    def of_several_patients(self) -> bool:
        """By the number; where no image has one, by the name."""
        return len({patient for _, patient in self._patients()}) > 1

    def _patients(self) -> list[tuple[Image, str]]:
        numbered = [(image, image.patient_id) for image in self.slices if image.patient_id]
        return numbered or [(one, one.patient_name) for one in self.slices if one.patient_name]

    def _check_one_patient(self) -> None:
        known = self._patients()
        for image, patient in known:
            if patient != known[0][1]:
                raise InputError(
                    f"{image.path.name}: is of another patient than {known[0][0].path.name}; "
                    f"expected one patient in {self.name}"
                )


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

    def follows(self, other: "Candidate") -> bool:
        """Whether this is a later phase or reconstruction of the same series."""
        return self.series.beside(other.series) and self.series.part > other.series.part

    @property
    def enhanced(self) -> bool:
        """Contrast agent known to be given."""
        return self.series.about.contrast_agent is True

    @property
    def other_energies(self) -> bool:
        """Hounsfield units of an energy or without a material, computed from two energies."""
        return self.series.about.other_energies

    def reached_beyond_mm(self, others: Iterable[Series]) -> float:
        """How far slices of other series lie beyond the first or the last of these."""
        along_mm = [
            float(self.stack.normal @ plane.position_lps_mm)
            for one in others
            for image in one.slices
            for plane in image.planes
        ]
        low, high = self.stack.along_mm[[0, -1]]
        return float(max(low - min(along_mm), max(along_mm) - high))

    @property
    def coarseness_mm(self) -> float:
        """Distance of slices, or their thickness where they overlap."""
        return max(self.stack.spacing_mm, self.series.about.slice_thickness_mm or 0.0)

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
        raise NotCtError(
            f"no CT image found; expected a CT series, found {there or 'no file'}"
            + ("; `calcinosis radiograph` reads radiographs" if dicom.FILMS & others.keys() else "")
            + ("; `calcinosis scintigraphy` reads bone scans" if "NM" in others else "")
            + ("; `calcinosis mri` reads MR" if "MR" in others else "")
            + ("; `calcinosis ultrasound` reads ultrasound" if "US" in others else "")
        )
    numbers = Counter(about.number for about, _ in groups.values())
    return [
        replace(series, namesake=numbers[about.number] > 1)
        for about, images in groups.values()
        for series in _in_parts(Series(about, tuple(images)))
    ]


def _in_parts(series: Series) -> list[Series]:
    """The series, or its phases and reconstructions where it holds several."""
    parts = [] if series.scout or series.of_several_patients else parts_of(series.slices)
    if len(parts) < 2:
        return [series]
    return [
        Series(_about(part.images[0]), part.images, number, len(parts), part.told_by)
        for number, part in enumerate(parts, start=1)
    ]


def _about(image: Image) -> Acquisition:
    found = dicom.read_header(image.path)
    if found is None:
        raise NotReadableError(f"{image.path.name}: is no DICOM any more")
    return acquisition(image.path, found.dataset, image.planes[0].frame if image.planes else 0)


def _kind(path: Path) -> str:
    """What a file that is no DICOM is called."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return "NIfTI"
    if path.name.lower().endswith((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")):
        return "an archive, to be unpacked first"
    return "not DICOM"


def choose(found: Sequence[Series], wanted: str | None = None) -> tuple[Candidate, str]:
    """The best unenhanced axial CT with the finest slices, and why it is that one.

    Args:
        found: what there is.
        wanted: the UID of the series to take it from; UID:2 for the second of its parts.

    Raises:
        InputError: `wanted` is not among them, or none makes a volume (the fault of the largest
            is told).
    """
    series = sorted(found, key=lambda one: (-len(one.images), one.part, one.name))
    if wanted is not None:
        series = _asked_for(series, wanted)
        if len(series) == 1:
            part = f"{series[0].name}, " if series[0].parts > 1 else ""
            return Candidate(series[0], series[0].arranged()), f"{part}{ASKED_FOR}"
    candidates, passed_over, faults = [], [], []
    for one in series:
        if one.scout:
            passed_over.append(f"{one.full_name} (scout)")
            continue
        try:
            candidates.append(Candidate(one, one.arranged()))
        except InputError as fault:
            faults.append(fault)
            passed_over.append(f"{one.full_name} ({fault})")
    if not candidates:
        raise faults[0] if faults else NotCtError("only scout images found; expected CT slices")
    best, outranked = _best(candidates)
    others = outranked + passed_over
    if not others:
        return best, f"the only CT, {best}"
    asked = f"{ASKED_FOR}, " if wanted is not None else ""
    return best, f"{asked}{best}{PREFERRED_TO}{'; '.join(others)}"


def _asked_for(series: Sequence[Series], wanted: str) -> list[Series]:
    """The series of a UID, in all its parts unless one is named.

    Raises:
        InputError: there is none; says which there are.
    """
    uid, _, part = wanted.partition(":")
    named = [one for one in series if one.about.series_uid == uid]
    if not named:
        there = ", ".join(sorted({_with_uid(one) for one in series}))
        raise InputError(f"series {uid} is not among the CT series of the input; expected {there}")
    if named[0].scout:
        raise NotCtError(f"{named[0].name}: only scout images; expected CT slices")
    if not part:
        return named
    if part not in [str(one.part) for one in named]:
        last = named[0].parts
        raise InputError(f"series {wanted}: the parts are numbered 1 to {last}; found {part!r}")
    return [one for one in named if str(one.part) == part]


def _with_uid(series: Series) -> str:
    scout = ", scout" if series.scout else ""
    parts = f" in {series.parts} parts" if series.parts > 1 else ""
    number = replace(series, parts=1).name
    return f"{series.about.series_uid or 'one without UID'} ({number}{parts}{scout})"


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
            lambda one: one.coarseness_mm <= AS_FINE * finest(remaining),
            lambda one: (
                f"slices every {one.stack.spacing_mm:.2f} mm"
                if one.coarseness_mm == one.stack.spacing_mm
                else f"slices {one.coarseness_mm:.2f} mm thick"
            ),
        ),
        (
            lambda one: not one.series.about.sharp,
            lambda one: f"sharp kernel {one.series.about.kernel}",
        ),
        (
            lambda one: (
                one.stack.spacing_mm <= 1.01 * min(each.stack.spacing_mm for each in remaining)
            ),
            lambda one: f"slices every {one.stack.spacing_mm:.2f} mm",
        ),
        (lambda one: one.study_date == latest(remaining), lambda _: "an earlier study"),
        (lambda one: not any(map(one.follows, remaining)), lambda _: "a later part"),
    ]
    for keep, lost_by in rules:
        kept = [one for one in remaining if keep(one)]
        if kept:
            outranked += [
                f"{one.series.full_name} ({lost_by(one)})" for one in remaining if one not in kept
            ]
            remaining = kept
    remaining.sort(key=lambda one: -len(one.stack.planes))
    outranked += [f"{one.series.full_name} (no better)" for one in remaining[1:]]
    return remaining[0], outranked


def finest(candidates: Iterable[Candidate]) -> float:
    """Of the finest slices, how far apart or thick they are, mm."""
    return min(one.coarseness_mm for one in candidates)


def longest(candidates: Iterable[Candidate]) -> float:
    """Largest coverage, mm."""
    return max(one.stack.extent_mm for one in candidates)


def latest(candidates: Iterable[Candidate]) -> date:
    """Day of the latest study."""
    return max(one.study_date for one in candidates)
