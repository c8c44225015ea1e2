"""A measurement kept beside its results, so that it need not be made again for new labs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calcinosis import __version__
from calcinosis.measure.mass import Calibration, CtMeasurement, Mass, OtherCalcification
from calcinosis.volume import Study

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NAME = "measurement.npz"


def save_measurement(path: Path, study: Study, measurement: CtMeasurement) -> None:
    """Write what was measured on a study."""
    import numpy as np

    np.savez_compressed(
        path,
        about=np.array(json.dumps(_about(study))),
        facts=_facts().dump_json(_told(measurement)),
        labels=measurement.labels,
        skeleton=np.packbits(measurement.skeleton),
    )


def load_measurement(path: Path, study: Study) -> CtMeasurement | None:
    """What was measured; None where it was of another series, or by another version of ours."""
    import numpy as np

    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as kept:
        if json.loads(str(kept["about"])) != _about(study):
            return None
        masses, others, calibration, method, remarks = _facts().validate_json(kept["facts"].item())
        labels = kept["labels"]
        bones = np.unpackbits(kept["skeleton"], count=labels.size).reshape(labels.shape)
    return CtMeasurement(masses, labels, bones.astype(bool), others, calibration, method, remarks)


def _about(study: Study) -> dict[str, Any]:
    """What must be the same for a measurement to be that of a study."""
    return {
        "version": __version__,
        "series": study.series_instance_uid,
        "shape": list(study.volume.shape),
        "affine": study.volume.affine.tolist(),
    }


_Facts = tuple[
    tuple[Mass, ...],
    tuple[OtherCalcification, ...],
    Calibration,
    tuple[str, ...],
    tuple[str, ...],
]


def _told(measurement: CtMeasurement) -> _Facts:
    """All but the arrays."""
    return (
        measurement.masses,
        measurement.other_calcifications,
        measurement.calibration,
        measurement.method,
        measurement.remarks,
    )


def _facts() -> "TypeAdapter[_Facts]":
    from pydantic import TypeAdapter

    return TypeAdapter(_Facts)
