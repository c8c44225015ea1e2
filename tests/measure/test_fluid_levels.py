import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from calcinosis.measure.doubts import told_by_levels
from calcinosis.measure.envelope import Envelope
from calcinosis.measure.fluid_levels import find_fluid_levels
from calcinosis.measure.level_fluid import with_fluid
from calcinosis.measure.masses import FoundMass
from calcinosis.volume import GRAVITY_LPS, Volume

AXIAL = np.array([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]])  # columns: z, y, x axis in LPS (x, y, z)
TISSUE_HU, FLUID_HU, SEDIMENT_HU = 45.0, 10.0, 480.0


def locule_scan(
    *,
    position="HFS",
    spacing=(1.5, 0.8, 0.8),
    tilt_deg=0.0,
    turn_deg=0.0,
    radius_mm=9.0,
    level_mm=0.0,
    noise_hu=12.0,
    septum_mm=0.0,
    step_mm=0.0,
    step_at_mm=0.0,
    axes=AXIAL,
    solid=False,
    rim_mm=0.0,
    paste_below_mm=np.inf,
    sediment_hu=SEDIMENT_HU,
):
    """A ball of fluid and sediment, its interface (below the middle) tilted against gravity.

    It may have a calcified rim, a septum whose sides lie a step apart in height, and paste denser
    than the sediment at some depth below it.
    """
    turn = np.deg2rad(turn_deg)
    about_z = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_z) @ axes * np.array(spacing)
    shape = [int(np.ceil(2 * (radius_mm + 12) / s)) for s in spacing]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    index = np.stack(np.meshgrid(*[np.arange(n * 3) / 3 - 1 / 3 for n in shape], indexing="ij"), -1)
    places = index @ affine[:3, :3].T + affine[:3, 3]
    down = np.asarray(GRAVITY_LPS[position])
    aside = np.cross(down, [0.3, 0.2, 0.9])
    aside /= np.linalg.norm(aside)
    tilt = np.deg2rad(tilt_deg)
    height = places @ (np.cos(tilt) * down + np.sin(tilt) * aside)
    inside = np.linalg.norm(places, axis=-1) < radius_mm
    across = places @ np.cross(down, aside)
    sediment = height > level_mm + np.sign(across - step_at_mm) * step_mm / 2
    dense = inside & (sediment | solid) & (np.abs(across) > septum_mm / 2)
    hu = np.where(inside, FLUID_HU, TISSUE_HU) + dense * (sediment_hu - FLUID_HU)
    rim = inside & (np.linalg.norm(places, axis=-1) > radius_mm - rim_mm)
    hu[rim | (inside & (height > paste_below_mm))] = 900.0
    hu = ndimage.gaussian_filter(hu, [0.6 * 3 / s for s in spacing])
    blocks = [x for n in shape for x in (n, 3)]
    hu = hu.reshape(blocks).mean(axis=(1, 3, 5))
    envelope = inside.reshape(blocks).mean(axis=(1, 3, 5)) > 0.5
    noise = np.random.default_rng(1).normal(0, noise_hu, hu.shape)
    return Volume(np.round(hu + noise).astype(np.int16), affine, position), envelope


@pytest.mark.parametrize("position", sorted(GRAVITY_LPS))
def test_a_level_is_found_in_every_patient_position(position):
    reading = find_fluid_levels(*locule_scan(position=position))
    (level,) = reading.levels
    assert reading.sedimentation_sign is True
    assert level.tilt_deg < 1.5
    assert np.linalg.norm(level.centroid_lps_mm) < 1.0
    assert level.area_mm2 == pytest.approx(np.pi * 9**2, rel=0.25)
    assert level.sediment_depth_mm == pytest.approx(9.0, abs=1.5)
    assert level.hu_above == pytest.approx(FLUID_HU, abs=25)
    assert level.hu_below == pytest.approx(SEDIMENT_HU, abs=40)


@pytest.mark.parametrize("tilt_deg", [10, 15, 30, 60, 90, 180])
def test_two_densities_that_are_not_level_are_no_sign(tilt_deg):
    reading = find_fluid_levels(*locule_scan(tilt_deg=tilt_deg))
    assert reading.levels == ()
    assert reading.sedimentation_sign is False


def test_the_top_of_a_paste_ball_is_no_level():
    assert find_fluid_levels(*locule_scan(solid=True)).sedimentation_sign is False


@pytest.mark.parametrize("radius_mm", [10.0, 14.0, 18.0])
@pytest.mark.parametrize("pixel_mm", [1.6, 2.0])
def test_the_top_of_a_paste_ball_in_coarse_voxels_is_no_level(radius_mm, pixel_mm):
    scan = locule_scan(solid=True, radius_mm=radius_mm, spacing=(0.8, pixel_mm, pixel_mm))
    assert not find_fluid_levels(*scan).levels


