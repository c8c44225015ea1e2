"""A measurement kept beside its results, so that it need not be made again for new labs."""

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

from calcinosis import __version__
from calcinosis.measure.mass import CtMeasurement, Mass, OtherCalcification
from calcinosis.volume import Study

NAME = "measurement.pickle"


def save_measurement(path: Path, study: Study, measurement: CtMeasurement) -> None:
    """Write what was measured on a study."""
    path.write_bytes(pickle.dumps((_about(study), measurement)))


def load_measurement(path: Path, study: Study) -> CtMeasurement | None:
    """What was measured; None where it was of another series, or by another version of ours.

    Only ever a file that `save_measurement` wrote, in a folder that is its owner's alone.
    """
    try:
        about, measurement = pickle.loads(path.read_bytes())  # noqa: S301 - our own file
    except Exception:  # noqa: BLE001 - another version's may raise anything
        return None
    known = about == _about(study) and isinstance(measurement, CtMeasurement)
    return measurement if known else None


def _about(study: Study) -> dict[str, Any]:
    """What must be the same for a measurement to be that of a study."""
    return {
        "version": __version__,
        "fields": [[one.name for one in fields(kind)] for kind in _KINDS],
        "series": study.series_instance_uid,
        "shape": study.volume.shape,
        "affine": study.volume.affine.tolist(),
    }


_KINDS = (CtMeasurement, Mass, OtherCalcification)
