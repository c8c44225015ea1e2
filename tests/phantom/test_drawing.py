"""A drawn mass holds what its truth says."""

import numpy as np
import pytest

from calcinosis.errors import InputError
from calcinosis.phantom.drawing import FirstIds, Surroundings, draw_mass, feret_mm, fit_volume
from calcinosis.phantom.grid import Grid
from calcinosis.phantom.locules import Content
from calcinosis.phantom.masses import STYLES, MassOptions, MassPlan, plan_mass
from calcinosis.phantom.packed import Packed
from calcinosis.phantom.shapes import Ellipsoid, Waves

RADIUS = 14.0
BALL_ML = 4 / 3 * np.pi * RADIUS**3 / 1000
DOWN = np.array([0.0, 1.0, 0.0])


def a_grid(spacing, shape=None):
    spacing = np.asarray(spacing, float)
    shape = shape or tuple(int(n) for n in np.ceil(70 / spacing))
    affine = np.eye(4)
    affine[:3, :3] = np.diag(spacing)[::-1]
    affine[:3, 3] = -(affine[:3, :3] @ (np.array(shape) - 1)) / 2
    return Grid(shape, affine)


def a_ball(*, kind="paste", fill=0.5, down=None, rim_mm=0.0, septum_mm=1.0, two=False):
    centres = ((-9.0, 0.3, 0.2), (9.0, 0.3, 0.2)) if two else ((0.3, 0.1, 0.2),)
    wave = Waves.random(np.random.default_rng(0), 20)
    content = Content(kind, 700, 20, fill, down, 800, rim_mm)
    return MassPlan(
        centre=(0.3, 0.1, 0.2),
        volume_ml=BALL_ML,
        locules=Packed(
            tuple(Ellipsoid(c, (RADIUS,) * 3) for c in centres), septum_mm, wave, wave_mm=0.0
        ),
        contents=(content,) * len(centres),
        septum_hu=50,
        wall_mm=0.0,
        wall_hu=50,
        texture_hu=0.0,
        mottling=wave,
        gap_mm=0.0,
        style="packed",
        texture="paste",
    )


def far_from_bone(grid, gravity=DOWN):
    return Surroundings(
        grid,
        np.full(grid.shape, np.float32(8)),
        np.full(grid.shape, np.float32(-50)),
        np.asarray(gravity, float),
    )


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 3, 3), (3.27, 0.98, 0.98), (0.6, 0.5, 0.5)])
def test_a_ball_of_paste_has_the_volume_of_a_ball(spacing):
    grid = a_grid(spacing)
    drawn = draw_mass(a_ball(), far_from_bone(grid), ids=FirstIds())
    assert drawn.truth.volume_ml == pytest.approx(BALL_ML, rel=0.005)
    assert drawn.truth.calcified_volume_ml == pytest.approx(BALL_ML, rel=0.005)
    assert drawn.fraction.sum() * grid.voxel_ml == pytest.approx(BALL_ML, rel=0.005)
    assert drawn.truth.max_diameter_mm == pytest.approx(2 * RADIUS, abs=0.6)


def test_partial_volume_is_shared_by_volume_and_attenuation_is_kept():
    grid = a_grid((2, 2, 2))
    drawn = draw_mass(a_ball(), far_from_bone(grid), ids=FirstIds())
    excess = (drawn.fraction * (drawn.attenuation_hu - 40)).sum() * grid.voxel_ml
    assert excess == pytest.approx(BALL_ML * 660, rel=0.005)
    assert drawn.truth.excess_hu_ml == pytest.approx(BALL_ML * 660, rel=0.005)


@pytest.mark.parametrize("gravity", [(0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0)])
def test_sediment_lies_level_on_the_low_side(gravity):
    grid = a_grid((1, 1, 1))
    drawn = draw_mass(a_ball(kind="sediment"), far_from_bone(grid, gravity), ids=FirstIds())
    (level,) = drawn.truth.levels
    assert level.tilt_deg == pytest.approx(0, abs=1e-6)
    assert level.area_mm2 == pytest.approx(np.pi * RADIUS**2, rel=0.02)
    assert level.sediment_depth_mm == pytest.approx(RADIUS, abs=0.5)
    assert level.sediment_layer_mm == pytest.approx(RADIUS, abs=0.5)
    assert level.fluid_layer_mm == pytest.approx(RADIUS, abs=0.5)
    height = np.moveaxis(np.indices(drawn.fraction.shape), 0, -1) @ grid.affine[:3, :3].T @ gravity
    full = drawn.fraction > 0.999
    dense, fluid = (
        height[full & c] for c in (drawn.attenuation_hu > 600, drawn.attenuation_hu < 60)
    )
    assert dense.min() > fluid.max()


