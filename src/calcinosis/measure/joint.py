"""A joint seen in a scan."""

from dataclasses import dataclass
from typing import Literal

from calcinosis.measure.mass import Point

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Joint:
    """A joint seen in the scan; `side` None when the scan does not tell.

    `goes_on` tells of a spine whether the picture ends before its lower end.
    """

    name: str
    side: Side | None
    centre_lps_mm: Point
    length_mm: float = 0.0  # of the spine, upwards from the centre
    goes_on: bool = False
