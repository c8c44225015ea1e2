"""The same patient gives the same volumes, however the scan's grid lies and is cut."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from calcinosis.measure import tissue
from calcinosis.measure.ct import measure_ct
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.read.geometry import canonical
from calcinosis.volume import GRAVITY_LPS, Study, Volume

CONTACTS = ("apart", "touching")


@cache
def knee_with_a_mass(contact="apart"):
    """A block around one mass, 1.2 mm pixels, 1.5 mm slices; one that touches bone has levels."""
    texture = "sedimented" if contact == "touching" else "mixed"
    phantom = make_phantom(
        PhantomOptions(
            seed=3,
            anatomy="knees",
            masses=(MassOptions(30, contact, "knee", "left", texture=texture),),
            decoys=("granuloma",),
            pixel_mm=1.2,
            slice_spacing_mm=1.5,
        )
    )
    (extent,) = ndimage.find_objects((phantom.truth.envelope > 0).astype(np.uint8))
    return phantom.volume.crop(phantom.volume.grow(extent, 35))


@cache
def measured(contact):
    return measure_ct(Study(knee_with_a_mass(contact)))


def drawn(patch, shape):
    voxels = np.zeros(shape, bool)
    voxels[patch.box] = patch.mask
    return voxels


def largest(volume):
    return max(measure_ct(Study(volume)).masses, key=lambda mass: mass.volume_ml)


@cache
def as_scanned(contact):
    return max(measured(contact).masses, key=lambda mass: mass.volume_ml)


def reordered(volume, order, backwards):
    """The same voxels in the same places, with the array's axes in another order and direction."""
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, list(order)]
    voxels = volume.voxels.transpose(order)
    for axis in backwards:
        affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
        affine[:3, axis] *= -1
    voxels = np.ascontiguousarray(np.flip(voxels, tuple(backwards)))
    return Volume(voxels, affine, volume.patient_position)


def resliced(volume, factor):
    """Slices at another distance, each as thick as it stands apart."""
    count = round((volume.shape[0] - 1) / factor) + 1
    places = np.minimum(np.arange(count) * factor, volume.shape[0] - 1)
    smooth = volume.voxels.astype(np.float32)
    if factor > 1:
        smooth = ndimage.gaussian_filter1d(smooth, 0.425 * np.sqrt(factor**2 - 1), axis=0)
    low = np.floor(places).astype(int)
    high, share = np.minimum(low + 1, volume.shape[0] - 1), (places - low)[:, None, None]
    voxels = np.round(smooth[low] * (1 - share) + smooth[high] * share).astype(np.int16)
    affine = volume.affine.copy()
    affine[:3, 0] *= factor
    return Volume(voxels, affine, volume.patient_position)


def turned(volume, quarters):
    """The patient and gravity turned about the long axis, a quarter each time: left goes front.

    The voxels are then put in the order in which a reader of the turned scan has them.
    """
    turn = np.linalg.matrix_power(
        [[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], quarters
    )
    down = turn[:3, :3] @ volume.gravity_lps
    lying = next(name for name, gravity in GRAVITY_LPS.items() if np.allclose(gravity, down))
    return Volume(*canonical(volume.voxels, turn @ volume.affine), lying)


def agree(one, other):
    """Two measurements of one mass differ by less than the printed interval's half."""
    return all(
        abs(one.volume_ml - other.volume_ml) < (mass.volume_ci95_ml[1] - mass.volume_ci95_ml[0]) / 2
        for mass in (one, other)
    )


@pytest.mark.parametrize("contact", CONTACTS)
@settings(max_examples=2, deadline=None, derandomize=True)
@given(st.permutations([0, 1, 2]), st.sets(st.sampled_from([0, 1, 2])))
def test_the_order_of_the_voxels_does_not_matter(contact, order, backwards):
    volume = knee_with_a_mass(contact)
    usual = measured(contact)
    other = measure_ct(Study(reordered(volume, order, backwards)))
    assert [mass.volume_ml for mass in other.masses] == [mass.volume_ml for mass in usual.masses]
    assert np.allclose(other.masses[0].centroid_lps_mm, usual.masses[0].centroid_lps_mm)
    turn = partial(reordered, order=order, backwards=backwards)
    for mask in ("labels", "skeleton"):
        expected = turn(replace(volume, voxels=getattr(usual, mask))).voxels
        assert (getattr(other, mask) == expected).all(), mask
    for there, here in zip(other.other_places, usual.other_places, strict=True):
        assert drawn(there, other.labels.shape).sum() == here.mask.sum() > 0
        expected = turn(replace(volume, voxels=drawn(here, usual.labels.shape))).voxels
        assert (drawn(there, other.labels.shape) == expected).all()


@pytest.mark.parametrize("contact", CONTACTS)
@settings(max_examples=1, deadline=None, derandomize=True)
@given(st.permutations([0, 1, 2]), st.sets(st.sampled_from([0, 1, 2])))
def test_a_file_in_another_order_is_read_as_the_same_voxels(contact, order, backwards):
    volume = knee_with_a_mass(contact)
    other = reordered(volume, order, backwards)
    voxels, affine = canonical(other.voxels, other.affine)
    assert voxels.tobytes() == volume.voxels.tobytes()
    assert np.allclose(affine, volume.affine)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.sampled_from(CONTACTS), st.floats(0.5, 2))
def test_the_distance_of_slices_does_not_matter(contact, factor):
    volume = resliced(knee_with_a_mass(contact), factor)
    assert agree(largest(volume), as_scanned(contact))


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.sampled_from(CONTACTS), st.tuples(*[st.integers(0, 12)] * 3))
def test_where_the_scan_begins_does_not_matter(contact, start):
    volume = knee_with_a_mass(contact).crop(tuple(slice(s, None) for s in start))
    assert agree(largest(volume), as_scanned(contact))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_patient_turned_with_gravity_has_the_same_mass_and_as_many_levels(quarters):
    before = as_scanned("touching")
    mass = largest(turned(knee_with_a_mass("touching"), quarters))
    assert agree(mass, before)
    assert mass.sedimentation_sign
    assert len(mass.fluid_levels) == len(before.fluid_levels)


def test_the_same_scan_gives_the_same_measures_and_voxels():
    one, other = (measure_ct(Study(knee_with_a_mass())) for _ in range(2))
    assert one.masses == other.masses
    assert one.labels.tobytes() == other.labels.tobytes()


def test_one_thread_and_two_score_a_block_alike():
    block = np.random.default_rng(0).normal(100, 300, (48, 64, 80)).astype(np.int16)
    inputs = {"hu": block, "seed": np.zeros(block.shape, np.uint8)}
    one, two = (tissue.load_network(threads).run(None, inputs)[0] for threads in (1, 2))
    assert one.tobytes() == two.tobytes()
