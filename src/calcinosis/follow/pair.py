"""Whether two scans can be compared: of one patient, in this order, taken alike."""

import re
from collections.abc import Iterator

import numpy as np

from calcinosis.errors import InputError
from calcinosis.volume import Study, Subject, Volume

_SPACING_RATIO = 1.5  # coarser by more, what is small shows otherwise; a named parameter


def days_between(earlier: Study, later: Study) -> int | None:
    """Days from one study to the other by their headers; None where one does not say.

    Raises:
        InputError: the studies stand in the wrong order.
    """
    before, after = earlier.subject.study_date, later.subject.study_date
    if before is None or after is None:
        return None
    days = (after - before).days
    if days < 0:
        raise InputError(
            f"the first study was made {-days} days after the second; give the earlier one first"
        )
    return days


def remarks_on_pair(earlier: Study, later: Study, days: int | None = None) -> tuple[str, ...]:
    """What the reader should know of two scans that are compared.

    Args:
        earlier: the scan of the earlier day.
        later: the scan of the later day.
        days: what the user says lies between them.

    Raises:
        InputError: both are the same series.
    """
    one, other = earlier.series_instance_uid, later.series_instance_uid
    if (one and one == other) or _is_same(earlier.volume, later.volume):
        raise InputError("both studies are the same series; give two scans of different days")
    return (*_on_days(earlier, later, days), *_remarks(earlier, later))


def differences(one: Subject, other: Subject) -> tuple[str, ...]:
    """In what two headers differ as to who the patient is; names where they share no word."""
    told = (
        ("patient IDs", one.patient_id, other.patient_id),
        ("birth dates", one.birth_date, other.birth_date),
        ("sexes", one.sex, other.sex),
    )
    apart = [what for what, here, there in told if here and there and here != there]
    words = [set(re.findall(r"\w+", subject.name.casefold())) for subject in (one, other)]
    if all(words) and words[0].isdisjoint(words[1]):
        apart.insert(0, "names")
    return tuple(apart)


def _is_same(one: Volume, other: Volume) -> bool:
    return np.array_equal(one.affine, other.affine) and np.array_equal(one.voxels, other.voxels)


def _on_days(earlier: Study, later: Study, days: int | None) -> Iterator[str]:
    before, after = earlier.subject.study_date, later.subject.study_date
    if days is not None and before and after and (after - before).days != days:
        told = f"{(after - before).days} by their headers, {days} as given here"
        yield f"Days between the scans: {told}. What was given is used."


def _remarks(earlier: Study, later: Study) -> Iterator[str]:
    apart = differences(earlier.subject, later.subject)
    if apart:
        yield f"The two studies give different {' and '.join(apart)}: is it the same patient?"
    voltages = earlier.tube_voltage_kv, later.tube_voltage_kv
    if voltages[0] != voltages[1]:
        told = [f"{kv:g} kV" if kv else "an unknown voltage" for kv in voltages]
        yield (
            f"Scanned at {told[0]} and at {told[1]}: each has its own calibration, and what they "
            "may be off by is in the interval of calcium."
        )
    if earlier.contrast_agent != later.contrast_agent and True in (
        earlier.contrast_agent,
        later.contrast_agent,
    ):
        yield "Only one of the scans was made with contrast agent, which may read as calcium."
    coarser = [
        max(one, other) / min(one, other)
        for one, other in zip(
            sorted(earlier.volume.spacing_mm), sorted(later.volume.spacing_mm), strict=True
        )
    ]
    if max(coarser) > _SPACING_RATIO:
        yield (
            f"Voxels of {_size(earlier)} and of {_size(later)} mm: small masses, levels and pits "
            "may show in one scan alone."
        )


def _size(study: Study) -> str:
    return " × ".join(f"{step:.2g}" for step in study.volume.spacing_mm)
