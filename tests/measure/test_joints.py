import json

import numpy as np
import pytest

from calcinosis.measure.joints import find_landmarks, locate
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


def joints_of_an_arm(seed, z_range_mm, slice_mm, **options):
    phantom = make_phantom(
        PhantomOptions(
            seed=seed,
            anatomy="elbow",
            masses=(),
            decoys=(),
            pixel_mm=1.0,
            slice_spacing_mm=slice_mm,
            z_range_mm=z_range_mm,
            **options,
        )
    )
    return find_landmarks(phantom.volume, phantom.truth.skeleton).joints


@pytest.mark.parametrize(
    ("seed", "slice_mm", "turned_deg"), [(0, 1.5, 0), (1, 3, 0), (2, 3, 25), (3, 2, 0)]
)
def test_an_elbow_lies_where_one_bone_follows_on_two(seed, slice_mm, turned_deg):
    (elbow,) = joints_of_an_arm(seed, (-110.0, 110.0), slice_mm, rotation_deg=turned_deg)
    assert (elbow.name, elbow.side) == ("elbow", None)  # one arm alone has no side
    assert np.linalg.norm(elbow.centre_lps_mm) < 15


def test_a_wrist_lies_where_many_bones_follow_on_two():
    (wrist,) = joints_of_an_arm(2, (-340.0, -120.0), 2)
    assert wrist.name == "wrist"
    assert np.linalg.norm(np.subtract(wrist.centre_lps_mm, (0, 0, -246))) < 30


@pytest.mark.parametrize("z_range_mm", [(-200.0, -60.0), (-130.0, 5.0), (-250.0, -100.0)])
def test_a_forearm_whose_next_bones_are_out_of_the_picture_gives_no_joint(z_range_mm):
    assert joints_of_an_arm(1, z_range_mm, 3) == ()
