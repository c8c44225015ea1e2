import numpy as np
import pytest
from scipy import ndimage

from calcinosis.measure.bone_surface import surface_points
from calcinosis.measure.erosion import relate_to_bone
from calcinosis.volume import Volume

SPACING = (1.0, 0.8, 0.8)
SHAPE = (70, 90, 90)


CORTEX_MM = 2.5


def scan(bone, mass, eaten=None, paste_hu=600):
    """Muscle, marrow under a cortex, paste. What was eaten away has neither, and leaves no rim."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * np.array(SPACING)
    whole = bone if eaten is None else bone | eaten
    depth = ndimage.distance_transform_edt(whole, sampling=SPACING)
    hu = np.where(bone, np.where(depth <= CORTEX_MM, 1100, 60), np.where(mass, paste_hu, 50))
    hu = ndimage.gaussian_filter(hu.astype(float), [0.6 / s for s in SPACING])
    noise = np.random.default_rng(3).normal(0, 20, SHAPE)
    return Volume(voxels=np.round(hu + noise).astype(np.int16), affine=affine)


def millimetres():
    return np.meshgrid(
        *[(np.arange(n) - n / 2) * s for n, s in zip(SHAPE, SPACING, strict=True)], indexing="ij"
    )


def shaft(radius_mm=15.0):
    _, y, x = millimetres()
    return np.hypot(x, y) < radius_mm


def ball(centre_x_mm, radius_mm=9.0):
    z, y, x = millimetres()
    return np.sqrt((x - centre_x_mm) ** 2 + y**2 + z**2) < radius_mm


def test_a_mass_pressed_into_a_shaft_erodes_it_to_its_depth():
    mass = ball(18.0)  # reaches 6 mm below the surface
    bone = shaft() & ~mass
    relation = relate_to_bone(scan(bone, mass, eaten=mass & shaft()), mass, bone)
    assert relation.eroded
    assert relation.erosion_depth_mm == pytest.approx(6.0, abs=1.2)
    assert relation.distance_mm == 0
    assert "smooth continuation" in relation.expected_surface


def test_contact_alone_is_not_erosion():
    bone = shaft()
    mass = ball(20.0) & ~bone  # wraps the intact shaft
    relation = relate_to_bone(scan(bone, mass), mass, bone)
    assert relation.eroded is False
    assert relation.contact_mm2 > 50


def test_a_natural_hollow_under_its_own_cortex_is_not_erosion():
    hollow = ball(20.0, 10.0)  # 5 mm deep, and the mass lies in it
    bone = shaft() & ~hollow
    mass = ball(20.0, 9.5) & ~bone
    relation = relate_to_bone(scan(bone, mass), mass, bone)
    assert relation.eroded is False
    assert "cortex" in relation.expected_surface


def test_an_envelope_that_stops_short_of_the_floor_still_shows_the_defect():
    eaten = ball(18.0) & shaft()
    bone = shaft() & ~eaten
    relation = relate_to_bone(scan(bone, ball(18.0), eaten), ball(18.0, 8.3), bone)
    assert relation.erosion_depth_mm == pytest.approx(6.0, abs=1.5)


def test_a_pit_whose_soft_part_the_envelope_lacks_is_measured_down_to_its_floor():
    eaten = ball(18.0) & shaft()
    bone = shaft() & ~eaten
    _, _, x = millimetres()
    outer = ball(18.0) & (x > 14)  # stops 5 mm above the floor
    relation = relate_to_bone(scan(bone, outer, eaten, paste_hu=300), outer, bone)
    assert relation.erosion_depth_mm == pytest.approx(6.0, abs=1.2)


@pytest.mark.parametrize("hollow", [False, True])
def test_marrow_may_be_in_the_skeleton_or_not(hollow):
    mass = ball(18.0)
    bone = shaft() & ~mass
    volume = scan(bone, mass, eaten=mass & shaft())
    _, y, x = millimetres()
    skeleton = bone & (np.hypot(x, y) > 12) if hollow else bone
    relation = relate_to_bone(volume, mass, skeleton)
    assert relation.erosion_depth_mm == pytest.approx(6.0, abs=1.2)


def test_muscle_that_two_bones_and_the_mass_surround_is_not_lost_bone():
    _, y, x = millimetres()
    walls = (np.hypot(x, y) < 15) & ((y < -6) | (y > 6) | (x < -9))  # a groove, 12 mm wide
    mass = ball(17.0, 8.0) & (x > 11) & ~walls
    assert not relate_to_bone(scan(walls, mass), mass, walls).eroded


def test_where_a_mass_lies_between_two_bones_neither_continues_in_the_other():
    z, y, x = millimetres()
    bones = (np.hypot(x - 11, y) < 7) | (np.hypot(x + 11, y) < 7)
    mass = (np.sqrt(x**2 + (y - 10) ** 2 + z**2) < 14) & ~bones
    volume = scan(bones, mass, paste_hu=300)
    assert relate_to_bone(volume, mass, bones, own_cut=True).eroded is False


def test_cortex_beside_lung_is_not_taken_for_lost():
    bone = shaft()
    _, y, x = millimetres()
    mass = ball(20.0) & ~bone
    volume = scan(bone, mass)
    lung = (np.hypot(x, y) > 14.3) & (y < -1) & ~mass
    voxels = np.where(lung, -850, volume.voxels).astype(np.float32)
    blurred = ndimage.gaussian_filter(voxels, [0.8 / s for s in SPACING])
    air = Volume(voxels=blurred.astype(np.int16), affine=volume.affine)
    assert relate_to_bone(air, mass, bone).eroded is False


def test_bone_without_a_visible_cortex_is_not_judged():
    bone = shaft()
    mass = ball(20.0) & ~bone
    faint = scan(np.zeros(SHAPE, bool), mass)
    assert relate_to_bone(faint, mass, bone).eroded is None


def beside_own_cut(paste_hu):
    mass = ball(18.0)
    bone = shaft() & ~mass
    volume = scan(bone, mass, mass & shaft(), paste_hu)
    return relate_to_bone(volume, mass, bone, own_cut=True)


def test_beside_the_programs_own_cut_lost_cortex_is_erosion():
    relation = beside_own_cut(350)
    assert relation.eroded
    assert relation.erosion_depth_mm == pytest.approx(6.0, abs=2.0)


def test_an_erosion_that_paste_may_hide_is_not_judged_and_has_no_depth_and_no_volume():
    relation = beside_own_cut(900)
    assert relation.contact_mm2 > 0
    assert relation.eroded is None
    assert relation.erosion_depth_mm is relation.erosion_volume_ml is None


def test_bone_that_the_programs_own_cut_took_is_not_erosion():
    taken = ball(18.0)  # the outline of the mass runs through an intact shaft
    whole = scan(shaft(), ball(20.0) & ~shaft())
    relation = relate_to_bone(whole, taken, shaft() & ~taken, own_cut=True)
    assert not relation.eroded


def test_a_shaft_whose_surface_the_programs_own_cut_shaved_is_intact():
    shaved = ball(21.0)  # 3 mm deep at most
    whole = scan(shaft(), ball(22.0) & ~shaft())
    assert relate_to_bone(whole, shaved, shaft() & ~shaved).eroded
    assert relate_to_bone(whole, shaved, shaft() & ~shaved, own_cut=True).eroded is False


def test_contact_with_seen_cortex_is_intact_beside_the_programs_own_cut_too():
    mass = ball(20.0) & ~shaft()
    relation = relate_to_bone(scan(shaft(), mass), mass, shaft(), own_cut=True)
    assert relation.eroded is False


def test_beside_the_programs_own_cut_a_pit_that_the_envelope_does_not_fill_is_erosion():
    eaten = ball(17.0, 12.0) & shaft()
    bone = shaft() & ~eaten
    _, _, x = millimetres()
    outer = ball(17.0, 12.0) & (x > 14)  # the pit's walls lie beside it, and have no cortex
    volume = scan(bone, outer, eaten, paste_hu=300)
    assert relate_to_bone(volume, outer, bone, own_cut=True).eroded


def test_where_cortex_is_lacking_far_from_the_mass_too_the_programs_own_cut_proves_no_erosion():
    mass = ball(18.0)
    bone = shaft() & ~mass
    z, _, _ = millimetres()
    volume = scan(bone, mass, mass & shaft(), paste_hu=350)
    volume.voxels[shaft() & (abs(z) > 18)] = 60
    assert relate_to_bone(volume, mass, bone, own_cut=True).eroded is None


@pytest.mark.parametrize(("pit_mm", "eroded"), [(0.0, False), (3.5, None)])
def test_in_thick_slices_a_pit_inside_a_thick_cortex_that_the_cut_filled_is_not_called_intact(
    pit_mm, eroded
):
    mass = ball(29.0 - pit_mm, 14.0)
    whole = scan(shaft() & ~mass, mass, mass & shaft(), paste_hu=200).voxels
    _, y, x = millimetres()
    whole[(np.hypot(x, y) < 12) & ~mass] = 1100  # cortex throughout
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 3.0], [0, 0.8, 0], [0.8, 0, 0]])
    thick = Volume(voxels=np.ascontiguousarray(whole[1::3]), affine=affine)
    outline, bone = (mass & ~shaft())[1::3], shaft()[1::3]
    assert relate_to_bone(thick, outline, bone, own_cut=True).eroded is eroded


def test_open_marrow_is_bone_not_a_defect():
    _, y, x = millimetres()
    cortex = shaft() & (np.hypot(x, y) > 11)
    mass = ball(20.0) & ~shaft()
    assert relate_to_bone(scan(shaft(), mass), mass, cortex).eroded is False


@pytest.mark.parametrize("gap_mm", [3.0, 8.0, 14.0])
def test_distance_is_the_gap_between_surfaces(gap_mm):
    mass = ball(15 + gap_mm + 5, 5.0)
    relation = relate_to_bone(scan(shaft(), mass), mass, shaft())
    assert relation.distance_mm == pytest.approx(gap_mm, abs=0.8)
    assert relation.contact_mm2 == 0
    assert relation.eroded is False


def test_without_bone_nothing_is_said_of_it():
    none = np.zeros(SHAPE, bool)
    relation = relate_to_bone(scan(none, ball(0.0)), ball(0.0), none)
    assert relation.distance_mm is None
    assert relation.eroded is None


def test_a_surface_out_of_reach_has_no_points():
    z, y, x = millimetres()
    ball = np.sqrt(z**2 + y**2 + x**2).astype(np.float32)
    far = np.full(SHAPE, 50, np.float32)
    points = surface_points(np.zeros(SHAPE, np.int16), ball - 20, far, SPACING, reach_mm=4)
    assert len(points) == 0


def test_where_mass_and_bone_meet_across_thick_slices_only_nothing_is_said_of_erosion():
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 0.8], [0, 0.8, 0], [6.0, 0, 0]])
    mass, bone = np.zeros((2, 8, 40, 40), bool)
    mass[3:5, 15:25, 15:25] = True
    bone[:3, 10:30, 10:30] = True
    hu = np.where(bone, 1000, np.where(mass, 600, 50)).astype(np.int16)
    relation = relate_to_bone(Volume(hu, affine), mass, bone)
    assert relation.meets_across_slices
    assert (relation.eroded, relation.erosion_depth_mm) == (None, None)
