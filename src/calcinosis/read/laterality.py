"""Which side of the body a CT of one limb is of, as its header says."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from calcinosis.read import dicom
from calcinosis.volume import StatedSide

if TYPE_CHECKING:
    from pydicom import Dataset

_CODES: dict[str, Literal["left", "right"]] = {"L": "left", "R": "right"}
# English, German, French, Spanish, Italian. A side counts only where a part of a limb is named:
# "left lateral", "left ventricle" and the like say nothing of a limb.
_WORDS: dict[Literal["left", "right"], str] = {
    "left": r"left|links|linke[mnrs]?|gauche|izquierd[ao]|sinistr[ao]",
    "right": r"right|rechts|rechte[mnrs]?|droite?|derech[ao]|destr[ao]",
}
_SHORT: dict[Literal["left", "right"], str] = {"left": r"l|lt|li", "right": r"r|rt|re"}
_BOTH = r"both|bilat\w*|bds|beid\w+|deux|ambos|ambas|entramb\w+"
_LIMB = (
    r"shoulders?|elbows?|wrists?|hands?|hips?|thighs?|knees?|ankles?|foot|feet|legs?|limbs?"
    r"|(?:fore|upper ?)?arms?|extremit\w+|humerus|femur|tibia"
    r"|schulter|ell(?:en)?bogen|handgelenk|hüft\w*|huefte|knie|sprunggelenk|fu(?:ß|ss)|bein"
    r"|(?:ober|unter)(?:arm|schenkel)"
    r"|épaule|epaule|coude|poignet|hanche|cuisse|genou|cheville|pied|bras|jambe"
    r"|hombro|codo|muñeca|mano|cadera|muslo|rodilla|tobillo|brazo|pierna"
    r"|spalla|gomito|polso|anca|coscia|ginocchio|caviglia|piede|braccio|gamba"
)


def stated_side(path: Path, header: "Dataset") -> StatedSide | None:
    """The side that a header states, and where; None where it is silent or names both."""
    anatomy = dicom.functional_group(header, 0, "FrameAnatomySequence")
    stated = {
        "Image Laterality": dicom.text(path, header, "ImageLaterality"),
        "Frame Laterality": dicom.text(path, anatomy, "FrameLaterality"),
        "Laterality": dicom.text(path, header, "Laterality"),
    }
    told = {attribute: code.upper() for attribute, code in stated.items() if code}
    if told:
        side = _CODES.get(next(iter(told.values())))
        return StatedSide(side, next(iter(told))) if side and len({*told.values()}) == 1 else None
    described = [
        dicom.text(path, header, keyword) for keyword in ("SeriesDescription", "StudyDescription")
    ]
    in_words = side_in_words(" ".join(described))
    return StatedSide(in_words, "description") if in_words else None


def side_in_words(described: str) -> Literal["left", "right"] | None:
    """``left knee``, ``Knie li``, ``genou gauche``: left; None where not exactly one is named."""
    words = described.lower().replace("_", " ")
    if _names(_BOTH, words) or not _names(_LIMB, words):
        return None
    sides = {side for side, word in _WORDS.items() if _names(word, words)}
    short = "|".join(_SHORT.values())
    if _names(rf"(?:{short})[. ]+(?:{_LIMB})|(?:{_LIMB})[ ,]+(?:{short})", words):
        sides |= {side for side, letters in _SHORT.items() if _names(letters, words)}
    return sides.pop() if len(sides) == 1 else None


def _names(alternatives: str, words: str) -> bool:
    return bool(re.search(rf"(?<!\w)(?:{alternatives})(?!\w)", words))
