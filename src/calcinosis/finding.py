"""One finding: a coded statement about the patient, and where it comes from."""

from dataclasses import dataclass
from typing import Literal

State = Literal["present", "absent", "unknown"]
Origin = Literal["measured", "reported"]


@dataclass(frozen=True)
class Finding:
    """A statement that is present, absent or unknown.

    Attributes:
        code: key of the finding in the knowledge base, e.g. ``fluid_calcium_level``.
        state: unknown never means absent.
        origin: measured by this software, or reported by someone.
        modality: CT, radiograph, MRI, ultrasound, scintigraphy, laboratory, history.
        value: the number behind it, where there is one, in `unit`.
        mass_id: the measured mass it belongs to, if any.
    """

    code: str
    state: State
    origin: Origin
    modality: str
    value: float | None = None
    unit: str | None = None
    mass_id: int | None = None
