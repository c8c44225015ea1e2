"""Numbers as a radiologist reads them: three significant digits, one style everywhere."""

import math

# Okabe & Ito's colour-blind-safe palette (https://jfly.uni-koeln.de/color/), reordered so that
# the first masses stand out most on grey.
PALETTE = ("#e69f00", "#56b4e9", "#f0e442", "#cc79a7", "#00b386", "#d55e00", "#4c8fd6")


def colour(mass_id: int) -> str:
    """The colour a mass has in every picture and table."""
    return PALETTE[(mass_id - 1) % len(PALETTE)]


def decimals(value: float) -> int:
    """Decimals that give `value` three significant digits, two at the most."""
    if value == 0:
        return 0
    return min(2, max(0, 2 - math.floor(math.log10(abs(value)))))


def number(value: float, places: int | None = None) -> str:
    """123.4 → 123; 1.234 → 1.23; −5.02; thousands set apart by a thin space."""
    places = decimals(value) if places is None else places
    text = f"{abs(value):,.{places}f}".replace(",", "\u202f")
    negative = value < 0 and float(f"{abs(value):.{places}f}") > 0
    return f"−{text}" if negative else text


def quantity(value: float, unit: str, interval: tuple[float, float] | None = None) -> str:
    """A value with its unit and 95 % interval: ``123 mL [117–130]``."""
    if interval is None:
        return f"{number(value)}\u00a0{unit}"
    places = decimals(max(value, *interval))
    low, high = (number(bound, places) for bound in interval)
    return f"{number(value, places)}\u00a0{unit} [{low}–{high}]"


def length(millimetres: float) -> str:
    """A distance in mm, to a tenth below 10 mm: no CT measures finer."""
    return f"{number(millimetres, 0 if millimetres >= 10 else 1)}\u00a0mm"


def hydroxyapatite(milligrams: float, interval: tuple[float, float] | None = None) -> str:
    """A mass of calcium hydroxyapatite in mg, or in g from 1 g upwards."""
    if milligrams < 1000:
        return quantity(milligrams, "mg", interval)
    scaled = None if interval is None else (interval[0] / 1000, interval[1] / 1000)
    return quantity(milligrams / 1000, "g", scaled)


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """One mass, two masses, no masses: counts up to ten in words."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    word = words[count] if count < len(words) else str(count)
    many = noun + "s" if nouns is None else nouns
    return f"{word} {noun if count == 1 else many}"
