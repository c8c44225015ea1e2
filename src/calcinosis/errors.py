"""What can go wrong, as a tree.

    CalcinosisError            one clear line for the user; exit status 2
    ├── InputError (ValueError)    a file or value that cannot be used: says what, found, expected
    │   ├── NotReadableError       not a file we can decode (truncated, wrong format, unsafe)
    │   ├── GeometryError          slices that do not make a volume
    │   └── NotCtError             a readable image that is not a CT in Hounsfield units
    └── OutputError (OSError)      the output place cannot be used

Anything else that escapes is a defect of ours and exits with status 1.
"""


class CalcinosisError(Exception):
    """The user must change something; the message is the one line they read."""


class InputError(CalcinosisError, ValueError):
    """An input file or value that cannot be used."""


class NotReadableError(InputError):
    """A file that cannot be decoded, or that is unsafe to decode."""


class GeometryError(InputError):
    """Slices whose positions or sizes do not make a volume."""


class NotCtError(InputError):
    """A readable image that is not a CT in Hounsfield units."""


class OutputError(CalcinosisError, OSError):
    """The output folder cannot be used as asked."""
