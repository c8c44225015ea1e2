"""What real scans must give: no calcified mass where there is none, and the rest by its kind."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from calcinosis.measure.ct import measure_ct
from calcinosis.phantom.insert import insert_mass
from calcinosis.read.mask import read_mask
from calcinosis.read.study import read_study
from calcinosis.volume import Study

DATA = Path(__file__).parents[2] / "../shared/data"
SARCOMAS = sorted(path.name[4:7] for path in DATA.glob("sts/sts_???.nii.gz"))
MINERALISED = {"003", "006", "020"}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="REAL SCANS ABSENT: ../shared/data")


@cache
def study(name):
    return read_study(DATA / name)


def measured(name):
    return measure_ct(study(name))


@pytest.mark.parametrize(
    "name",
    [
        "totalseg/example_ct.nii.gz",
        "lidc0314_shoulders/lidc0314_shoulders.nii.gz",
        "thorax/thorax_lungfused.nii.gz",
        "thorax/thorax_rider_ctpa.nii.gz",
        "vhf_legs/vhf_lower_legs.nii.gz",
    ],
)
def test_a_scan_without_a_mass_yields_none(name):
    assert measured(name).masses == ()


def test_the_table_is_no_bone():
    name = "lidc0314_shoulders/lidc0314_shoulders.nii.gz"
    posterior_mm = study(name).volume.to_lps(np.argwhere(measured(name).skeleton))[:, 1]
    assert posterior_mm.max() < 265  # the back ends before, the table's edges lie beyond


def test_knees_yield_no_mass_but_the_calcified_artery():
    result = measured("vhf_legs/dicom")
    assert result.masses == ()
    assert "vascular" in {other.kind for other in result.other_calcifications}


LIMBS_WITHOUT_VESSELS = ["sts/sts_005.nii.gz", "vhf_legs/vhf_lower_legs.nii.gz"]


@pytest.mark.parametrize("name", LIMBS_WITHOUT_VESSELS)
def test_ribs_wires_and_bone_at_the_edge_are_no_vessels(name):
    kinds = {other.kind for other in measured(name).other_calcifications}
    assert "vascular" not in kinds


def labelled_mm(*structures):
    """Distance of each voxel of the labelled trunk from the nearest of these structures, mm."""
    scan = study("totalseg/example_ct.nii.gz").volume
    masks = [path for s in structures for path in (DATA / LABELS).glob(f"{s}*.nii.gz")]
    union = np.logical_or.reduce([read_mask(path, scan) for path in masks])
    return ndimage.distance_transform_edt(~union, sampling=scan.spacing_mm)


LABELS = "totalseg/example_ct_seg_v1"


@pytest.fixture(scope="module")
def trunk():
    """Kind and voxel of each other calcification in the labelled trunk."""
    others = measured("totalseg/example_ct.nii.gz").other_calcifications
    scan = study("totalseg/example_ct.nii.gz").volume
    places = np.round(scan.to_indices([other.centroid_lps_mm for other in others])).astype(int)
    return [(other.kind, tuple(place)) for other, place in zip(others, places, strict=True)]


def test_a_seed_on_the_femur_makes_no_sure_mass():
    scan = study("totalseg/example_ct.nii.gz").volume
    femur = np.argwhere(read_mask(DATA / LABELS / "femur_left.nii.gz", scan) & (scan.voxels > 500))
    x, y, z = scan.to_lps(femur[len(femur) // 2])
    (mass,) = measure_ct(Study(scan), seeds_lps_mm=[(x, y, z)]).masses
    assert mass.confidence < 0.2
    assert "if the point lies on bone, this is no mass" in " ".join(mass.remarks)


def test_a_seed_on_a_mass_that_touches_bone_is_believed():
    scan = study("totalseg/example_ct.nii.gz").volume
    volume, truth = insert_mass(scan, seed=8801, near_bone="touching", volume_ml=4.0)
    inside = np.argwhere(truth.envelope > 0)
    brightest = inside[np.argmax(volume.voxels[tuple(inside.T)])]
    x, y, z = volume.to_lps(brightest)
    (mass,) = measure_ct(Study(volume), seeds_lps_mm=[(x, y, z)]).masses
    assert mass.confidence == 1
    assert not [remark for remark in mass.remarks if "this is no mass" in remark]


def test_the_nail_is_metal(trunk):
    assert "metal" in {kind for kind, _ in trunk}


def test_plaques_of_the_aorta_are_vascular(trunk):
    aorta_mm = labelled_mm("aorta")
    kinds = [kind for kind, place in trunk if aorta_mm[place] < 4]
    assert len(kinds) >= 3
    assert set(kinds) == {"vascular"}


def test_ribs_and_vertebrae_are_no_vessels(trunk):
    bone_mm = labelled_mm("rib", "vertebrae", "sacrum", "hip")
    assert not [place for kind, place in trunk if kind == "vascular" and bone_mm[place] < 5]


def test_stones_of_the_kidney_are_no_phleboliths(trunk):
    kidney_mm = labelled_mm("kidney")
    kinds = [kind for kind, place in trunk if kidney_mm[place] < 5]
    assert len(kinds) >= 5
    assert set(kinds) == {"unclassified"}


def filled(organ, more_hu, *, layered=False):
    """The labelled trunk with contrast agent in an organ, on its floor if layered; how much, mL."""
    scan = study("totalseg/example_ct.nii.gz").volume
    inside = ndimage.binary_erosion(read_mask(DATA / LABELS / f"{organ}.nii.gz", scan))
    inside &= scan.voxels > -150  # gas stays gas
    if layered:
        front, back = np.flatnonzero(inside.any((0, 2)))[[0, -1]]
        inside[:, : (front + back) // 2] = False
    agent = ndimage.gaussian_filter(np.where(inside, np.float32(more_hu), 0), 0.5)
    voxels = (scan.voxels + np.rint(agent)).astype(np.int16)
    return replace(scan, voxels=voxels), np.count_nonzero(inside) * scan.voxel_volume_ml


@pytest.mark.parametrize("organ", ["small_bowel", "colon", "stomach"])
def test_contrast_agent_in_bowel_and_stomach_is_no_mass(organ):
    volume, _ = filled(organ, 350)
    assert measure_ct(Study(volume)).masses == ()


@pytest.mark.parametrize(
    ("organ", "radius_mm", "rim_mm", "heart_hu"),
    [("gallbladder", 10, 10, 400), ("gallbladder", 13, 2.5, 20), ("kidney_left", 12, 12, 500)],
    ids=["solid gallstone", "gallstone with a rim", "stone of the kidney"],
)
def test_a_stone_in_an_organ_is_no_mass_but_reported(organ, radius_mm, rim_mm, heart_hu):
    scan = study("totalseg/example_ct.nii.gz").volume
    centre = np.argwhere(read_mask(DATA / LABELS / f"{organ}.nii.gz", scan)).mean(0).round()
    away = np.ones(scan.shape)
    away[tuple(centre.astype(int))] = 0
    away_mm = ndimage.distance_transform_edt(away, sampling=scan.spacing_mm)
    stone_hu = np.where(away_mm > radius_mm - rim_mm, 500, heart_hu)
    share = ndimage.gaussian_filter((away_mm < radius_mm).astype(float), 0.4)
    voxels = np.rint(scan.voxels * (1 - share) + share * stone_hu).astype(np.int16)
    result = measure_ct(Study(replace(scan, voxels=voxels)))
    assert result.masses == ()
    there = scan.to_lps(centre)
    near = [
        other
        for other in result.other_calcifications
        if np.linalg.norm(other.centroid_lps_mm - there) < radius_mm
    ]
    assert any(other.volume_ml > 1 for other in near)


def test_contrast_agent_settled_in_the_bladder_is_no_mass_but_measured():
    volume, agent_ml = filled("urinary_bladder", 600, layered=True)
    result = measure_ct(Study(volume))
    assert result.masses == ()
    largest = result.other_calcifications[0]
    assert largest.kind == "contrast"
    assert largest.volume_ml == pytest.approx(agent_ml, rel=0.1)


@pytest.mark.parametrize("patient", sorted(set(SARCOMAS) - MINERALISED))
def test_an_uncalcified_sarcoma_is_no_calcified_mass(patient):
    assert measured(f"sts/sts_{patient}.nii.gz").masses == ()


@pytest.mark.parametrize("patient", sorted(MINERALISED))
def test_mineral_in_a_sarcoma_is_reported(patient):
    result = measured(f"sts/sts_{patient}.nii.gz")
    scan = study(f"sts/sts_{patient}.nii.gz").volume
    contour = read_mask(DATA / f"sts/sts_{patient}_gtv.nii.gz", scan)
    contour = ndimage.binary_dilation(contour, iterations=8)  # drawn on MR: does not follow the CT
    near = [o.centroid_lps_mm for o in result.other_calcifications]
    near += [mass.centroid_lps_mm for mass in result.masses]
    places = np.round(scan.to_indices(near)).astype(int)
    inside = [contour[tuple(place)] for place in places]
    assert any(inside), "mineral inside the contour is neither a mass nor another calcification"


def dice(called, truth):
    return 2 * (called & truth).sum() / (called.sum() + truth.sum())


@pytest.mark.parametrize("name", ["vhf_legs/dicom", "sts/sts_040.nii.gz", "sts/sts_010.nii.gz"])
def test_a_mass_apart_from_bone_is_found(name):
    volume, truth = insert_mass(study(name).volume, seed=5, near_bone="apart", volume_ml=25)
    result = measure_ct(Study(volume))
    assert len(result.masses) == 1
    assert dice(result.labels == 1, truth.envelope > 0) > 0.7


@pytest.mark.parametrize("name", ["vhf_legs/dicom", "sts/sts_040.nii.gz"])
def test_a_mass_on_bone_is_cut_from_it_with_one_seed_point(name):
    volume, truth = insert_mass(study(name).volume, seed=6, near_bone="touching", volume_ml=25)
    inside = np.argwhere((truth.envelope > 0) & (volume.voxels > 250))
    middle = inside[np.argmin(np.linalg.norm(inside - inside.mean(0), axis=1))]
    seed = tuple(float(v) for v in volume.to_lps(middle))
    result = measure_ct(Study(volume), seeds_lps_mm=[seed])
    number = result.labels[tuple(middle)]
    assert number > 0
    assert dice(result.labels == number, truth.envelope > 0) > 0.7


def test_a_seed_point_on_bone_still_gives_numbers():
    volume = study("sts/sts_010.nii.gz").volume
    place = np.unravel_index(volume.voxels.argmax(), volume.shape)
    seed = tuple(float(v) for v in volume.to_lps(place))
    (mass,) = measure_ct(study("sts/sts_010.nii.gz"), seeds_lps_mm=[seed]).masses
    assert np.isfinite([mass.volume_ml, *mass.volume_ci95_ml, mass.max_diameter_mm]).all()
