import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calcinosis.measure.bone_sections import stand_along_axes
from calcinosis.measure.joint import Joint
from calcinosis.measure.joints import find_landmarks, locate, nearest
from calcinosis.measure.trunk import thorax_of
from calcinosis.phantom.anatomy import build_anatomy
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.volume import Volume
from real_bones import DATA, dense_skeleton, load, needs_data


@pytest.fixture(scope="module")
def trunk():
    volume = load(DATA / "totalseg/example_ct.nii.gz")
    return volume, dense_skeleton(volume)


def centre_of(name):
    mask = load(DATA / f"totalseg/example_ct_seg_v1/{name}.nii.gz")
    return tuple(mask.to_lps(np.argwhere(mask.voxels > 0).mean(axis=0)))


@needs_data
@pytest.mark.parametrize(
    ("muscle", "joint", "side"),
    [
        ("gluteus_minimus_left", "hip", "left"),
        ("gluteus_minimus_right", "hip", "right"),
        ("femur_left", "hip", "left"),
        ("vertebrae_L2", "lumbar spine", None),
        ("vertebrae_L4", "lumbar spine", None),
    ],
)
def test_structures_of_a_labelled_trunk_lie_by_the_joint_they_belong_to(trunk, muscle, joint, side):
    site = locate(*trunk, centre_of(muscle))
    assert site is not None
    assert (site.joint, site.side) == (joint, side)


@needs_data
def test_the_symphysis_lies_where_the_two_pubic_bones_meet(trunk):
    found = [j for j in find_landmarks(*trunk).joints if j.name == "pubic symphysis"]
    assert len(found) == 1
    between = (2.0, -178.0, 102.0)  # hip_left and hip_right come closest there in the masks
    assert np.linalg.norm(np.subtract(found[0].centre_lps_mm, between)) < 8


@needs_data
@pytest.mark.parametrize(
    ("side", "between"), [("left", (52, -95, 208)), ("right", (-53, -98, 208))]
)
def test_sacroiliac_joints_lie_where_ilium_and_sacrum_meet(trunk, side, between):
    (joint,) = (
        j for j in find_landmarks(*trunk).joints if (j.name, j.side) == ("sacroiliac", side)
    )
    assert np.linalg.norm(np.subtract(joint.centre_lps_mm, between)) < 12


@needs_data
def test_the_joint_space_itself_is_near_the_joint(trunk):
    site = locate(*trunk, (54.0, -96.0, 208.0))  # where hip_left and sacrum meet in the masks
    assert site is not None
    assert (site.joint, site.side) == ("sacroiliac", "left")
    assert site.distance_mm < 20


JOINT_OF_REGION = {
    "hip": "hip", "pelvis-hip": "hip", "hip-proximal-femur": "hip", "knee": "knee",
    "knee-distal-femur": "knee", "distal-thigh": "knee", "shoulder": "shoulder",
    "shoulder-upper-arm": "shoulder", "ankle-foot": "ankle",
}  # fmt: skip


@needs_data
@pytest.mark.parametrize("number", ["011", "017", "008", "047", "049"])
def test_limb_scans_of_one_side_are_placed_or_left_out_but_never_misplaced(number):
    scans = json.loads((DATA / "sts/catalogue.json").read_text())
    scans = scans if isinstance(scans, list) else scans["scans"]
    entry = next(scan for scan in scans if scan["name"] == f"sts_{number}")
    volume = load(DATA / f"sts/sts_{number}.nii.gz")
    tumour = load(DATA / f"sts/sts_{number}_gtv.nii.gz").voxels > 0
    place = tuple(volume.to_lps(np.argwhere(tumour).mean(axis=0)))
    site = locate(volume, dense_skeleton(volume), place)
    assert site is not None
    assert site.joint == JOINT_OF_REGION[entry["region"]]
    assert site.side == entry["side_by_affine"]


