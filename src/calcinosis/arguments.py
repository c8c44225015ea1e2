"""Arguments of the command line: those of several commands, and those that need reading."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from calcinosis.measure.mass import Calibration, Point

PORT = click.IntRange(0, 65535)


class StatedPath(click.Path):
    """A path that says something: an empty one would be the current folder."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """Refuse an empty path, as an unset variable of a shell gives it."""
        if value == "":
            self.fail("the path is empty; expected a file or folder", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = StatedPath(path_type=Path)
force_option = click.option(
    "--force", is_flag=True, help="Replace the results of an earlier run in the output folder."
)
labs_option = click.option("--labs", type=FOLDER, help="Laboratory results: CSV, or a FHIR bundle.")
patient_option = click.option(
    "--patient", type=FOLDER, help="What is known of the patient: case file or FHIR."
)
findings_option = click.option(
    "--findings",
    type=FOLDER,
    multiple=True,
    help="What was found on another image: mri.json, ultrasound.json, ... Repeatable.",
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress, and no lines of result.")


def seconds(_context: click.Context, option: click.Parameter, value: float) -> float:
    """A span of time, seconds; `nan`, which click takes for a number, is none."""
    if not value >= 0:
        raise click.BadParameter(f"found {value:g}; expected 0 seconds or more", param=option)
    return value


def points_lps(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> tuple["Point", ...]:
    """Read ``118.5,-20,-340``, LPS millimetres, as often as it was given."""
    return tuple(_point_lps(value) for value in values)


def point_lps(_context: click.Context, _option: click.Parameter, value: str) -> "Point":
    """Read ``118.5,-20,-340``, LPS millimetres."""
    return _point_lps(value)


def pixel_given(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read ``118,240``: column and row of a pixel."""
    if value is None:
        return None
    numbers = _numbers(value)
    if len(numbers) != 2 or not all(number >= 0 and number % 1 == 0 for number in numbers):
        raise click.BadParameter(
            f"found {value!r}; expected COLUMN,ROW of a pixel, counted from 0 at the top left, "
            "as in 118,240"
        )
    return int(numbers[0]), int(numbers[1])


def pixel_box_given(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[slice, slice] | None:
    """Read ``90,200,150,260``: left, top, right and bottom of a box, as rows and columns."""
    if value is None:
        return None
    numbers = _numbers(value)
    whole = len(numbers) == 4 and all(number >= 0 and number % 1 == 0 for number in numbers)
    if not whole or not (numbers[0] < numbers[2] and numbers[1] < numbers[3]):
        raise click.BadParameter(
            f"found {value!r}; expected LEFT,TOP,RIGHT,BOTTOM of a box in pixels, counted from 0 "
            "at the top left, as in 90,200,150,260"
        )
    left, top, right, bottom = (int(number) for number in numbers)
    return slice(top, bottom + 1), slice(left, right + 1)


def calibration_given(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> "Calibration | None":
    """Read ``0.74`` or ``0.74,0.05``: mg per mL and HU, and its relative standard deviation."""
    if value is None:
        return None
    from calcinosis.measure.calcium import OWN_PHANTOM_UNCERTAINTY, calibration_by_phantom

    factor, *more = _numbers(value)
    share = more[0] if more else OWN_PHANTOM_UNCERTAINTY
    if len(more) > 1 or not (0.1 <= factor <= 5 and 0 <= share < 1):
        raise click.BadParameter(
            f"found {value!r}; expected mg hydroxyapatite per mL and HU (0.1 to 5), and perhaps "
            "its relative standard deviation (below 1), as in 0.74,0.05"
        )
    return calibration_by_phantom(factor, share)


def _point_lps(text: str) -> "Point":
    numbers = _numbers(text)
    if len(numbers) != 3 or not all(math.isfinite(number) for number in numbers):
        raise click.BadParameter(
            f"found {text!r}; expected X,Y,Z in LPS millimetres, as in 118.5,-20,-340"
        )
    x, y, z = numbers
    return x, y, z


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.split(",")]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