def test_a_septum_makes_two_levels_of_one():
    grid = a_grid((1, 1, 1))
    drawn = draw_mass(a_ball(kind="sediment", two=True), far_from_bone(grid), ids=FirstIds())
    assert len(drawn.truth.locules) == 2
    assert len(drawn.truth.levels) == 2
    assert {level.locule for level in drawn.truth.levels} == {1, 2}


def test_a_tilted_interface_is_no_level():
    askew = tuple(np.array([0.0, np.cos(0.5), np.sin(0.5)]))
    plan = a_ball(kind="two_density", down=askew)
    drawn = draw_mass(plan, far_from_bone(a_grid((1, 1, 1))), ids=FirstIds())
    assert drawn.truth.levels == ()
    assert drawn.truth.not_levels[0].tilt_deg == pytest.approx(np.rad2deg(0.5), abs=0.01)


def half_space_of_bone(grid, x_mm):
    x, y, z = grid.coordinates()
    bone = np.minimum(x - np.float32(x_mm) + 0 * (y + z), 8).astype(np.float32)
    return Surroundings(grid, bone, np.full(grid.shape, np.float32(-50)), DOWN)


def test_a_mass_never_takes_the_place_of_bone():
    grid = a_grid((1, 1, 1))
    around = half_space_of_bone(grid, x_mm=-5)
    drawn = draw_mass(a_ball(), around, ids=FirstIds())
    bone = around.bone_distance_mm[drawn.box]
    assert drawn.fraction[bone <= -0.5].max() == 0
    assert not drawn.envelope[bone < 0].any()
    assert drawn.truth.bone_distance_mm == 0
    assert drawn.truth.contact_mm2 == pytest.approx(np.pi * (RADIUS**2 - 5.3**2), rel=0.05)


def test_an_erosion_has_its_depth_and_volume():
    grid = a_grid((1, 1, 1))
    ball, depth = 9.0, 4.0
    pit = Ellipsoid((-5 + ball - depth, 0.1, 0.2), (ball,) * 3)
    drawn = draw_mass(a_ball(), half_space_of_bone(grid, -5), ids=FirstIds(), pit=pit)
    erosion = drawn.truth.erosion
    cap_ml = np.pi * depth**2 * (3 * ball - depth) / 3 / 1000
    assert erosion.depth_mm == pytest.approx(depth, abs=0.3)
    assert erosion.volume_ml == pytest.approx(cap_ml, rel=0.02)
    assert drawn.eroded_fraction.sum() * grid.voxel_ml == pytest.approx(cap_ml, rel=0.02)


def test_the_greatest_diameter_of_a_box_is_its_diagonal():
    mask = np.zeros((30, 30, 30), bool)
    mask[5:15, 5:25, 5:17] = True
    grid = a_grid((0.5, 0.5, 0.5), mask.shape)
    assert feret_mm(mask, grid) == pytest.approx(np.linalg.norm([10, 20, 12]) / 2, abs=0.6)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("texture", ["mixed", "chicken_wire"])
def test_both_styles_draw_the_volume_asked_for_with_true_levels(style, texture):
    wanted = MassOptions(8, "touching", texture=texture, style=style)
    around = far_from_bone(a_grid((1.5, 1.2, 1.2)))
    plan = plan_mass(
        wanted,
        centre=(0.0, 0.0, 0.0),
        volume_ml=8,
        gravity_lps=DOWN,
        rng=np.random.default_rng(4),
    )
    truth = draw_mass(fit_volume(plan, around, None), around, ids=FirstIds()).truth
    assert truth.volume_ml == pytest.approx(8, rel=0.05)
    assert 0 < truth.calcified_volume_ml < truth.volume_ml
    assert sum(locule.volume_ml for locule in truth.locules) < truth.volume_ml
    assert all(level.tilt_deg < 1e-6 for level in truth.levels)
    assert all(level.tilt_deg >= 10 for level in truth.not_levels)


def test_an_unknown_style_is_refused_by_name():
    with pytest.raises(InputError, match="style 'baroque' is unknown; expected one of packed"):
        MassOptions(style="baroque")


def test_the_dense_half_of_layered_chalk_is_calcified():
    grid = a_grid((1, 1, 1))
    layered = a_ball(kind="two_density", down=(1.0, 0.0, 0.0))
    drawn = draw_mass(layered, far_from_bone(grid), ids=FirstIds())
    assert drawn.truth.calcified_volume_ml == pytest.approx(BALL_ML / 2, rel=0.02)