def rod(radius_mm, length_mm=180):
    shape = (length_mm // 3, 60, 60)
    _, y, x = np.indices(shape) * 3.0 - 90
    bone = np.hypot(y, x) < radius_mm
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * 3.0
    return Volume(voxels=np.where(bone, 800, 40).astype(np.int16), affine=affine), bone


def test_a_shaft_without_ends_gives_no_joint():
    volume, bone = rod(14.0)
    assert locate(volume, bone, (90.0, 90.0, 90.0)) is None


def test_no_skeleton_no_joint():
    volume, bone = rod(14.0)
    assert locate(volume, np.zeros_like(bone), (90.0, 90.0, 90.0)) is None


SCANS = sorted(
    path.relative_to(DATA).as_posix()
    for pattern in ("sts/sts_???", "thorax/*", "vhf_legs/*", "totalseg/example_ct", "lidc*/lidc*")
    for path in DATA.glob(f"{pattern}.nii.gz")
)


@needs_data
@pytest.mark.parametrize("scan", SCANS)
def test_scans_that_show_no_arm_below_the_shoulder_give_no_elbow_and_no_wrist(scan):
    volume = load(DATA / scan)
    names = {joint.name for joint in find_landmarks(volume, dense_skeleton(volume)).joints}
    assert not names & {"elbow", "wrist"}


def test_air_beside_a_limb_that_fills_a_turned_picture_is_no_lung():
    voxels = np.full((60, 64, 64), 40, np.int16)
    voxels[:, 16:48, :12] = voxels[:, 16:48, -12:] = -1000
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * 3.0
    volume, _ = turned(Volume(voxels, affine), "z", 45)
    assert thorax_of(stand_along_axes(volume, np.zeros(voxels.shape, bool))) is None


def test_air_between_thighs_and_table_is_no_lung():
    _, y, x = np.mgrid[:60, :100, :180]
    thighs = np.hypot(y - 44, np.abs(x - 90) - 40) < 41
    table = (y > 80) & (y < 85)
    voxels = np.where(thighs | table, 40, -1000).astype(np.int16)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])[:, [2, 1, 0, 3]]
    volume = Volume(voxels, affine)
    assert thorax_of(stand_along_axes(volume, np.zeros(voxels.shape, bool))) is None
    gap = (voxels == -1000) & (y > 44) & (y < 82) & (np.abs(x - 90) < 40)
    lung = Volume(np.where(gap, -850, voxels).astype(np.int16), affine)
    assert thorax_of(stand_along_axes(lung, np.zeros(voxels.shape, bool))) is not None


def test_lungs_that_leave_the_top_of_the_picture_show_no_shoulder():
    z, y, x = np.mgrid[:50, :80, :130]
    body = np.hypot((y - 40) / 36, (x - 65) / 62) < 1
    lungs = np.hypot((y - 40) / 22, (np.abs(x - 65) - 22) / 18) < np.where(z > 20, 1, 0)
    voxels = np.where(lungs, -850, np.where(body, 40, -1000)).astype(np.int16)
    # a piece of bowel as dense as bone beside them, with a wide end
    bowel = np.hypot(y - 50, x - 118) < np.where(z > 40, 6, 4)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])[:, [2, 1, 0, 3]]
    names = {joint.name for joint in find_landmarks(Volume(voxels, affine), bowel).joints}
    assert "shoulder" not in names


@needs_data
@pytest.mark.parametrize(
    ("scan", "goes_on"), [("thorax/thorax_lungfused", True), ("totalseg/example_ct", False)]
)
def test_a_picture_that_ends_within_the_chest_shows_no_end_of_its_spine(scan, goes_on):
    volume = load(DATA / f"{scan}.nii.gz")
    joints = find_landmarks(volume, dense_skeleton(volume)).joints
    (spine,) = (joint for joint in joints if joint.name == "thoracic spine")
    assert spine.goes_on == goes_on


@pytest.mark.parametrize(("x_mm", "side"), [(-5, None), (5, None), (-40, "right"), (40, "left")])
def test_what_lies_in_the_midline_has_no_side(x_mm, side):
    joints = (Joint("sacroiliac", "right", (-50, 0, 0)), Joint("sacroiliac", "left", (50, 0, 0)))
    site = nearest(joints, (x_mm, 60, -20))
    assert (site.joint, site.side) == ("sacroiliac", side)


