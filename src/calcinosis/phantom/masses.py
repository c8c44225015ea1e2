"""Planning a mass: how many locules, how large, what fills them. Drawing follows in `drawing`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.phantom.cellular import grow
from calcinosis.phantom.locules import Content, Kind, Locules
from calcinosis.phantom.packed import pack
from calcinosis.phantom.shapes import Point, Waves, as_point

Texture = Literal[
    "sedimented", "paste", "mixed", "cystic", "microlocular", "cloudy", "chicken_wire", "layered"
]
Style = Literal["packed", "cellular"]
Contact = Literal["apart", "touching"]
TEXTURES: tuple[Texture, ...] = get_args(Texture)
COMMON_TEXTURES = TEXTURES[:-1]  # the seed chooses among these; "layered" must be asked for
STYLES: tuple[Style, ...] = get_args(Style)

APART_MM = 4.0  # soft tissue left between a mass "apart" and bone

# Range of locules, share of each kind of content, and how often septa are calcified. Our choice,
# wide on purpose: published CT series describe the appearances, not their frequencies.
_LOCULES: dict[Texture, tuple[int, int]] = {
    "sedimented": (3, 24),
    "paste": (1, 30),
    "mixed": (4, 40),
    "cystic": (1, 6),
    "microlocular": (50, 140),
    "cloudy": (1, 5),
    "chicken_wire": (12, 60),
    "layered": (3, 16),
}
_SHARES: dict[Texture, tuple[float, float, float, float]] = {
    "sedimented": (0.15, 0.75, 0.1, 0.0),
    "paste": (0.95, 0.0, 0.05, 0.0),
    "mixed": (0.4, 0.35, 0.15, 0.1),
    "cystic": (0.1, 0.7, 0.1, 0.1),
    "microlocular": (0.75, 0.1, 0.15, 0.0),
    "cloudy": (1.0, 0.0, 0.0, 0.0),
    "chicken_wire": (0.15, 0.15, 0.7, 0.0),
    "layered": (0.2, 0.0, 0.0, 0.8),
}
_BUILDERS: dict[Style, Callable[[Point, float, int, np.random.Generator], Locules]] = {
    "packed": pack,
    "cellular": grow,
}
_KINDS: tuple[Kind, ...] = ("paste", "sediment", "fluid", "two_density")


@dataclass(frozen=True)
class MassOptions:
    """What may be asked of a mass; None leaves it to the seed.

    Attributes:
        volume_ml: envelope aimed at (bone and skin may take some; truth is counted afterwards).
        contact: ≥ 4 mm of soft tissue to bone, or lying on bone.
        joint: name of the joint it grows by.
        side: left or right.
        centre_lps_mm: put it here instead of finding a place.
        texture: what fills it.
        style: which generator draws it.
        erosion_mm: depth of the pit eaten into the bone it touches.
    """

    volume_ml: float | None = None
    contact: Contact | None = None
    joint: str | None = None
    side: Literal["left", "right"] | None = None
    centre_lps_mm: Point | None = None
    texture: Texture | None = None
    style: Style = "packed"
    erosion_mm: float = 0.0

    def __post_init__(self) -> None:
        if self.volume_ml is not None and not 0.2 <= self.volume_ml <= 1500:
            raise InputError(f"a mass has 0.2–1500 mL; found {self.volume_ml}")
        for name, value, allowed in (
            ("contact", self.contact, get_args(Contact)),
            ("texture", self.texture, TEXTURES),
            ("style", self.style, STYLES),
            ("side", self.side, ("left", "right")),
        ):
            if value is not None and value not in allowed:
                raise InputError(
                    f"{name} {value!r} is unknown; expected one of {', '.join(allowed)}"
                )
        if not 0 <= self.erosion_mm <= 20:
            raise InputError(f"an erosion is 0–20 mm deep; found {self.erosion_mm}")
        if self.erosion_mm and self.contact == "apart":
            raise InputError("a mass apart from bone cannot erode it; expected contact 'touching'")


@dataclass(frozen=True, eq=False)
class MassPlan:
    """A mass ready to be drawn.

    Attributes:
        centre: LPS mm.
        volume_ml: envelope aimed at.
        locules: the partition of space.
        contents: one per locule.
        septum_hu: attenuation of septa.
        wall_mm: thickness of the outer wall.
        wall_hu: its attenuation.
        texture_hu: standard deviation of the paste's mottling.
        mottling: the field behind it.
        gap_mm: distance the locules keep from bone.
        style: name of the generator.
        texture: name of the filling.
    """

    centre: Point
    volume_ml: float
    locules: Locules
    contents: tuple[Content, ...]
    septum_hu: float
    wall_mm: float
    wall_hu: float
    texture_hu: float
    mottling: Waves
    gap_mm: float
    style: Style
    texture: Texture


def radius_mm(volume_ml: float) -> float:
    """Radius of the ball of that volume."""
    return float((volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3))


def plan_mass(
    options: MassOptions,
    *,
    centre: Point,
    volume_ml: float,
    gravity_lps: NDArray[np.float64],
    rng: np.random.Generator,
) -> MassPlan:
    """Choose locules, septa and contents; the same generator state gives the same mass."""
    texture = options.texture or COMMON_TEXTURES[rng.integers(len(COMMON_TEXTURES))]
    low, high = _LOCULES[texture]
    most = max(low, min(high, int(volume_ml / 0.12) + 1))  # locules of at least a small pea
    count = int(np.exp(rng.uniform(np.log(low), np.log(most + 0.99))))
    calcified_septa = rng.random() < (0.95 if texture == "chicken_wire" else 0.25)
    build = _BUILDERS[options.style](centre, radius_mm(volume_ml), count, rng)
    main_hu = rng.uniform(300, 1200)
    wall_mm = rng.uniform(0.3, 2.5)
    touching_gap = rng.choice([0.0, rng.uniform(0, 1.2)])
    return MassPlan(
        centre=centre,
        volume_ml=volume_ml,
        locules=build,
        contents=_contents(build.count, texture, main_hu, gravity_lps, rng),
        septum_hu=rng.uniform(350, 900) if calcified_septa else rng.uniform(30, 80),
        wall_mm=wall_mm,
        wall_hu=rng.uniform(30, 75),
        texture_hu=main_hu * rng.uniform(0.15, 0.35) if texture == "cloudy" else rng.uniform(5, 70),
        mottling=Waves.random(rng, rng.uniform(4, 14), count=14),
        gap_mm=wall_mm + APART_MM if options.contact == "apart" else float(touching_gap),
        style=options.style,
        texture=texture,
    )


def tilted(gravity_lps: NDArray[np.float64], rng: np.random.Generator) -> Point:
    """A direction 10–80° off gravity: where old blood or layered chalk may come to lie."""
    side = np.cross(gravity_lps, rng.normal(size=3))
    angle = np.deg2rad(rng.uniform(10, 80))
    return as_point(np.cos(angle) * gravity_lps + np.sin(angle) * side / np.linalg.norm(side))


def _contents(
    count: int,
    texture: Texture,
    main_hu: float,
    gravity_lps: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Content, ...]:
    """One content per locule; at least a third of the locules hold calcium, or the mass is none."""
    contents = [_content(texture, main_hu, gravity_lps, rng) for _ in range(count)]
    calcified = [c.kind in ("paste", "sediment") or c.rim_mm > 0 for c in contents]
    for index in range(-(-count // 3)):
        if 3 * sum(calcified) < count and not calcified[index]:
            calcified[index] = True
            contents[index] = replace(
                contents[index], kind="sediment", down=None, dense_hu=max(250, min(main_hu, 900))
            )
    return tuple(contents)


def _content(
    texture: Texture, main_hu: float, gravity_lps: NDArray[np.float64], rng: np.random.Generator
) -> Content:
    kind = _KINDS[rng.choice(4, p=_SHARES[texture])]
    down: Point | None = None
    dense_hu = float(np.clip(main_hu * np.exp(rng.normal(0, 0.18)), 220, 1500))
    fluid_hu = rng.uniform(-10, 40)
    if kind == "sediment":
        dense_hu = float(np.clip(dense_hu * rng.uniform(0.6, 1.0), 200, 1200))
    if kind == "two_density":
        down = tilted(gravity_lps, rng)
        fluid_hu = rng.uniform(20, 140)
        dense_hu = fluid_hu + rng.uniform(120, 450)
    fades = kind == "paste" and rng.random() < 0.3
    rimmed = rng.random() < (0.5 if kind in ("fluid", "sediment") else 0.25)
    return Content(
        kind=kind,
        dense_hu=dense_hu,
        fluid_hu=fluid_hu,
        fill=rng.uniform(0.15, 0.85),
        down=down,
        rim_hu=rng.uniform(250, 900),
        rim_mm=rng.uniform(0.4, 1.8) if rimmed else 0.0,
        fade=rng.uniform(0.2, 0.6) if fades else 0.0,
    )
