"""A point to be measured as a mass, typed into a form: LPS millimetres."""

from collections.abc import Mapping

from calcinosis.measure.mass import Point
from calcinosis.serve.typed_number import typed_number

AXES = {
    "x": "x, mm to the patient's left",
    "y": "y, mm to the back",
    "z": "z, mm to the head",
}


def seed_of(form: Mapping[str, str]) -> Point:
    """The point that a filled form names.

    Raises:
        InputError: names the field that holds no number.
    """
    x, y, z = (typed_number(form.get(name, ""), label) for name, label in AXES.items())
    return x, y, z
