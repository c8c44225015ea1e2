"""What `calcinosis phantom` does: words on the command line to options, a phantom to files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calcinosis.errors import InputError
from calcinosis.phantom.dicom import write_series
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.output import write_truth
from calcinosis.phantom.patient import Phantom, PhantomOptions, demo_phantom, make_phantom

_NUMBERS = ("volume_ml", "erosion_mm")
_WORDS = ("contact", "joint", "side", "texture", "style")


def write_phantom(
    folder: Path, *, demo: bool, masses: tuple[str, ...], decoys: str, options: dict[str, Any]
) -> Phantom:
    """Make the phantom; write its series into ``folder/dicom``, its truth into ``folder/truth``.

    Raises:
        InputError: an option that cannot be met.
        OutputError: the folder cannot be written.
    """
    if demo:
        phantom = demo_phantom()
    else:
        names: Any = tuple(name for name in decoys.split(",") if name)
        chosen = tuple(parse_mass(text) for text in masses)
        phantom = make_phantom(PhantomOptions(masses=chosen, decoys=names, **options))
    write_series(phantom, folder / "dicom")
    write_truth(phantom, folder / "truth")
    return phantom


def in_brief(phantom: Phantom, folder: Path) -> Iterator[str]:
    """What was written into `folder`, in lines for the user."""
    yield f"{phantom.volume.shape[0]} slices in {folder / 'dicom'}, truth in {folder / 'truth'}"
    for mass in phantom.truth.masses:
        where = f"{mass.side} {mass.joint}" if mass.joint else "soft tissue"
        yield (
            f"mass {mass.id}: {where}, {mass.volume_ml:.1f} mL, {len(mass.locules)} locules, "
            f"{len(mass.levels)} fluid levels"
        )


def parse_mass(text: str) -> MassOptions:
    """`volume_ml=40,contact=touching` to options; an empty text leaves all to the seed.

    Raises:
        InputError: an unknown key, or a value that is no number where one is expected.
    """
    values: dict[str, Any] = {}
    for entry in filter(None, text.split(",")):
        key, _, value = entry.partition("=")
        if key in _WORDS:
            values[key] = value
        elif key in _NUMBERS:
            try:
                values[key] = float(value)
            except ValueError:
                raise InputError(f"{key} in --mass must be a number; found {value!r}") from None
        else:
            known = ", ".join((*_NUMBERS, *_WORDS))
            raise InputError(f"--mass has no key {key!r}; expected one of {known}")
    return MassOptions(**values)