@pytest.mark.parametrize("radius_mm", [16.0, 20.0])
def test_the_top_of_an_even_ball_in_voxels_that_its_steps_lock_to_is_no_level(radius_mm):
    scan = locule_scan(solid=True, radius_mm=radius_mm, spacing=(2.5, 2.5, 2.5), sediment_hu=700)
    assert find_fluid_levels(*scan).sedimentation_sign is False


@pytest.mark.parametrize("pixel_mm", [1.6, 2.0])
def test_a_level_in_coarse_voxels_is_found(pixel_mm):
    scan = locule_scan(radius_mm=13.0, rim_mm=2.0, spacing=(0.8, pixel_mm, pixel_mm))
    (level,) = find_fluid_levels(*scan).levels
    assert level.tilt_deg < 1.5


@pytest.mark.parametrize("spacing", [(3.3, 1.0, 1.0), (1.5, 0.8, 0.8), (0.8, 2.0, 2.0)])
@pytest.mark.parametrize("radius_mm", [12.0, 20.0, 28.0])
def test_the_floor_of_a_calcified_rim_is_no_sediment(spacing, radius_mm):
    cyst = locule_scan(radius_mm=radius_mm, rim_mm=3.0, sediment_hu=FLUID_HU, spacing=spacing)
    assert not find_fluid_levels(*cyst).levels


@pytest.mark.parametrize(("radius_mm", "deep_mm"), [(9.0, 3.8), (13.0, 3.5), (16.0, 3.5)])
def test_sediment_shallower_than_a_rim_is_thick_is_told_by_its_flatness(radius_mm, deep_mm):
    scan = locule_scan(
        radius_mm=radius_mm, level_mm=radius_mm - deep_mm, sediment_hu=600, spacing=(1.0, 0.7, 0.7)
    )
    (level,) = find_fluid_levels(*scan).levels
    assert level.sediment_depth_mm == pytest.approx(deep_mm, abs=1.2)


def test_sediment_as_deep_as_a_hand_is_followed_to_its_floor():
    scan = locule_scan(radius_mm=32.0, level_mm=-22.0, spacing=(1.5, 1.2, 1.2))
    (level,) = find_fluid_levels(*scan).levels
    assert level.sediment_depth_mm == pytest.approx(53.0, abs=2.0)


def test_an_envelope_that_misses_the_fluid_keeps_the_sign():
    volume, envelope = locule_scan()
    dense = envelope & (ndimage.gaussian_filter(volume.voxels.astype(float), 1) > 200)
    assert find_fluid_levels(volume, dense).sedimentation_sign is True


def test_levels_on_both_sides_of_a_septum_count_one_each():
    volume, envelope = locule_scan(radius_mm=13.0, septum_mm=2.5, spacing=(1.0, 0.7, 0.7))
    assert len(find_fluid_levels(volume, envelope).levels) == 2


def test_a_septum_of_one_millimetre_parts_two_levels_of_one_height():
    volume, envelope = locule_scan(radius_mm=13.0, septum_mm=1.0, spacing=(1.0, 0.7, 0.7))
    assert len(find_fluid_levels(volume, envelope).levels) == 2


@pytest.mark.parametrize("step_mm", [0.7, 0.9, 1.2])
def test_two_levels_joined_by_a_small_step_are_not_one_that_is_tilted(step_mm):
    scan = locule_scan(radius_mm=13.0, septum_mm=0.3, step_mm=step_mm, spacing=(1.0, 0.7, 0.7))
    levels = find_fluid_levels(*scan).levels
    assert len(levels) == 2
    assert max(level.tilt_deg for level in levels) < 1.5


@pytest.mark.parametrize("step_mm", [0.6, 0.8])
def test_a_level_is_not_lost_for_a_smaller_one_that_it_is_joined_to(step_mm):
    scan = locule_scan(radius_mm=13.0, step_mm=step_mm, step_at_mm=3.0, spacing=(2.8, 0.9, 0.9))
    larger, smaller = find_fluid_levels(*scan).levels
    assert larger.area_mm2 > smaller.area_mm2
    assert max(larger.tilt_deg, smaller.tilt_deg) < 2


def test_a_calcified_rim_does_not_hide_a_level():
    (level,) = find_fluid_levels(*locule_scan(radius_mm=7.0, rim_mm=1.5)).levels
    assert level.tilt_deg < 2
    assert level.hu_above == pytest.approx(FLUID_HU, abs=60)


def test_shallow_sediment_on_denser_paste_is_a_level_at_the_top_of_the_sediment():
    (level,) = find_fluid_levels(*locule_scan(paste_below_mm=4.0, spacing=(1.0, 0.6, 0.6))).levels
    assert np.linalg.norm(level.centroid_lps_mm) < 1.0
    assert level.tilt_deg < 2


def test_paste_close_below_shallow_sediment_does_not_draw_the_level_aside():
    scan = locule_scan(radius_mm=6.0, rim_mm=1.5, paste_below_mm=2.6, spacing=(1.0, 0.7, 0.7))
    (level,) = find_fluid_levels(*scan).levels
    assert level.tilt_deg < 1


