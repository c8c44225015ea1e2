"""One arm, straight, the palm forward. Origin at the elbow; the shoulder lies outside.

Sizes: humerus after Yang et al. 2024 (doi 10.1186/s12891-024-07858-4: 44 mm wide at the joint,
59 mm at the epicondyles); radius after Mahaisavariya et al. 2004 (doi 10.1243/095441104322807785:
240 mm long, head 20.5 mm, neck 14.7 mm); ulna after Erdem, Int J Morphol, "Surgical importance of
radiographically aided morphometry of the proximal ulna" (251 mm long, 17 mm thick 54 mm below its
top and 14-15 mm at 76 mm). Humeral shaft, carpus and metacarpals are drawn by eye.
"""

import numpy as np

from calcinosis.phantom.anatomy.parts import SIGNS, Anatomy, Bone, Joint, Part, Side
from calcinosis.phantom.shapes import Ellipsoid, Plate, Point, Shape, Tube

WRIST_MM = -248.0
CARPALS = (
    ("scaphoid", 19.0, -256.0),
    ("lunate", 3.0, -257.0),
    ("triquetrum", -12.0, -260.0),
    ("trapezium", 27.0, -272.0),
    ("trapezoid", 14.0, -274.0),
    ("capitate", 1.0, -274.0),
    ("hamate", -13.0, -275.0),
)
METACARPALS = ((30.0, 46.0, -328.0), (15.0, 22.0, -350.0), (2.0, 4.0, -350.0),
               (-9.0, -13.0, -342.0), (-17.0, -29.0, -336.0))  # fmt: skip


def arm(rng: np.random.Generator) -> Anatomy:
    """Distal humerus, radius, ulna, carpus and metacarpals of a left or a right arm."""
    k = rng.uniform(0.88, 1.1)
    fat = rng.uniform(4, 14)
    side, s = SIGNS[int(rng.integers(2))]
    return Anatomy(
        body=_body(s, k, fat),
        fat_mm=fat,
        bones=(
            _humerus(side, s, k),
            _ulna(side, s, k),
            _radius(side, s, k),
            *_hand(side, s, k),
        ),
        joints=(
            Joint("elbow", side, (0, 0, 0), 34 * k),
            Joint("wrist", side, (-3 * s * k, 0, WRIST_MM * k), 28 * k),
        ),
        organs=(),
        vessels=(_brachial(s, k, rng),),
        field_mm=2 * (88 * k + fat) + 20,
        z_range_mm=(-115.0, 95.0),
        body_blend_mm=6,
    )


def _body(s: int, k: float, fat: float) -> tuple[Shape, ...]:
    limb = Tube(
        ((0, 0, 320 * k), (0, 0, 60 * k), (2 * s, 2, 0), (5 * s, 2, -60 * k), (0, 0, -225 * k)),
        (46 * k + fat, 38 * k + fat, 37 * k + fat, 39 * k + fat, 26 * k + fat / 2),
    )
    palm = Plate(
        ((20 * s * k, 0, -255 * k), (-16 * s * k, 0, -255 * k), (0, 0, -345 * k)), 34 * k + fat / 2
    )
    fan = Plate(
        ((0, 0, -250 * k), (40 * s * k, 0, -345 * k), (-26 * s * k, 0, -345 * k)), 32 * k + fat / 2
    )
    return (limb, palm, fan)


