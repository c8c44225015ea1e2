"""Pelvis and both hips. Origin midway between the femoral heads."""

import numpy as np

from calcinosis.phantom.anatomy.parts import SIGNS, Anatomy, Bone, Joint, Organ, Part, Side
from calcinosis.phantom.shapes import Cut, Ellipsoid, Minus, Plate, Point, Shape, Tube


def hips(rng: np.random.Generator) -> Anatomy:
    """Pelvis, sacrum, both proximal femora, bladder, bowel and femoral vessels."""
    k = rng.uniform(0.9, 1.08)
    fat = rng.uniform(10, 38)
    bones = [_sacrum(k)]
    joints, vessels = [], []
    neck_drop, head = rng.uniform(28, 42), rng.uniform(22, 26) * k
    for side, s in SIGNS:
        bones += [_femur(side, s, k, head, neck_drop), _hip_bone(side, s, k, head)]
        joints.append(Joint("hip", side, (88 * k * s, 0, 0), 45 * k))
        vessels += [_artery(s, k, rng), _vein(s, k)]
    return Anatomy(
        body=_body(k, fat),
        fat_mm=fat,
        bones=tuple(bones),
        joints=tuple(joints),
        organs=_organs(k, rng),
        vessels=tuple(vessels),
        field_mm=2 * (165 * k + fat) + 24,
        z_range_mm=(-95.0, 55.0),
    )


def _body(k: float, fat: float) -> tuple[Shape, ...]:
    trunk: Shape = Ellipsoid((0, 15 * k, 190), (158 * k + fat, 100 * k + fat, 235))
    thighs = tuple(
        Tube(
            ((92 * k * s, 8, 10), (95 * k * s, 5, -150), (90 * k * s, 5, -420)),
            (78 * k + fat * 0.9, 72 * k + fat * 0.7, 58 * k),
        )
        for _, s in SIGNS
    )
    return (trunk, *thighs)


def _femur(side: Side, s: int, k: float, head: float, neck_drop: float) -> Bone:
    def at(x: float, y: float, z: float) -> Point:
        return s * x * k, y * k, z * k

    neck_end = at(126, 4, -neck_drop)
    return Bone(
        "femur",
        side,
        (
            Part(Ellipsoid(at(88, 0, 0), (head, head, head)), 1.3, 330),
            Part(Tube((at(92, 0, -3), neck_end), (17 * k, 17 * k)), 2.0, 190),
            Part(Ellipsoid(at(136, 12, -26), (15 * k, 21 * k, 24 * k)), 1.4, 120),
            Part(Ellipsoid(at(116, 24, -66), (11 * k, 11 * k, 15 * k)), 1.8, 120),
            Part(
                Tube(
                    (neck_end, at(129, 6, -70), at(120, 2, -190), at(108, 4, -420)),
                    (20 * k, 17 * k, 14.5 * k, 15 * k),
                ),
                5.0,
                -30,
            ),
        ),
        blend_mm=9,
    )


def _hip_bone(side: Side, s: int, k: float, head: float) -> Bone:
    def at(x: float, y: float, z: float) -> Point:
        return s * x * k, y * k, z * k

    centre = at(88, 0, 0)
    shell = Minus(Ellipsoid(centre, (head + 9,) * 3), Ellipsoid(centre, (head + 3.5,) * 3))
    cup = Cut(shell, at(94, -4, -6), (s * 1.0, -0.35, -0.75))
    roof = at(88, 4, 30)
    crest_front, crest_top, crest_back = at(122, -38, 78), at(132, 10, 122), at(52, 68, 92)
    wing = (
        Plate((roof, crest_front, crest_top), 10 * k),
        Plate((roof, crest_top, crest_back), 11 * k),
        Plate((roof, crest_back, at(54, 60, 50)), 15 * k),
    )
    rods = (
        Tube((at(70, 26, 0), at(64, 40, -50), at(58, 38, -68)), (14 * k, 15 * k, 16 * k)),
        Tube((at(56, 34, -70), at(34, 2, -62), at(16, -20, -52)), (9 * k, 7 * k, 8 * k)),
        Tube((at(72, -18, 4), at(44, -34, -14), at(14, -32, -30)), (11 * k, 8.5 * k, 11 * k)),
        Tube((at(14, -32, -30), at(13, -24, -52)), (9 * k, 8 * k)),
        Tube((at(76, 16, 26), at(62, 44, 40)), (13 * k, 12 * k)),
    )
    parts = [Part(cup, 1.8, 260)]
    parts += [Part(shape, 1.6, 150) for shape in wing]
    parts += [Part(shape, 1.7, 140) for shape in rods]
    return Bone("hip bone", side, tuple(parts), blend_mm=8)


def _sacrum(k: float) -> Bone:
    vertebrae = tuple(
        Part(Ellipsoid((0, (52 + 0.22 * (90 - z)) * k, z * k), (w * k, 16 * k, 17 * k)), 1.0, 110)
        for z, w in ((98, 50), (74, 44), (50, 36), (28, 27), (8, 18))
    )
    coccyx = Tube(((0, 68 * k, 0), (0, 60 * k, -25 * k), (0, 50 * k, -38 * k)), (9, 7, 4))
    return Bone("sacrum", None, (*vertebrae, Part(coccyx, 1.2, 120)), blend_mm=10)


def _artery(s: int, k: float, rng: np.random.Generator) -> Tube:
    points = [(58, 8, 120), (66, -22, 60), (78, -46, 10), (82, -50, -30), (86, -38, -130)]
    points += [(84, -20, -300)]
    bent = [(s * x * k + rng.normal(0, 3), y * k + rng.normal(0, 3), z * k) for x, y, z in points]
    return Tube(tuple(bent), (4.6, 4.4, 4.2, 4.0, 3.3, 3.0))


def _vein(s: int, k: float) -> Tube:
    points = ((50, 16, 120), (58, -14, 60), (66, -42, 10), (71, -44, -30), (78, -30, -130))
    return Tube(tuple((s * x * k, y * k, z * k) for x, y, z in points), (6.0, 6, 5.5, 5, 4.5))


def _organs(k: float, rng: np.random.Generator) -> tuple[Organ, ...]:
    fullness = rng.uniform(0.35, 1.0)
    organs = [
        Organ("pelvic fat", Ellipsoid((0, 12 * k, 65 * k), (78 * k, 60 * k, 90 * k)), -98),
        Organ(
            "bladder",
            Ellipsoid(
                (0, -12 * k, 12 * k + 12 * fullness),
                (38 * fullness * k, 30 * fullness * k, 28 * fullness * k),
            ),
            rng.uniform(-2, 12),
        ),
        Organ("rectum", Tube(((0, 44, 70), (6, 40, 10), (0, 36, -40)), (14 * k, 15 * k, 10)), 38),
    ]
    for _ in range(int(rng.integers(6, 14))):
        centre = (rng.uniform(-58, 58) * k, rng.uniform(-35, 30) * k, rng.uniform(40, 120) * k)
        axes = tuple(rng.uniform(9, 20, 3))
        hu = rng.choice([30.0, 45.0, 15.0, -700.0])
        organs.append(Organ("bowel", Ellipsoid(centre, (axes[0], axes[1], axes[2])), float(hu)))
    return tuple(organs)
