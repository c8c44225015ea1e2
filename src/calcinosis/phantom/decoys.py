"""Dense things that are no calcified mass: vessels, phleboliths, granulomas, metal, contrast."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from calcinosis.phantom.anatomy import Anatomy
from calcinosis.phantom.grid import Float
from calcinosis.phantom.shapes import Bounds, Cut, Ellipsoid, Minus, Point, Shape, Tube, Waves
from calcinosis.phantom.tissue import Tissue
from calcinosis.phantom.truth import DecoyTruth

if TYPE_CHECKING:
    from collections.abc import Callable

DecoyName = Literal[
    "vessel", "phlebolith", "granuloma", "nail", "implant", "contrast", "bladder_contrast", "bowel"
]
DECOY_NAMES: tuple[DecoyName, ...] = get_args(DecoyName)
METAL_FILL_HU = 8000.0


@dataclass(frozen=True)
class Scene:
    """What decoys are painted into, and what decides them."""

    anatomy: Anatomy
    tissue: Tissue
    gravity_lps: Point
    rng: np.random.Generator


@dataclass(frozen=True)
class VesselWall:
    """Patchy calcification of a vessel's wall: a tram-track where cut along."""

    tube: Tube
    wall_mm: float
    patches: Waves
    threshold: float

    def distance(self, x: Float, y: Float, z: Float) -> Float:
        """Distance to the nearest patch, first-order."""
        wall = np.abs(self.tube.distance(x, y, z)) - np.float32(self.wall_mm / 2)
        patch = (np.float32(self.threshold) - self.patches(x, y, z)) * np.float32(3)
        return np.asarray(np.maximum(wall, patch), np.float32)

    def bounds(self) -> Bounds:
        """Those of the vessel, grown by its wall."""
        low, high = self.tube.bounds()
        return low - self.wall_mm, high + self.wall_mm


def add_decoys(names: tuple[DecoyName, ...], scene: Scene) -> tuple[DecoyTruth, ...]:
    """Paint each kind asked for; a name may stand more than once."""
    painters: dict[DecoyName, Callable[[Scene], list[DecoyTruth]]] = {
        "vessel": _vessels,
        "phlebolith": _phleboliths,
        "granuloma": _granuloma,
        "nail": _nail,
        "implant": _implant,
        "contrast": _contrast,
        "bladder_contrast": _bladder_contrast,
        "bowel": _bowel,
    }
    return tuple(truth for name in names for truth in painters[name](scene))


def _paint(
    scene: Scene, kind: str, shape: Shape, hu: float, *, over_bone: bool = False
) -> list[DecoyTruth]:
    volume = scene.tissue.paint(shape, hu, over_bone=over_bone)
    if volume <= 0:
        return []
    low, high = shape.bounds()
    x, y, z = (low + high) / 2
    return [DecoyTruth(kind, volume, (float(x), float(y), float(z)))]


def _vessels(scene: Scene) -> list[DecoyTruth]:
    rng, found = scene.rng, []
    for vessel in scene.anatomy.vessels:
        for i in range(len(vessel.points) - 1):
            part = Tube(vessel.points[i : i + 2], vessel.radii[i : i + 2])
            wall = VesselWall(
                tube=part,
                wall_mm=rng.uniform(0.7, 1.6),
                patches=Waves.random(rng, rng.uniform(8, 25)),
                threshold=rng.uniform(-0.8, 1.2),
            )
            found += _paint(scene, "vascular", wall, rng.uniform(350, 1000))
    return found


def _phleboliths(scene: Scene) -> list[DecoyTruth]:
    """Round, 2–6 mm, often with a lucent centre; low in the pelvis beside the bladder."""
    rng, found = scene.rng, []
    for _ in range(int(rng.integers(2, 7))):
        centre = _point_near(scene, rng)
        radius = rng.uniform(1.0, 3.0)
        found += _paint(scene, "phlebolith", _ball(centre, radius), rng.uniform(300, 800))
        if radius > 1.6 and rng.random() < 0.6:
            scene.tissue.paint(_ball(centre, 0.4 * radius), rng.uniform(80, 200))
    return found


def _point_near(scene: Scene, rng: np.random.Generator) -> Point:
    if any(organ.name == "bladder" for organ in scene.anatomy.organs):
        side = rng.choice([-1, 1])
        return side * rng.uniform(34, 58), rng.uniform(8, 40), rng.uniform(-25, 40)
    vessel = scene.anatomy.vessels[rng.integers(len(scene.anatomy.vessels))]
    point = vessel.points[rng.integers(1, len(vessel.points) - 1)]
    x, y, z = np.asarray(point) + rng.normal(0, 7, 3)
    return float(x), float(y), float(z)


