"""Where down is in a radiograph: only a beam across gravity shows fluid levels."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.read import dicom

if TYPE_CHECKING:
    from pydicom import Dataset

WAYS: dict[str, tuple[int, int]] = {
    "down": (1, 0),
    "up": (-1, 0),
    "left": (0, -1),
    "right": (0, 1),
}
ALONG_BEAM = "none"
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
# SNOMED CT and SRT codes of Patient Orientation and its modifier (PS3.16 CID 19 and 20), and words.
_ERECT = {"10904000", "F-10440"}
_LYING = {"102538003", "40199007", "1240000", "F-10450", "F-10340", "F-10310"}
_LEFT_DOWN = {"102535000", "F-10319"}
_RIGHT_DOWN = {"102536004", "F-10317"}
_SAYS_ERECT = r"\b(erect|upright|standing|stehend|debout|weight[- ]?bearing|wb)\b"
_SAYS_LYING = r"\b(supine|recumbent|prone|liegend|couch[ée]e?)\b"
_SAYS_LEFT_DOWN = r"\b(left lateral decub\w*|l(eft)?[- ]decub\w*|lld)\b"
_SAYS_RIGHT_DOWN = r"\b(right lateral decub\w*|r(ight)?[- ]decub\w*|rld)\b"
_SAYS_ACROSS = r"\b(cross[- ]?table|horizontal beam|shoot[- ]?through|horizontaler strahl\w*)\b"


@dataclass(frozen=True)
class Gravity:
    """Which way is down in the picture.

    Attributes:
        way: (row, column) of a unit step; None where the beam ran along it or nobody says.
        because: why, or why it is not known; a sentence.
    """

    way: tuple[int, int] | None
    because: str


def stated_gravity(way: str) -> Gravity:
    """As the user states it; empty: not stated."""
    if way in WAYS:
        return Gravity(WAYS[way], f"Gravity runs {way} in the picture, as stated.")
    if way == ALONG_BEAM:
        return Gravity(None, "The beam ran along gravity, as stated: no fluid level can be seen.")
    return Gravity(
        None,
        "Nobody says how beam and gravity ran; if the beam was horizontal, state --gravity.",
    )


def gravity_of(path: Path, about: "Dataset", way: tuple[str, str]) -> Gravity:
    """By what the header says of the patient's posture and of the sides of the picture.

    Args:
        path: to be named.
        about: the header.
        way: sides of the patient towards which rows run right and columns run down.
    """
    codes = _codes(about)
    words = " ".join(
        dicom.text(path, about, keyword)
        for keyword in (
            "ViewPosition",
            "SeriesDescription",
            "StudyDescription",
            "ProtocolName",
            "AcquisitionDeviceProcessingDescription",
            "PatientPosition",
        )
    ).lower()
    for said, known, side in (
        (_SAYS_LEFT_DOWN, _LEFT_DOWN, "L"),
        (_SAYS_RIGHT_DOWN, _RIGHT_DOWN, "R"),
        (_SAYS_ACROSS, set[str](), "P"),
        (_SAYS_ERECT, _ERECT, "F"),
    ):
        if codes & known or re.search(said, words):
            return _towards(side, way)
    if codes & _LYING or re.search(_SAYS_LYING, words):
        return Gravity(
            None,
            "The patient lay and the header tells of no horizontal beam: a fluid level cannot be "
            "judged; if the beam was horizontal, state --gravity.",
        )
    return Gravity(
        None,
        "The header does not say whether the beam was horizontal; if it was, state --gravity.",
    )


def _towards(side: str, way: tuple[str, str]) -> Gravity:
    posture = {
        "F": "the patient was upright",
        "L": "the patient lay on the left side",
        "R": "the patient lay on the right side",
        "P": "the patient lay on the back and the beam was horizontal",
    }[side]
    right, down = way
    found = {down: "down", right: "right", _OPPOSITE.get(down): "up", _OPPOSITE.get(right): "left"}
    if side in found:
        name = found[side]
        return Gravity(
            WAYS[name], f"Gravity runs {name} in the picture: the header says {posture}."
        )
    return Gravity(
        None,
        f"The header says {posture}, but not how the picture lies (PatientOrientation); if the "
        "beam was horizontal, state --gravity.",
    )


def _codes(about: "Dataset") -> set[str]:
    """Codes of posture, of the sequence and of its modifiers."""
    found = set()
    for item in about.get("PatientOrientationCodeSequence") or []:
        found.add(str(item.get("CodeValue", "")))
        for modifier in item.get("PatientOrientationModifierCodeSequence") or []:
            found.add(str(modifier.get("CodeValue", "")))
    return found
