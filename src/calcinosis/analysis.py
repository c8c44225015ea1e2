"""The whole story of one study: measure, explain, forecast."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from calcinosis.finding import Finding
from calcinosis.measure.mass import CtMeasurement
from calcinosis.volume import Study


@dataclass(frozen=True, eq=False)
class Analysis:
    """What one study yielded.

    Attributes:
        study: the scan that was measured.
        measurement: masses, other calcifications, and how they were measured.
        findings: what the measurement means, as coded statements.
        timings_s: seconds each step took.
    """

    study: Study
    measurement: CtMeasurement
    findings: tuple[Finding, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