def test_a_level_beside_the_mass_is_not_its_sign():
    volume, envelope = locule_scan()  # as a bladder or a bowel loop with contrast beside the mass
    aside = np.roll(envelope, 14, axis=0) & ~envelope
    assert find_fluid_levels(volume, aside).levels == ()


def test_thick_slices_parallel_to_the_level_cannot_be_judged():
    coronal = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # slices stacked along gravity
    reading = find_fluid_levels(*locule_scan(spacing=(4.0, 1.0, 1.0), axes=coronal))
    assert reading.sedimentation_sign is None
    assert "parallel" in reading.remarks[0]
    assert is_a_sentence(reading.remarks[0])


def test_of_coarse_voxels_nothing_is_said_about_slices():
    (remark,) = find_fluid_levels(*locule_scan(spacing=(3.4, 3.4, 3.4))).remarks
    assert "voxels of 3.4 mm blur a fluid level away" in remark


def test_a_mass_too_small_to_show_layers_cannot_be_judged():
    reading = find_fluid_levels(*locule_scan(radius_mm=2.2))
    assert reading.sedimentation_sign is None
    assert "0.5 mL" in reading.remarks[0]
    assert is_a_sentence(reading.remarks[0])


@pytest.mark.parametrize("seed", [0, 3, 9])
def test_ledges_of_cloudy_paste_that_are_level_by_chance_are_no_sign(seed):
    places = np.mgrid[:96, :96, :96]
    ball = sum((axis - 48.0) ** 2 for axis in places) < 42**2
    rng = np.random.default_rng(seed)
    cloud = ndimage.gaussian_filter(rng.standard_normal(ball.shape), 2.5)
    paste = 60 + 360 / (1 + np.exp(-3 * (cloud / cloud.std() + 0.3)))
    hu = ndimage.gaussian_filter(np.where(ball, paste, 50.0), 0.5)
    hu += rng.normal(0, 8, hu.shape)
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    reading = find_fluid_levels(Volume(np.round(hu).astype(np.int16), affine), ball)
    assert reading.sedimentation_sign is None
    assert reading.levels == ()
    assert "chance" in reading.remarks[0]
    assert is_a_sentence(reading.remarks[0])


def test_marrow_on_the_cortex_of_a_bone_is_no_fluid_on_sediment():
    z, y, x = np.mgrid[:60, :60, :60]
    chalk = (z - 30) ** 2 + (y - 44) ** 2 + (x - 30) ** 2 < 18**2  # its top lies on the bone
    bone = (np.abs(z - 30) < 15) & (np.abs(x - 30) < 15) & (y >= 15) & (y < 30)
    hu = np.where(chalk, 650.0, 50.0)
    hu[bone] = np.where(y < 26, 0, 1200)[bone]  # marrow in cortex
    hu = ndimage.gaussian_filter(hu, 0.7) + np.random.default_rng(0).normal(0, 8, hu.shape)
    volume = Volume(np.round(hu).astype(np.int16), np.eye(4)[:, [2, 1, 0, 3]])
    outline = chalk | (bone & (y >= 28))  # which has crept into the cortex
    assert find_fluid_levels(volume, outline).levels
    assert not find_fluid_levels(volume, outline, bone & ~outline).levels


def is_a_sentence(remark):
    return remark[0].isupper() and remark.endswith(".")


def test_the_same_scan_gives_the_same_reading():
    assert find_fluid_levels(*locule_scan()) == find_fluid_levels(*locule_scan())


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    slices_mm=st.floats(0.5, 3.0),
    pixel_mm=st.floats(0.5, 1.0),
    turn_deg=st.floats(-40, 40),
    noise_hu=st.floats(0, 30),
)
def test_spacing_obliquity_and_noise_do_not_hide_a_level(slices_mm, pixel_mm, turn_deg, noise_hu):
    volume, envelope = locule_scan(
        spacing=(slices_mm, pixel_mm, pixel_mm), turn_deg=turn_deg, noise_hu=noise_hu
    )
    (level,) = find_fluid_levels(volume, envelope).levels
    assert level.tilt_deg < 3


@pytest.mark.parametrize(
    ("layered", "radius_mm", "is_mass"),
    [(True, 14, True), (False, 14, False), (True, 7, False)],
    ids=["settled", "solid", "settled in little"],
)
def test_what_the_network_doubts_is_a_mass_where_calcium_has_settled(layered, radius_mm, is_mass):
    volume, envelope = locule_scan(radius_mm=radius_mm, solid=not layered)
    whole = envelope.astype(np.float32)
    box = tuple(slice(0, size) for size in envelope.shape)
    doubtful = FoundMass(box, Envelope(envelope, whole, whole), 0.6, seeded=False)
    doubts = [((1.0, 2.0, 3.0), *with_fluid(volume, doubtful))]
    told, unsure = told_by_levels(doubts, volume.voxel_volume_ml)
    assert len(told) == is_mass
    assert unsure == ([] if is_mass else [(1.0, 2.0, 3.0)])
    assert all("settled" in levels.remarks[-1] for _, levels in told)
