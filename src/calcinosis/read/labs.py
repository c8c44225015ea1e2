"""Laboratory results from a CSV file: date, analyte or LOINC code, value, unit.

Comma, semicolon or tab between the columns; a header names them. Between semicolons values may have
a decimal comma, as spreadsheets write in many countries. Analytes we have no use for are
passed over and named, so that a slip of spelling is seen. Everything else that is not sound stops
the reading with the row at fault.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from calcinosis.analyte import find_analyte, is_known
from calcinosis.errors import InputError, NotReadableError
from calcinosis.lab_result import LabResult

# Titles of each column, the plainest first: "name" beside "test" is the patient's.
_COLUMNS = {
    "date": ("date", "datetime", "collected", "taken", "day"),
    "analyte": ("analyte", "test", "parameter", "name"),
    "loinc": ("loinc", "loinc code", "loinc_code", "code"),
    "value": ("value", "result"),
    "unit": ("unit", "units"),
}
_PATIENT = ("patient_id", "patient id", "patientid", "patient", "mrn", "id")


Row = tuple[int, dict[str, str]]  # its number, and its cells by column


@dataclass(frozen=True)
class Labs:
    """Results read from a file, the row of each, and the analytes it held that we do not use."""

    results: tuple[LabResult, ...]
    rows: tuple[str, ...]
    passed_over: tuple[str, ...] = ()


def read_labs(path: Path) -> Labs:
    """Read laboratory results from CSV.

    Raises:
        NotReadableError: no such file, or not text.
        InputError: a missing column, a value without unit, an impossible value, a unit the analyte
            is not measured in, a future date, or two rows for one analyte at one time; names the
            row.
    """
    table = _table(path, _COLUMNS)
    return _labs(path, table.rows, decimal_comma=table.decimal_comma)


def read_labs_of_patients(path: Path) -> dict[str, Labs]:
    """Read results of many patients from CSV: the same columns, and one of patients' IDs.

    Raises:
        NotReadableError, InputError: as `read_labs`; also where a row names no patient.
    """
    table = _table(path, {**_COLUMNS, "patient": _PATIENT})
    of_patients: dict[str, list[Row]] = defaultdict(list)
    for number, row in table.rows:
        if not row["patient"]:
            raise InputError(f"{path} row {number}: names no patient; expected the patient's ID")
        of_patients[row["patient"]].append((number, row))
    return {
        patient: _labs(path, rows, decimal_comma=table.decimal_comma)
        for patient, rows in of_patients.items()
    }


@dataclass(frozen=True)
class _Table:
    """Rows with their numbers, cells by the column they stand in."""

    rows: tuple[Row, ...]
    decimal_comma: bool


def _table(path: Path, titles: Mapping[str, Sequence[str]]) -> _Table:
    delimiter, rows = _rows(path)
    if not rows:
        raise InputError(f"{path}: is empty; expected a header with date, analyte, value, unit")
    columns = _columns(path, rows[0][1], titles)
    if not rows[1:]:
        raise InputError(f"{path}: holds a header without results; expected one row for each")
    named = tuple(
        (number, {name: cells[at] if at < len(cells) else "" for name, at in columns.items()})
        for number, cells in rows[1:]
    )
    return _Table(named, delimiter == ";" and any("," in row["value"] for _, row in named))


def _labs(path: Path, rows: Iterable[Row], *, decimal_comma: bool) -> Labs:
    """The results of one patient's rows."""
    numbered: list[tuple[str, LabResult]] = []
    passed_over: list[str] = []
    for number, row in rows:
        where = f"{path} row {number}"
        name = _analyte(row, where)
        if is_known(name):
            numbered.append(
                (f"row {number}", _result(row, name, where, decimal_comma=decimal_comma))
            )
        else:
            passed_over.append(name)
    rows_used = tuple(row for row, _ in numbered)
    results = without_twins(numbered, str(path))
    return Labs(results, rows_used, tuple(dict.fromkeys(passed_over)))


