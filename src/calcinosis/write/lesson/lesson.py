"""What the command ``lesson`` leaves: lesson.html and lesson.zip."""

from collections.abc import Sequence
from pathlib import Path

from calcinosis.write.lesson import script
from calcinosis.write.lesson.page import render
from calcinosis.write.lesson.scorm import PAGE, write_package
from calcinosis.write.lesson.taught import Begin, Taught, teach

PACKAGE = "lesson.zip"


def write_lesson(folder: Path, begin: Begin, names: Sequence[str] = script.BUILT_IN) -> None:
    """Draw, measure and ask about the built-in cases, and write them into an existing folder.

    Args:
        folder: exists, and is empty.
        begin: given the name of a step, returns what is called with its fraction done.
        names: of the cases.

    Raises:
        DisagreementError: the program answers a case otherwise than it was drawn.
    """
    cases = [
        teach(script.load_case(name), f"Case {number}", begin)
        for number, name in enumerate(names, start=1)
    ]
    begin("Writing")
    write_pages(folder, cases)


def write_pages(folder: Path, cases: Sequence[Taught], *, artificial: bool = True) -> None:
    """Write the page and the package."""
    opening = script.load_opening()
    page = render(cases, opening, artificial=artificial)
    (folder / PAGE).write_text(page, encoding="utf-8")
    write_package(page, opening.title, folder / PACKAGE)
