"""A study compared with an earlier CT of the same patient, where the node has measured one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.errors import CalcinosisError, InputError
from calcinosis.measure.mass import CtMeasurement, Point
from calcinosis.own_process import without_quotation
from calcinosis.read.numbered import by_number
from calcinosis.serve.given import read_given_seeds
from calcinosis.volume import Study
from calcinosis.write.measurement_file import NAME, load_measurement, save_measurement

if TYPE_CHECKING:
    from calcinosis.follow.follow_up import FollowUp, Measure

MOST_EARLIER = 3  # tried, the latest first, until one shows the same part of the body


@dataclass(frozen=True)
class EarlierScan:
    """A study of an earlier day.

    Attributes:
        study_date: as DICOM has it.
        instances: folder of its files.
        run: folder of its latest results.
        seeds: points that it was measured with, as kept.
    """

    study_date: str
    instances: str
    run: str
    seeds: str | None


@dataclass(frozen=True, eq=False)
class MeasuredScan:
    """A study and what was measured on it with these seeds (LPS mm)."""

    study: Study
    measurement: CtMeasurement
    seeds_lps_mm: tuple[Point, ...]


def compare(
    now: MeasuredScan, earlier: Sequence[EarlierScan], run: Path, last_run: Path | None
) -> tuple["FollowUp | None", tuple[str, ...]]:
    """Follow the masses of the latest earlier scan that shows the same part of the body.

    Args:
        now: the study in hand.
        earlier: the latest first.
        run: folder to keep in what has to be measured again with seeds from the other scan.
        last_run: where that was kept the last time.

    Returns:
        The comparison, None where there is none to make; and why a scan was left out.
    """
    compared, remarks = None, []
    for scan in earlier:
        try:
            follow = _compared(scan, now, run, last_run)
        except CalcinosisError as error:
            line = by_number(without_quotation(error), Path(scan.instances))
            remarks.append(f"Not compared with the CT of {_day(scan.study_date)}: {line}.")
            continue
        if follow and any(mass.course != "not comparable" for mass in follow.masses):
            return follow, tuple(remarks)
        compared = compared or follow
    return compared, tuple(remarks)


def _compared(
    scan: EarlierScan, now: MeasuredScan, run: Path, last_run: Path | None
) -> "FollowUp | None":
    """None where neither has a mass, or the earlier one is just being measured anew.

    Raises:
        InputError: they are of two people, or of different parts of the body.
    """
    from calcinosis.follow.follow_up import follow_up
    from calcinosis.follow.pair import differences
    from calcinosis.read.study import read_study

    study, seeds = read_study(Path(scan.instances)), read_given_seeds(scan.seeds)
    if apart := differences(study.subject, now.study.subject):
        raise InputError(f"under one Patient ID, yet with different {' and '.join(apart)}")
    measurement = load_measurement(Path(scan.run) / NAME, study, seeds)
    if measurement is None or not (measurement.masses or now.measurement.masses):
        return None
    then = MeasuredScan(study, measurement, seeds)
    kept = _kept({"earlier": then, "later": now}, run, last_run)
    follow = follow_up(study, now.study, measure=kept)
    if not any(mass.pose for mass in follow.masses):
        raise InputError("beside no mass do the bones fit, as in another part of the body")
    return follow


def _kept(scans: dict[str, MeasuredScan], run: Path, last_run: Path | None) -> "Measure":
    """What was measured; with seeds from the other scan, what was measured so the last time."""

    def measure(
        study: Study, seeds: Sequence[Point], progress: Callable[[float], None] | None
    ) -> CtMeasurement:
        name, scan = next(item for item in scans.items() if item[1].study is study)
        if not seeds:
            return scan.measurement
        asked, file = (*scan.seeds_lps_mm, *seeds), f"{name}.{NAME}"
        found = load_measurement(last_run / file, study, asked) if last_run else None
        if found is None:
            from calcinosis.measure.ct import measure_ct

            found = measure_ct(study, seeds_lps_mm=asked, progress=progress)
        save_measurement(run / file, study, found, asked)
        return found

    return measure


def _day(dicom_date: str) -> str:
    return f"{dicom_date[:4]}-{dicom_date[4:6]}-{dicom_date[6:]}"
