"""A number typed into a form."""

import math

from calcinosis.errors import InputError


def typed_number(text: str, label: str) -> float:
    """The number in a field, with a decimal point or comma; its minus may be that of a page.

    Raises:
        InputError: it is none; the message names the field by its label.
    """
    try:
        value = float(text.replace(",", ".").replace("−", "-"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        found = repr(text[:20]) if text.strip() else "nothing"
        raise InputError(f"{label}: found {found}, expected a number")
    return value
