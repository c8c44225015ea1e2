"""Thorax with shoulders and upper arms. Origin midway between the glenohumeral joints."""

import numpy as np

from calcinosis.phantom.anatomy.parts import SIGNS, Anatomy, Bone, Joint, Organ, Part, Side
from calcinosis.phantom.shapes import Cut, Ellipsoid, Plate, Point, Shape, Tube


def shoulders(rng: np.random.Generator) -> Anatomy:
    """Both shoulders, arms along the body."""
    return _trunk(rng, z_range_mm=(-90.0, 60.0))


def thorax(rng: np.random.Generator) -> Anatomy:
    """The chest below the shoulders: ribs, spine, sternum, costal cartilage, upper arms."""
    return _trunk(rng, z_range_mm=(-240.0, -60.0))


def _trunk(rng: np.random.Generator, z_range_mm: tuple[float, float]) -> Anatomy:
    k = rng.uniform(0.9, 1.08)
    fat = rng.uniform(5, 22)
    width, depth = rng.uniform(128, 145) * k, rng.uniform(86, 104) * k
    bones = [*_spine(k, depth), _sternum(k, depth), *_ribs(k, width, depth, rng)]
    joints, vessels = [], []
    for side, s in SIGNS:
        bones += _shoulder(side, s, k)
        joints.append(Joint("shoulder", side, (168 * k * s, 8, 0), 42 * k))
        joints.append(Joint("elbow", side, (196 * k * s, 20, -310 * k), 30 * k))
        vessels.append(_axillary(s, k, rng))
    return Anatomy(
        body=_body(k, fat, width, depth),
        fat_mm=fat,
        bones=tuple(bones),
        joints=tuple(joints),
        organs=_organs(k, width, depth),
        vessels=tuple(vessels),
        field_mm=2 * (236 * k + fat) + 20,
        z_range_mm=z_range_mm,
        body_blend_mm=18,
    )


def _body(k: float, fat: float, width: float, depth: float) -> tuple[Shape, ...]:
    chest = Ellipsoid((0, 0, -190), (width + 34 * k + fat, depth + 20 * k + fat, 290))
    arms = tuple(
        Tube(
            ((150 * k * s, 8, 2), (186 * k * s, 12, -70), (200 * k * s, 20, -330)),
            (44 * k + fat, 38 * k + fat, 36 * k + fat),
        )
        for _, s in SIGNS
    )
    neck = Tube(((0, 15, -30), (0, 5, 180)), (75 * k + fat, 58 * k))
    girdle = Tube(((-140 * k, 12, 0), (140 * k, 12, 0)), (52 * k + fat, 52 * k + fat))
    return (chest, neck, girdle, *arms)


def _shoulder(side: Side, s: int, k: float) -> list[Bone]:
    def at(x: float, y: float, z: float) -> Point:
        return s * x * k, y * k, z * k

    humerus = (
        Part(Ellipsoid(at(172, 6, 0), (24 * k, 24 * k, 24 * k)), 1.2, 230),
        Part(Ellipsoid(at(186, 0, -4), (14 * k, 19 * k, 20 * k)), 1.2, 120),
        Part(
            Tube((at(178, 4, -14), at(184, 8, -70), at(196, 18, -300)), (20 * k, 13 * k, 12 * k)),
            3.5,
            -30,
        ),
    )
    spine_in, acromion = at(78, 74, -6), at(176, 36, 36)
    scapula = (
        Part(Tube((at(143, 14, 6), at(142, 16, -16)), (12 * k, 13 * k)), 1.6, 200),
        Part(Plate((at(136, 22, 0), spine_in, at(84, 62, 34)), 5 * k), 1.6, 150),
        Part(Plate((at(136, 22, -10), spine_in, at(96, 84, -118)), 5 * k), 1.6, 150),
        Part(Tube((at(96, 80, -110), at(138, 24, -20)), (4 * k, 5 * k)), 1.8, 150),
        Part(Plate((spine_in, at(140, 60, 16), at(118, 48, -2)), 6 * k), 1.6, 150),
        Part(Tube((spine_in, at(140, 62, 20), acromion), (5 * k, 6 * k, 9 * k)), 1.8, 140),
        Part(
            Tube((at(132, 4, 20), at(136, -24, 22), at(150, -28, 12)), (8 * k, 6 * k, 5 * k)),
            1.6,
            160,
        ),
    )
    clavicle = (
        Part(
            Tube(
                (at(24, -56, -22), at(70, -50, 8), at(120, -2, 34), at(164, 20, 38)),
                (11 * k, 6.5 * k, 6 * k, 8 * k),
            ),
            2.2,
            90,
        ),
    )
    return [
        Bone("humerus", side, humerus, blend_mm=9),
        Bone("scapula", side, scapula, blend_mm=5),
        Bone("clavicle", side, clavicle, blend_mm=3),
    ]


