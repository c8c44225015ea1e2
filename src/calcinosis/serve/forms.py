"""What a page sends: the fields of a form, and an uploaded file."""

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from calcinosis.errors import InputError

_MOST_FIELDS, _LARGEST_FIELD_BYTES = 60, 100_000


async def read_form(request: Request) -> FormData:
    """The form of a request; larger ones than ours are refused by starlette."""
    return await request.form(
        max_files=1, max_fields=_MOST_FIELDS, max_part_size=_LARGEST_FIELD_BYTES
    )


def written(form: FormData) -> dict[str, str]:
    """The fields of a form that hold text, which files do not."""
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def uploaded(form: FormData) -> bytes:
    """The file in a form; nothing where none was chosen."""
    file = form.get("file")
    return await file.read() if isinstance(file, UploadFile) else b""


def as_text(data: bytes, expected: str) -> str:
    """An uploaded file as text; older laboratory systems write CP1252.

    Raises:
        InputError: it is empty or no text; says what was expected.
    """
    if not data.strip():
        raise InputError(f"the file is empty; expected {expected}")
    if b"\0" in data:
        raise InputError(f"the file is not text; expected {expected}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
