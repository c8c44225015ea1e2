"""Analytic anatomies: bodies, bones, joints, vessels and organs as shapes, varied by a seed."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from calcinosis.phantom.anatomy.arm import arm
from calcinosis.phantom.anatomy.hips import hips
from calcinosis.phantom.anatomy.knees import knees
from calcinosis.phantom.anatomy.parts import Anatomy, Bone, Joint, Organ, Part
from calcinosis.phantom.anatomy.trunk import shoulders, thorax

AnatomyName = Literal["hips", "knees", "shoulders", "thorax", "arm"]
ANATOMY_NAMES: tuple[AnatomyName, ...] = get_args(AnatomyName)

_BUILDERS: dict[AnatomyName, Callable[[np.random.Generator], Anatomy]] = {
    "hips": hips,
    "knees": knees,
    "shoulders": shoulders,
    "thorax": thorax,
    "arm": arm,
}


def build_anatomy(name: AnatomyName, rng: np.random.Generator) -> Anatomy:
    """One person's anatomy; the generator's state decides build and proportions."""
    return _BUILDERS[name](rng)


__all__ = [
    "ANATOMY_NAMES",
    "Anatomy",
    "AnatomyName",
    "Bone",
    "Joint",
    "Organ",
    "Part",
    "build_anatomy",
]
