"""Calcinosis: from a CT study to measured calcified masses, and what they mean.

from pathlib import Path

from calcinosis import analyze, read_study, write_results

analysis = analyze(read_study(Path("path/to/dicom")))
for mass in analysis.measurement.masses:
    print(mass.id, mass.site, mass.volume_ml, mass.volume_ci95_ml)
write_results(analysis, Path("report"))
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from calcinosis.analysis import Analysis, analyze
    from calcinosis.errors import CalcinosisError
    from calcinosis.finding import Finding
    from calcinosis.measure.mass import CtMeasurement, Mass
    from calcinosis.read.study import read_study
    from calcinosis.volume import Study, Volume
    from calcinosis.write.results import write_results

__all__ = [
    "Analysis",
    "CalcinosisError",
    "CtMeasurement",
    "Finding",
    "Mass",
    "Study",
    "Volume",
    "__version__",
    "analyze",
    "read_study",
    "write_results",
]

# Where each public name lives; loaded when first used, so that commands start at once.
_HOMES = {
    "Analysis": "calcinosis.analysis",
    "CalcinosisError": "calcinosis.errors",
    "CtMeasurement": "calcinosis.measure.mass",
    "Finding": "calcinosis.finding",
    "Mass": "calcinosis.measure.mass",
    "Study": "calcinosis.volume",
    "Volume": "calcinosis.volume",
    "analyze": "calcinosis.analysis",
    "read_study": "calcinosis.read.study",
    "write_results": "calcinosis.write.results",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("calcinosis")
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