def _humerus(side: Side, s: int, k: float) -> Bone:
    def at(x: float, y: float, z: float) -> Point:  # x grows away from the trunk
        return s * x * k, y * k, z * k

    top, medial, lateral = at(0, 2, 78), at(-24, 3, 14), at(22, 1, 14)
    shaft = (at(2, 2, 330), at(0, 2, 110), at(0, 2, 72))
    columns = ((top, at(-16, 1, 30), medial), (top, at(15, 0, 30), lateral))
    trochlea = (at(-14, -4, 0), at(-3, -4, 2), at(4, -4, 2))
    parts = [
        Part(Tube(shaft, (12 * k, 10.5 * k, 10.5 * k)), 4.0, -30),
        *(Part(Tube(column, (9 * k, 6.5 * k, 6 * k)), 2.5, 60) for column in columns),
        Part(Plate((at(-14, 0, 22), at(14, 0, 22), at(0, 1, 62)), 5 * k), 2.0, 100),
        Part(Tube(trochlea, (11.5 * k, 8.5 * k, 9 * k)), 1.5, 200),
        Part(Tube((at(-10, -1, 12), at(10, -1, 12)), (8 * k, 8 * k)), 1.5, 180),
        Part(Ellipsoid(at(13, -6, 1), (10 * k, 10.5 * k, 10.5 * k)), 1.4, 200),
    ]
    return Bone("humerus", side, tuple(parts), blend_mm=6)


def _ulna(side: Side, s: int, k: float) -> Bone:
    def at(x: float, y: float, z: float) -> Point:
        return s * x * k, y * k, z * k

    shaft = (at(-8, 12, -22), at(-7, 9, -40), at(-8, 7, -66), at(-12, 5, -130), at(-17, 3, -220))
    return Bone(
        "ulna",
        side,
        (
            Part(Tube((at(-7, 19, 14), at(-7, 19, -10)), (8.5 * k, 9 * k)), 2.0, 180),
            Part(Tube((at(-7, 16, -22), at(-7, -6, -21)), (7 * k, 4.5 * k)), 2.0, 180),
            Part(Tube(shaft, (10 * k, 8.6 * k, 7.4 * k, 7 * k, 5.6 * k)), 3.3, 0),
            Part(Ellipsoid(at(-18, 3, -236), (8 * k, 8 * k, 9 * k)), 1.5, 150),
        ),
        blend_mm=6,
    )


def _radius(side: Side, s: int, k: float) -> Bone:
    def at(x: float, y: float, z: float) -> Point:
        return s * x * k, y * k, z * k

    shaft = (at(14, -5, -26), at(14, -3, -60), at(18, -3, -125), at(13, -2, -195), at(10, -2, -222))
    return Bone(
        "radius",
        side,
        (
            Part(Ellipsoid(at(14, -5, -20), (10.3 * k, 10.3 * k, 6.5 * k)), 1.5, 200),
            Part(Tube(shaft, (7.2 * k, 7.3 * k, 7.2 * k, 8 * k, 10 * k)), 3.0, 20),
            Part(Ellipsoid(at(11, -1, -42), (7.5 * k, 7.5 * k, 10 * k)), 2.0, 120),
            Part(Ellipsoid(at(8, -2, -235), (15 * k, 10.5 * k, 11 * k)), 1.4, 170),
        ),
        blend_mm=6,
    )


def _hand(side: Side, s: int, k: float) -> list[Bone]:
    def at(x: float, y: float, z: float) -> Point:
        return s * x * k, y * k, z * k

    bones = [
        Bone(name, side, (Part(Ellipsoid(at(x, 0, z), (6.8 * k, 8 * k, 7.5 * k)), 1.4, 250),))
        for name, x, z in CARPALS
    ]
    for base, head, end in METACARPALS:
        shaft = Tube((at(base, 0, -288), at(head, -1, end)), (4.4 * k, 4.2 * k))
        ends = (
            Ellipsoid(at(base, 0, -288), (6 * k, 7 * k, 6 * k)),
            Ellipsoid(at(head, -1, end), (7 * k, 7 * k, 7 * k)),
        )
        parts = (Part(shaft, 2.0, 0), *(Part(one, 1.3, 200) for one in ends))
        bones.append(Bone("metacarpal", side, parts, blend_mm=3))
    return bones


def _brachial(s: int, k: float, rng: np.random.Generator) -> Tube:
    points = ((-22, -8, 320), (-18, -14, 90), (-10, -24, 10), (-4, -22, -40), (12, -18, -140))
    bent = tuple(
        (s * x * k + rng.normal(0, 2), y * k + rng.normal(0, 2), z * k) for x, y, z in points
    )
    return Tube(bent, (2.6, 2.5, 2.3, 1.8, 1.4))