def _spine(k: float, depth: float) -> list[Bone]:
    bones = []
    for level in range(16):
        z = (70 - 26 * level) * k
        y = (depth - 36 * k) * min(1, 0.55 + 0.07 * level)
        body = Ellipsoid((0, y, z), (17 * k, 15 * k, 13 * k))
        parts = [
            Part(
                Cut(Cut(body, (0, 0, z + 10 * k), (0, 0, 1)), (0, 0, z - 10 * k), (0, 0, -1)),
                1.0,
                150,
            )
        ]
        for _, s in SIGNS:
            pedicle = (
                (s * 13 * k, y + 8, z),
                (s * 14 * k, y + 24 * k, z - 2),
                (s * 30 * k, y + 30 * k, z + 2),
            )
            lamina = ((s * 13 * k, y + 24 * k, z - 2), (0.0, y + 36 * k, z - 8))
            parts += [Part(Tube(pedicle, (5 * k, 5 * k, 4 * k)), 1.5, 160)]
            parts += [Part(Tube(lamina, (4 * k, 4 * k)), 1.5, 160)]
        parts.append(
            Part(Tube(((0, y + 36 * k, z - 8), (0, y + 58 * k, z - 24)), (3.5, 4)), 1.5, 150)
        )
        bones.append(Bone("vertebra", None, tuple(parts), blend_mm=4))
    return bones


def _sternum(k: float, depth: float) -> Bone:
    manubrium = Plate(((-26 * k, -58 * k, -24), (26 * k, -58 * k, -24), (0, -72 * k, -70)), 12 * k)
    body = Tube(((0, -74 * k, -75), (0, -depth + 4, -170 * k)), (9 * k, 9 * k))
    return Bone("sternum", None, (Part(manubrium, 1.2, 110), Part(body, 1.2, 110)), blend_mm=6)


def _ribs(k: float, width: float, depth: float, rng: np.random.Generator) -> list[Bone]:
    """Each rib falls forward; its cartilage, calcified with age, goes on to the sternum."""
    bones = []
    calcified = rng.uniform(0, 1)
    for level in range(12):
        w = width * min(1.0, 0.42 + 0.14 * level) - 4
        d = depth * min(1.0, 0.5 + 0.1 * level) - 4
        z = (48 - 26 * level) * k
        for side, s in SIGNS:
            angles = np.linspace(0.12, 2.45, 14)
            points = [
                (s * w * np.sin(a), d * np.cos(a) * 0.92, z - 34 * k * (1 - np.cos(a)))
                for a in angles
            ]
            rib = Tube(_points(points), (5.2 * k,) * len(points))
            bones.append(Bone("rib", side, (Part(rib, 1.2, 90),), cortex_hu=950, blend_mm=1))
            if level < 9:
                x, y, z_end = points[-1]
                end = (s * 12.0, min(y, -depth * 0.8), z_end - 2 * k * max(0, 5 - level))
                cartilage = Tube(_points([(x, y, z_end), end]), (5.5 * k, 5 * k))
                rim, core = 130 + 350 * calcified * rng.uniform(0.2, 1), 95.0
                bones.append(
                    Bone("costal cartilage", side, (Part(cartilage, 1.0, core),), 1, cortex_hu=rim)
                )
    return bones


def _points(points: list[tuple[float, float, float]]) -> tuple[Point, ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


def _axillary(s: int, k: float, rng: np.random.Generator) -> Tube:
    points = ((40, -18, 10), (95, -16, 4), (135, -6, -28), (160, 10, -80), (176, 20, -240))
    bent = [(s * x * k + rng.normal(0, 2), y * k + rng.normal(0, 2), z * k) for x, y, z in points]
    return Tube(_points(bent), (4.5, 4.2, 3.8, 3.0, 2.4))


def _organs(k: float, width: float, depth: float) -> tuple[Organ, ...]:
    lungs = []
    for name, s in (("left lung", 1), ("right lung", -1)):
        lung = Ellipsoid((s * 0.5 * width, 2, -175 * k), (0.46 * width - 4, 0.82 * depth, 165 * k))
        lungs.append(Organ(name, lung, -850.0))
    heart = Ellipsoid((22, -20, -225 * k), (52 * k, 42 * k, 55 * k))
    aorta = Tube(((20, 0.35 * depth, -110 * k), (16, 0.45 * depth, -400)), (12 * k, 11 * k))
    trachea = Tube(((0, 8, 160), (0, 22, -110 * k)), (9 * k, 9 * k))
    return (
        Organ("mediastinum", Ellipsoid((0, 8, -175 * k), (42, 60, 180)), -60.0),
        *lungs,
        Organ("heart", heart, 42.0),
        Organ("aorta", aorta, 44.0),
        Organ("trachea", trachea, -960.0),
    )
