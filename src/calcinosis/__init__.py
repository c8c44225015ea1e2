"""Calcinosis: from a CT study to measured calcified masses, and what they mean."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calcinosis.errors import CalcinosisError
    from calcinosis.finding import Finding
    from calcinosis.measure.mass import CtMeasurement, Mass
    from calcinosis.volume import Study, Volume

__all__ = [
    "CalcinosisError",
    "CtMeasurement",
    "Finding",
    "Mass",
    "Study",
    "Volume",
    "__version__",
]
__version__ = version("calcinosis")

# Where each public name lives; loaded when first used, so that commands start at once.
_HOMES = {
    "CalcinosisError": "calcinosis.errors",
    "CtMeasurement": "calcinosis.measure.mass",
    "Finding": "calcinosis.finding",
    "Mass": "calcinosis.measure.mass",
    "Study": "calcinosis.volume",
    "Volume": "calcinosis.volume",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
