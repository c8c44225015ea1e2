"""What the ``diagnose`` command does: one case or many, to the terminal, as JSON, or as a page."""

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path

from calcinosis.errors import InputError
from calcinosis.explain.explanation import Explanation, explain, explain_many
from calcinosis.read.case_file import read_cases
from calcinosis.read.other_images import findings_of_other_images
from calcinosis.read.patient_file import read_patient_file
from calcinosis.write.explanation.record import case_json
from calcinosis.write.explanation.text import one_line, summary


def is_many(path: Path) -> bool:
    """Whether a file holds one case per line."""
    return path.suffix.lower() in {".jsonl", ".ndjson"}


def explained(
    path: Path, images: Sequence[Path] = ()
) -> Iterator[tuple[str | int | None, Explanation]]:
    """Every case of a file with its id; all are checked before the first is explained.

    Args:
        path: the case, or cases.
        images: what was found on images of the one case.

    Raises:
        InputError: names the line and field that cannot be used.
    """
    if not is_many(path):
        measured = findings_of_other_images(images, sizes=True)
        known = read_patient_file(path)
        yield known.case.id, explain(known.case, known.patient, measured)
        return
    if images:
        raise InputError(f"{path}: holds several cases; findings are of one, in a file of its own")
    cases = list(read_cases(path))
    gc.disable()  # no answer refers to itself, so none needs collecting: a fifth of the time
    try:
        yield from zip((case.id for case in cases), explain_many(cases), strict=True)
    finally:
        gc.enable()


def json_lines(path: Path, images: Sequence[Path] = ()) -> Iterator[str]:
    """The answer as JSON: one object per case, one line each if there may be many."""
    indented = not is_many(path)
    for case_id, explanation in explained(path, images):
        yield case_json(explanation, case_id, indented=indented)


def text_lines(path: Path, images: Sequence[Path] = ()) -> Iterator[str]:
    """The answer for the terminal: a page for one case, a line each for many."""
    for number, (case_id, explanation) in enumerate(explained(path, images), start=1):
        if is_many(path):
            yield one_line(explanation, str(case_id if case_id is not None else number))
        else:
            yield summary(explanation, case_id)


def write_diagnosis(
    path: Path, output: Path, images: Sequence[Path] = (), *, force: bool = False
) -> None:
    """Write the page and the JSON into `output`.

    Raises:
        OutputError: `output` is a file, is not empty (without `force`), or cannot be written.
    """
    from calcinosis.write.explanation.page import render_case, render_cases
    from calcinosis.write.files import result_folder

    answers = list(explained(path, images))
    with result_folder(output, force=force) as folder:
        lines = "\n".join(case_json(e, name, indented=not is_many(path)) for name, e in answers)
        name = "diagnosis.jsonl" if is_many(path) else "diagnosis.json"
        (folder / name).write_text(lines + "\n", encoding="utf-8")
        page = render_cases(answers) if is_many(path) else render_case(*answers[0])
        (folder / "report.html").write_text(page, encoding="utf-8")