def _rows(path: Path) -> tuple[str, list[tuple[int, list[str]]]]:
    """What stands between the columns, and each row that is not empty with its number."""
    lines = _text(path).splitlines()
    header = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=header.count)
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for number, row in enumerate(reader, start=1):
            if any(cell.strip() for cell in row):
                rows.append((number, [cell.strip() for cell in row]))
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: is no row of CSV ({error})") from None
    return delimiter, rows


def without_twins(results: Iterable[tuple[str, LabResult]], where: str) -> tuple[LabResult, ...]:
    """The results, each with its place; refuses two of one analyte at one moment."""
    seen: dict[tuple[object, object], tuple[str, LabResult]] = {}
    for place, result in results:
        first_place, first = seen.setdefault((result.analyte, result.taken), (place, result))
        if first is result:
            continue
        day = result.day or "an unknown date"
        if first.value == result.value:
            raise InputError(f"{where}: {place} repeats {first_place} ({result.analyte}, {day})")
        raise InputError(
            f"{where}: {first_place} and {place} both give {result.analyte} on {day} "
            f"({first.value:g} and {result.value:g} {result.unit}); keep the one drawn before "
            "dialysis, or add times"
        )
    return tuple(result for _, result in seen.values())


def number_with_comparator(
    text: str, where: str, *, decimal_comma: bool = False
) -> tuple[float, Literal["", "<", ">"]]:
    """Read ``5.4``, ``<3`` or ``>2000``.

    Refuses ``5,4``, whose comma may mean thousands, unless a decimal comma is known to be used;
    then ``5.4`` is refused, whose point may mean them.
    """
    bare = text.strip()
    if decimal_comma:
        if "." in bare:
            raise InputError(
                f"{where}: found value {text!r}, expected a decimal comma as in other rows"
            )
        bare = bare.replace(",", ".")
    comparator: Literal["", "<", ">"] = ""
    if bare[:1] in {"<", ">"}:
        comparator = "<" if bare[0] == "<" else ">"
        bare = bare[1:].lstrip("= ")
    try:
        return float(bare.replace("_", "x")), comparator  # Python would read 1_0 as ten
    except ValueError:
        hint = "a decimal point" if "," in bare else "a number"
        raise InputError(f"{where}: found value {text!r}, expected {hint}") from None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotReadableError(f"{path}: {error.strerror}") from None
    if b"\0" in data:
        raise NotReadableError(f"{path}: is not a text file; expected CSV")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # older laboratory systems write µ so


def _columns(path: Path, header: list[str], wanted: Mapping[str, Sequence[str]]) -> dict[str, int]:
    at = {title.lower(): place for place, title in enumerate(header)}
    found = {
        column: next(at[title] for title in titles if title in at)
        for column, titles in wanted.items()
        if at.keys() & {*titles}
    }
    needed = (name for name in wanted if name not in ("analyte", "loinc"))
    missing = [name for name in needed if name not in found]
    if "analyte" not in found and "loinc" not in found:
        missing.append("analyte or loinc")
    if missing:
        raise InputError(f"{path}: found columns {', '.join(header)}; missing {', '.join(missing)}")
    return found


def _analyte(row: dict[str, str], where: str) -> str:
    name, code = row.get("analyte", ""), row.get("loinc", "")
    if not name and not code:
        raise InputError(f"{where}: names no analyte")
    if name and code and is_known(name) and is_known(code):
        by_name, by_code = find_analyte(name), find_analyte(code)
        if by_name is not by_code:
            raise InputError(
                f"{where}: analyte {name!r} contradicts LOINC {code}, which is {by_code.label}"
            )
    return code if is_known(code) or not name else name


def _result(row: dict[str, str], name: str, where: str, *, decimal_comma: bool) -> LabResult:
    if not row["date"]:
        raise InputError(f"{where}: has no date; expected YYYY-MM-DD")
    value, comparator = number_with_comparator(row["value"], where, decimal_comma=decimal_comma)
    try:
        return LabResult.measured(name, value, row["unit"], row["date"], comparator)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