PELVIS = (
    Joint("hip", "left", (80, 0, 0)),
    Joint("pubic symphysis", None, (0, -36, -25)),
    Joint("lumbar spine", None, (0, 15, 105), 166),
)


@pytest.mark.parametrize(
    ("place", "point", "joint", "side"),
    [
        ("left adductors, nearer to the symphysis", (50, -40, -110), "hip", "left"),
        ("between the thighs", (0, -40, -60), "pubic symphysis", None),
        ("right groin", (-35, -45, -35), "pubic symphysis", "right"),
        ("right psoas", (-50, 5, 180), "lumbar spine", "right"),
        ("left muscles of the back", (40, 60, 180), "lumbar spine", "left"),
        ("spinous process", (5, 60, 180), "lumbar spine", None),
    ],
)
def test_a_mass_beside_the_midline_has_a_side_and_one_of_the_thigh_is_the_hips(
    place, point, joint, side
):
    site = nearest(PELVIS, point)
    assert site is not None
    assert (site.joint, site.side) == (joint, side), place


@pytest.mark.parametrize(
    ("point", "site"),
    [
        ((10, 60, -60), ("hip", "left")),
        ((-20, 60, -60), ("hip", None)),
        ((-40, 60, -60), None),
        ((-40, 60, 90), ("lumbar spine", "right")),
        ((-35, -45, -35), ("pubic symphysis", "right")),
        ((-50, -40, -10), None),  # before the other hip
        ((-110, 30, 60), None),  # behind it, 120 mm from the spine
        ((110, 30, 260), ("lumbar spine", "left")),
    ],
)
def test_where_one_hip_is_recognised_what_lies_across_the_midline_does_not_get_its_side(
    point, site
):
    found = nearest(PELVIS, point)
    assert (found and (found.joint, found.side)) == site


def test_a_chest_whose_shoulder_is_not_recognised_names_what_may_lie_by_it_no_spine():
    spine, shoulder = (
        Joint("thoracic spine", None, (0, 0, 0), 200),
        Joint("shoulder", "left", (170, 0, 210)),
    )
    assert nearest((spine, shoulder), (95, 0, 100)).joint == "thoracic spine"
    assert nearest((spine, shoulder), (-80, 0, 100)).side == "right"
    assert nearest((spine, shoulder), (-95, 0, 100)) is None


def test_a_mass_beyond_the_middle_of_a_forearm_is_not_named_by_its_elbow():
    elbow = Joint("elbow", None, (0, 0, 0))
    assert nearest((elbow,), (20, 0, -110)).joint == "elbow"
    assert nearest((elbow,), (20, 0, -150)) is None


LOW_MM = -360.0
SEEDS = (1, 2)


@pytest.fixture(scope="module", params=[(seed, step) for seed in SEEDS for step in (1.5, 3.0)])
def arm(request):
    """An arm from mid-humerus to the fingers: volume, skeleton, and where its joints truly are."""
    seed, step = request.param
    options = PhantomOptions(
        seed=seed,
        anatomy="arm",
        masses=(),
        decoys=(),
        matrix=128,
        slice_spacing_mm=step,
        z_range_mm=(LOW_MM, 201.0),
    )
    build = np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[0])
    true = {joint.name: joint.centre for joint in build_anatomy("arm", build).joints}
    volume = make_phantom(options).volume
    return volume, dense_skeleton(volume), true


def part(volume, skeleton, low_mm, high_mm):
    step = volume.spacing_mm[0]
    first, last = (round((mm - LOW_MM) / step) for mm in (low_mm, high_mm))
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 0] * first
    return Volume(volume.voxels[first:last], affine), skeleton[first:last]


def turned(volume, axis, degrees):
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    return Volume(volume.voxels, turn @ volume.affine), turn[:3, :3]


TURNS = [("z", 0), ("z", 50), ("y", 180), ("y", 25), ("x", 30)]


@pytest.mark.parametrize(("axis", "degrees"), TURNS)
def test_an_elbow_is_found_hanging_raised_turned_or_slanting(arm, axis, degrees):
    volume, skeleton = part(*arm[:2], -115, 95)
    volume, turn = turned(volume, axis, degrees)
    (joint,) = find_landmarks(volume, skeleton).joints
    assert (joint.name, joint.side) == ("elbow", None)
    assert np.linalg.norm(turn @ arm[2]["elbow"] - joint.centre_lps_mm) < 15