def _granuloma(scene: Scene) -> list[DecoyTruth]:
    """Injection granulomas in the subcutaneous fat, eggshell or solid; posterior."""
    rng, found = scene.rng, []
    fat = scene.anatomy.fat_mm
    depth = scene.tissue.body_distance_mm
    y = scene.tissue.grid.coordinates()[1]
    eligible = (depth < -5) & (depth > -max(fat, 9)) & (y > 20)
    places = np.argwhere(eligible)
    for _ in range(int(rng.integers(1, 5))):
        if not len(places):
            break
        x, yy, z = scene.tissue.grid.to_lps(places[rng.integers(len(places))])
        axes = rng.uniform(1.5, 6.5) * np.exp(rng.normal(0, 0.25, 3))
        outer = Ellipsoid((float(x), float(yy), float(z)), (axes[0], axes[1], axes[2]))
        shape: Shape = outer
        if rng.random() < 0.6 and axes.min() > 2.2:
            shell = rng.uniform(0.8, 1.4)
            inner = axes - shell
            shape = Minus(outer, replace(outer, semi_axes=(inner[0], inner[1], inner[2])))
        found += _paint(scene, "granuloma", shape, rng.uniform(250, 900))
    return found


def _femur_line(scene: Scene) -> tuple[Point, ...]:
    """The longest rod of a long bone on a random side: where a nail goes."""
    rods = [
        part.shape
        for bone in scene.anatomy.bones
        if bone.name in ("femur", "humerus")
        for part in bone.parts
        if isinstance(part.shape, Tube) and len(part.shape.points) > 2
    ]
    return rods[scene.rng.integers(len(rods))].points


def _nail(scene: Scene) -> list[DecoyTruth]:
    points = _femur_line(scene)
    nail = Tube(points, (5.0,) * len(points))
    found = _paint(scene, "metal", nail, METAL_FILL_HU, over_bone=True)
    x, y, z = points[0]
    screw = Tube(((x - 32, y, z + 22), (x + 6, y, z - 6)), (2.6, 2.6))
    return found + _paint(scene, "metal", screw, METAL_FILL_HU, over_bone=True)


def _implant(scene: Scene) -> list[DecoyTruth]:
    """A prosthesis: head, cup and stem in place of the joint's bone."""
    joint = scene.anatomy.joints[scene.rng.integers(len(scene.anatomy.joints))]
    x, y, z = joint.centre
    s = 1 if x > 0 else -1
    head = _ball(joint.centre, 14.0)
    stem = Tube(((x, y, z), (x + s * 34, y + 4, z - 36), (x + s * 28, y + 3, z - 170)), (7, 8, 4.5))
    shell = Minus(_ball(joint.centre, 27.0), _ball(joint.centre, 24.0))
    cup = Cut(shell, joint.centre, (s * 0.7, 0.0, -0.7))
    found: list[DecoyTruth] = []
    for shape in (head, stem, cup):
        found += _paint(scene, "metal", shape, METAL_FILL_HU, over_bone=True)
    return found


def _contrast(scene: Scene) -> list[DecoyTruth]:
    hu = scene.rng.uniform(180, 420)
    found: list[DecoyTruth] = []
    for vessel in scene.anatomy.vessels:
        found += _paint(scene, "contrast", vessel, hu)
    return found


def _bladder_contrast(scene: Scene) -> list[DecoyTruth]:
    """Contrast lying under urine: a true fluid–fluid level that is no mass."""
    found: list[DecoyTruth] = []
    for organ in scene.anatomy.organs:
        if organ.name == "bladder":
            low, high = organ.shape.bounds()
            down = np.asarray(scene.gravity_lps)
            x, y, z = (low + high) / 2 - down * scene.rng.uniform(-6, 8)
            upward = (-scene.gravity_lps[0], -scene.gravity_lps[1], -scene.gravity_lps[2])
            pool = Cut(organ.shape, (float(x), float(y), float(z)), upward)
            found += _paint(scene, "contrast", pool, scene.rng.uniform(250, 1200))
    return found


def _bowel(scene: Scene) -> list[DecoyTruth]:
    """Bowel loops filled with oral contrast."""
    found: list[DecoyTruth] = []
    for organ in scene.anatomy.organs:
        if organ.name == "bowel" and scene.rng.random() < 0.6:
            found += _paint(scene, "contrast", organ.shape, scene.rng.uniform(150, 500))
    return found


def _ball(centre: Point, radius: float) -> Ellipsoid:
    return Ellipsoid(centre, (radius, radius, radius))
