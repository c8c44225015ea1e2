"""Codes that SEG, SR and FHIR share: standard ones where there is one, else our own.

Our own (scheme 99CALCINOSIS) name what no standard code says; their meanings are self-explaining.
Names of measurements keep to 16 characters: longer codes stand in an attribute of their own, for
which highdicom 0.28 does not look when it reads a report.
"""

from typing import TYPE_CHECKING, Final

from calcinosis.measure.mass import BoneRelation, Site

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

MANUFACTURER = "The Calcinosis developers"
MODEL = "Calcinosis"
SCHEME: Final = "99CALCINOSIS"

# SNOMED CT body structures; DICOM PS3.16 CID 4 and CID 6 list most of them.
_REGIONS = {
    "hip": ("29836001", "Hip"),
    "knee": ("72696002", "Knee"),
    "ankle": ("70258002", "Ankle joint"),
    "shoulder": ("16982005", "Shoulder"),
    "elbow": ("16953009", "Elbow joint"),
    "wrist": ("74670003", "Wrist joint"),
    "sacroiliac": ("39723000", "Sacroiliac joint"),
    "pubic symphysis": ("82561000", "Symphysis pubis"),
    "lumbar spine": ("122496007", "Lumbar spine"),
    "thoracic spine": ("122495006", "Thoracic spine"),
}
# SNOMED CT bone structures, as PS3.16 names them (CID 4, CID 7304).
_BONES = {
    "femur": ("71341001", "Femur"),
    "tibia": ("12611008", "Tibia"),
    "fibula": ("87342007", "Fibula"),
    "patella": ("64234005", "Patella"),
    "humerus": ("85050009", "Humerus"),
    "radius": ("62413002", "Radius"),
    "ulna": ("23416004", "Ulna"),
    "hip bone": ("118645006", "Bone structure of pelvis"),
    "sacrum": ("54735007", "Sacrum"),
    "vertebra": ("51282000", "Vertebra"),
    "rib": ("113197003", "Rib"),
    "sternum": ("56873002", "Sternum"),
    "scapula": ("79601000", "Scapula"),
}
_SIDES = {"left": ("7771000", "Left"), "right": ("24028007", "Right")}
_SOFT_TISSUE = ("87784001", "Soft tissue")
# DICOM's Calcium Mass (122661) does not say that calcium scores count hydroxyapatite; this does.
HYDROXYAPATITE = ("HA_MASS", "Mass of calcium hydroxyapatite")


def sct(code: tuple[str, str]) -> "Code":
    """A SNOMED CT code from (value, meaning)."""
    from pydicom.sr.coding import Code

    return Code(code[0], "SCT", code[1])


def own(value: str, meaning: str) -> "Code":
    """A code of our scheme."""
    from pydicom.sr.coding import Code

    return Code(value, SCHEME, meaning)


def region(site: Site | None) -> tuple[str, str]:
    """SNOMED CT value and meaning of where a mass lies; soft tissue where that is not known."""
    return _REGIONS.get(site.joint, _SOFT_TISSUE) if site else _SOFT_TISSUE


def laterality(site: Site | None) -> tuple[str, str] | None:
    """SNOMED CT value and meaning of left or right, or None."""
    return _SIDES[site.side] if site and site.side else None


def nearest_bone(bone: BoneRelation) -> tuple[str, str] | None:
    """SNOMED CT value and meaning of the bone nearest to a mass, or None where it has no name."""
    return _BONES.get(bone.nearest) if bone.nearest else None


def segment_codes(kind: str) -> "tuple[Code, Code]":
    """Segmented property category and type of a mass, the skeleton, or another calcification.

    A `lump` is a mass of which the images do not tell whether it is calcified. Standard codes are
    of PS3.16 CID 6104, 7150, 7151, 7191, 7198 and 3491.
    """
    from pydicom.sr.codedict import codes

    lesion, calcification = codes.SCT.MorphologicallyAbnormalStructure, "Pathologic calcification"
    return {
        "mass": (lesion, sct(("18115005", calcification))),
        "lump": (lesion, codes.SCT.Mass),
        "skeleton": (codes.SCT.Tissue, codes.SCT.BoneTissue),
        "vascular": (lesion, codes.SCT.VascularCalcification),
        "phlebolith": (lesion, own("PHLEBOLITH", "Phlebolith")),
        "granuloma": (lesion, own("GRANULOMA", "Calcified granuloma")),
        "metal": (codes.SCT.PhysicalObject, own("METAL", "Metal")),
        "contrast": (codes.SCT.Substance, codes.SCT.ContrastAgent),
        "unclassified": (lesion, sct(("18115005", calcification))),
    }[kind]


def place(site: Site | None) -> str:
    """Side and joint in words; soft tissue where no joint is near."""
    return site.in_words if site else "soft tissue"


def label(mass_id: int, site: Site | None) -> str:
    """How a mass is called where people pick it from a list."""
    return f"Calcified mass {mass_id}, {place(site)}" if site else f"Calcified mass {mass_id}"


def percent(probability: float) -> float:
    """A probability as a percentage that claims no certainty: 0.1 to 99.9."""
    return round(min(max(100 * probability, 0.1), 99.9), 1)