@pytest.mark.parametrize(("axis", "degrees"), TURNS[:3])
def test_a_wrist_is_found_where_the_hand_is_seen(arm, axis, degrees):
    volume, skeleton = part(*arm[:2], -360, -150)
    volume, turn = turned(volume, axis, degrees)
    (joint,) = find_landmarks(volume, skeleton).joints
    assert (joint.name, joint.side) == ("wrist", None)
    assert np.linalg.norm(turn @ arm[2]["wrist"] - joint.centre_lps_mm) < 20


@pytest.mark.parametrize(
    ("low_mm", "high_mm", "shown"),
    [
        (-200, -60, "the forearm alone"),
        (-360, -290, "the hand alone"),
        (60, 200, "the humerus alone"),
        (-20, 200, "the elbow, but too little of the forearm"),
        (-200, 10, "the elbow, but not the humerus"),
    ],
)
@pytest.mark.parametrize(("axis", "degrees"), TURNS)
def test_too_little_of_an_arm_gives_no_joint(arm, low_mm, high_mm, shown, axis, degrees):
    volume, skeleton = part(*arm[:2], low_mm, high_mm)
    volume, _ = turned(volume, axis, degrees)
    assert find_landmarks(volume, skeleton).joints == (), shown


def test_of_two_elbows_the_one_at_larger_x_is_the_left(arm):
    volume, skeleton = part(*arm[:2], -115, 95)
    both = Volume(np.concatenate([volume.voxels] * 2, axis=2), volume.affine)
    joints = find_landmarks(both, np.concatenate([skeleton] * 2, axis=2)).joints
    right, left = sorted(joints, key=lambda joint: joint.centre_lps_mm[0])
    assert (right.name, right.side) == ("elbow", "right")
    assert (left.name, left.side) == ("elbow", "left")


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_elbow_beside_the_chest_gets_its_side_from_the_lungs(arm, side):
    volume, skeleton = part(*arm[:2], -115, 95)
    width = round(300 / volume.spacing_mm[2])
    chest = np.full((*volume.shape[:2], width), 40, np.int16)
    chest[:, 20:-20, 10 : width // 2 - 10] = chest[:, 20:-20, width // 2 + 10 : -10] = -850
    parts = [volume.voxels, chest] if side == "right" else [chest, volume.voxels]
    bones = [skeleton, np.zeros_like(chest, bool)]
    bone = np.concatenate(bones if side == "right" else bones[::-1], axis=2)
    joints = find_landmarks(Volume(np.concatenate(parts, axis=2), volume.affine), bone).joints
    assert [(joint.name, joint.side) for joint in joints] == [("elbow", side)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_leg_gives_no_elbow_and_no_wrist(seed):
    options = PhantomOptions(
        seed=seed, anatomy="knees", masses=(), decoys=(), matrix=128, slice_spacing_mm=3.0,
        z_range_mm=(-300.0, 250.0),
    )  # fmt: skip
    volume = make_phantom(options).volume
    names = {joint.name for joint in find_landmarks(volume, dense_skeleton(volume)).joints}
    assert not names & {"elbow", "wrist"}
    assert "knee" in names


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_the_hips_of_thick_slices_are_the_femoral_heads_and_not_the_ischia(missing):
    phantom = make_phantom(
        PhantomOptions(
            masses=(MassOptions(volume_ml=20, joint="hip", side="left"),),
            decoys=(),
            pixel_mm=3.0,
            slice_spacing_mm=6.0,
        )
    )
    bone = phantom.truth.skeleton
    bone &= np.random.default_rng(0).random(bone.shape) >= missing
    hips = [j for j in find_landmarks(phantom.volume, bone).joints if j.name == "hip"]
    heads = {"left": (90, 0, 0), "right": (-90, 0, 0)}  # as `phantom.anatomy` draws them
    assert {hip.side for hip in hips} == set(heads)
    for hip in hips:
        assert np.linalg.norm(np.subtract(hip.centre_lps_mm, heads[hip.side])) < 12
