"""One straight arm, palm forward. Origin in the elbow, between trochlea and olecranon."""

import numpy as np

from calcinosis.phantom.anatomy.parts import SIGNS, Anatomy, Bone, Joint, Organ, Part, Side
from calcinosis.phantom.shapes import Ellipsoid, Point, Shape, Tube


def elbow(rng: np.random.Generator) -> Anatomy:
    """Humerus, radius, ulna, carpus and metacarpals of a left or right arm, brachial artery."""
    k = rng.uniform(0.88, 1.1)
    side, s = SIGNS[rng.integers(2)]
    fat = rng.uniform(4, 12)
    fluid = Ellipsoid((0, -12 * k, 18 * k), (12 * k, 3 * k, 9 * k))
    course = ((-12, -20, 200), (-8, -24, 60), (0, -20, 0), (6, -16, -60), (14, -14, -250))
    artery = tuple(
        (s * x * k + rng.normal(0, 1.5), y * k + rng.normal(0, 1.5), z * k) for x, y, z in course
    )
    return Anatomy(
        body=_skin(s, k, fat),
        fat_mm=fat,
        bones=(*_upper_arm_and_forearm(side, s, k), *_hand(side, s, k)),
        joints=(
            Joint("elbow", side, (0, 0, 0), 30 * k),
            Joint("wrist", side, (0, 0, -246 * k), 24 * k),
        ),
        organs=(Organ("joint fluid", fluid, rng.uniform(5, 30)),),
        vessels=(Tube(artery, (2.6, 2.4, 2.2, 1.8, 1.4)),),
        field_mm=2 * (56 * k + fat) + 20,
        z_range_mm=(-110.0, 110.0),
        body_blend_mm=8,
    )


def _skin(s: int, k: float, fat: float) -> tuple[Shape, ...]:
    course = ((0, 300), (0, 60), (0, 0), (0, -70), (0, -235))
    radii = (46, 40, 38, 40, 27)
    limb = Tube(
        tuple((0, y * k, z * k) for y, z in course), tuple(radius * k + fat for radius in radii)
    )
    return limb, Ellipsoid((s * 4 * k, 0, -300 * k), (46 * k, 16 * k + fat / 2, 75 * k))


def _upper_arm_and_forearm(side: Side, s: int, k: float) -> list[Bone]:
    def at(x: float, y: float, z: float) -> Point:  # x grows away from the midline
        return s * x * k, y * k, z * k

    humerus = (
        Part(Tube((at(0, 0, 310), at(0, 0, 90), at(0, 0, 60)), (11 * k, 11 * k, 12 * k)), 4, -40),
        Part(Ellipsoid(at(0, 1, 34), (22 * k, 8.5 * k, 32 * k)), 2.5, 60),
        Part(Ellipsoid(at(-25, 2, 12), (9 * k, 8 * k, 11 * k)), 1.4, 160),
        Part(Ellipsoid(at(22, 0, 12), (8 * k, 8 * k, 11 * k)), 1.4, 160),
        Part(Tube((at(-16, -2, 1), at(18, -4, 1)), (11 * k, 10 * k)), 1.4, 180),
    )
    ulna = (
        Part(Ellipsoid(at(-6, 18, 6), (11 * k, 8 * k, 17 * k)), 1.6, 160),
        Part(Ellipsoid(at(-8, 4, -20), (11 * k, 13 * k, 9 * k)), 1.6, 160),
        Part(
            Tube(
                (at(-8, 9, -14), at(-9, 8, -60), at(-13, 4, -130), at(-14, 4, -228)),
                (9 * k, 7.5 * k, 6.8 * k, 5.5 * k),
            ),
            2.8,
            -20,
        ),
        Part(Ellipsoid(at(-14, 4, -230), (8 * k, 8 * k, 8 * k)), 1.2, 140),
    )
    radius = (
        Part(Ellipsoid(at(17, -3, -17), (11.5 * k, 11.5 * k, 6 * k)), 1.4, 170),
        Part(
            Tube(
                (at(17, -3, -20), at(13, -1, -45), at(16, -4, -120), at(12, -2, -215)),
                (7 * k, 7.5 * k, 7.2 * k, 9 * k),
            ),
            2.8,
            -20,
        ),
        Part(Ellipsoid(at(9, -2, -229), (16 * k, 11 * k, 13 * k)), 1.4, 150),
    )
    return [
        Bone("humerus", side, humerus, blend_mm=8),
        Bone("ulna", side, ulna, blend_mm=6),
        Bone("radius", side, radius, blend_mm=6),
    ]


def _hand(side: Side, s: int, k: float) -> list[Bone]:
    rows = [
        Part(Ellipsoid((s * (x + 1) * k, (y - 2) * k, z * k), (7 * k, 8 * k, 7 * k)), 1.2, 170)
        for z in (-252, -266)
        for x, y in ((-17, 2), (-6, 0), (7, 0), (19, -2))
    ]
    rays = [
        Part(
            Tube(
                ((s * x * k, -2 * k, -277 * k), (s * 1.4 * x * k, 0, -335 * k)), (5.5 * k, 4.5 * k)
            ),
            2.0,
            20,
        )
        for x in (-17, -6, 6, 18)
    ]
    return [Bone("carpus", side, (part,), blend_mm=1) for part in rows] + [
        Bone("metacarpal", side, (part,), blend_mm=1) for part in rays
    ]
