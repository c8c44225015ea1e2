"""Both knees. Origin midway between them, at the joint line."""

import numpy as np

from calcinosis.phantom.anatomy.parts import SIGNS, Anatomy, Bone, Joint, Organ, Part, Side
from calcinosis.phantom.shapes import Ellipsoid, Plate, Point, Shape, Tube


def knees(rng: np.random.Generator) -> Anatomy:
    """Distal femora, tibiae, fibulae, patellae, popliteal vessels; two separate legs."""
    k = rng.uniform(0.88, 1.1)
    apart = rng.uniform(82, 120)
    fat = rng.uniform(6, 18)
    bones: list[Bone] = []
    vessels, joints, organs = [], [], []
    body: list[Shape] = []
    for side, s in SIGNS:
        c = s * apart
        bones += _bones(side, s, c, k)
        body.append(_leg(c, k, fat))
        joints.append(Joint("knee", side, (c, 0, 0), 42 * k))
        vessels.append(_popliteal(c, k, rng))
        fluid = Ellipsoid((c, -36 * k, 32 * k), (20 * k, 5 * k, 24 * k))
        organs.append(Organ("suprapatellar fluid", fluid, rng.uniform(5, 30)))
    return Anatomy(
        body=tuple(body),
        fat_mm=fat,
        bones=tuple(bones),
        joints=tuple(joints),
        organs=tuple(organs),
        vessels=tuple(vessels),
        field_mm=2 * (apart + 62 * k + fat) + 20,
        z_range_mm=(-75.0, 75.0),
        body_blend_mm=0.5,
    )


def _leg(c: float, k: float, fat: float) -> Shape:
    points = ((c, 4.0, 320.0), (c, 4.0, 90.0), (c, 0.0, 0.0), (c, 14.0, -110.0), (c, 12.0, -320.0))
    radii = (72 * k + fat, 58 * k + fat, 52 * k + fat, 48 * k + fat, 34 * k + fat)
    return Tube(points, radii)


def _bones(side: Side, s: int, c: float, k: float) -> list[Bone]:
    def at(x: float, y: float, z: float) -> Point:  # x grows away from the midline
        return c + s * x * k, y * k, z * k

    femur = (
        Part(
            Tube((at(6, -6, 330), at(3, -8, 90), at(0, -6, 40)), (14 * k, 15 * k, 22 * k)), 5, -40
        ),
        Part(Ellipsoid(at(21, 6, 22), (16 * k, 29 * k, 20 * k)), 1.4, 170),
        Part(Ellipsoid(at(-21, 7, 21), (16 * k, 30 * k, 20 * k)), 1.4, 170),
        Part(Ellipsoid(at(0, -10, 30), (30 * k, 15 * k, 18 * k)), 1.4, 150),
    )
    tibia = (
        Part(Ellipsoid(at(0, 4, -15), (38 * k, 25 * k, 12 * k)), 1.5, 180),
        Part(
            Tube(
                (at(0, 4, -22), at(0, 0, -70), at(-4, -4, -140), at(-6, 0, -330)),
                (27 * k, 16 * k, 13 * k, 12 * k),
            ),
            4.0,
            -30,
        ),
        Part(Ellipsoid(at(0, -20, -44), (10 * k, 8 * k, 14 * k)), 1.8, 120),
    )
    fibula = (
        Part(Ellipsoid(at(36, 24, -28), (10 * k, 10 * k, 14 * k)), 1.2, 120),
        Part(Tube((at(36, 24, -35), at(33, 24, -120), at(32, 20, -330)), (6.5 * k,) * 3), 2.5, -20),
    )
    patella = (
        Part(Ellipsoid(at(2, -44, 20), (21 * k, 9 * k, 21 * k)), 1.6, 230),
        Part(Plate((at(-10, -42, 24), at(12, -42, 24), at(1, -41, 2)), 10 * k), 1.6, 200),
    )
    return [
        Bone("femur", side, femur, blend_mm=12),
        Bone("tibia", side, tibia, blend_mm=10),
        Bone("fibula", side, fibula, blend_mm=6),
        Bone("patella", side, patella, blend_mm=6),
    ]


def _popliteal(c: float, k: float, rng: np.random.Generator) -> Tube:
    points = ((-18, 14, 150), (-8, 34, 60), (0, 42, 10), (4, 34, -50), (6, 26, -150))
    bent = tuple(
        (c + x * k + rng.normal(0, 2), y * k + rng.normal(0, 2), z * k) for x, y, z in points
    )
    return Tube(bent, (3.6, 3.4, 3.2, 2.6, 2.0))
