"""The same patient gives the same volumes, however the scan's grid lies and is cut."""

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from calcinosis.measure import tissue
from calcinosis.measure.ct import measure_ct
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.volume import Study, Volume


@cache
def knee_with_a_mass():
    """A block around one mass, 1.2 mm pixels, 1.5 mm slices."""
    phantom = make_phantom(
        PhantomOptions(
            seed=3,
            anatomy="knees",
            masses=(MassOptions(30, "apart", "knee", "left"),),
            decoys=(),
            pixel_mm=1.2,
            slice_spacing_mm=1.5,
        )
    )
    (extent,) = ndimage.find_objects((phantom.truth.envelope > 0).astype(np.uint8))
    return phantom.volume.crop(phantom.volume.grow(extent, 35))


def largest(volume):
    return max(measure_ct(Study(volume)).masses, key=lambda mass: mass.volume_ml)


@cache
def as_scanned():
    return largest(knee_with_a_mass())


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


def agree(one, other):
    """Two measurements of one mass differ by less than the printed interval's half."""
    return all(
        abs(one.volume_ml - other.volume_ml) < (mass.volume_ci95_ml[1] - mass.volume_ci95_ml[0]) / 2
        for mass in (one, other)
    )


@settings(max_examples=3, deadline=None, derandomize=True)
@given(
    st.permutations([0, 1, 2]),
    st.sets(st.sampled_from([0, 1, 2])),
)
def test_the_order_of_the_voxels_does_not_matter(order, backwards):
    assert agree(largest(reordered(knee_with_a_mass(), order, backwards)), as_scanned())


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.floats(0.5, 2))
def test_the_distance_of_slices_does_not_matter(factor):
    assert agree(largest(resliced(knee_with_a_mass(), factor)), as_scanned())


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.tuples(*[st.integers(0, 12)] * 3))
def test_where_the_scan_begins_does_not_matter(start):
    box = tuple(slice(s, None) for s in start)
    assert agree(largest(knee_with_a_mass().crop(box)), as_scanned())


def test_the_same_scan_gives_the_same_measures_and_voxels():
    one, other = (measure_ct(Study(knee_with_a_mass())) for _ in range(2))
    assert one.masses == other.masses
    assert one.labels.tobytes() == other.labels.tobytes()


def test_one_thread_and_two_score_a_block_alike():
    block = np.random.default_rng(0).normal(100, 300, (1, 1, 48, 56, 64)).astype(np.float32)
    inputs = dict.fromkeys((given.name for given in tissue._network().get_inputs()), block)
    one, two = (tissue._network(threads).run(None, inputs)[0] for threads in (1, 2))
    assert one.tobytes() == two.tobytes()
