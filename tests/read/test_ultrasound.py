"""Ultrasound pictures as DICOM: grey levels, regions and their scale, colour, what is refused."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from calcinosis.errors import CalcinosisError, InputError
from calcinosis.measure.ultrasound import measure_sonogram
from calcinosis.measure.ultrasound_beams import sector_of
from calcinosis.phantom.ultrasound_dicom import STRIP_ROWS, on_screen, write_ultrasound
from calcinosis.read.ultrasound import read_sonogram
from calcinosis.read.ultrasound_regions import region_at
from real_bones import DATA, needs_data
from ultrasound_scene import PIXEL_MM, picture, point, sonogram

REAL = DATA / "pydicom_odd"
SHAPE = (480, 640)


@pytest.fixture(scope="module")
def drawn():
    return picture("cyst")


@pytest.mark.parametrize("colours", ["MONOCHROME2", "RGB", "YBR_FULL", "PALETTE COLOR"])
def test_grey_is_read_however_it_is_stored(colours, drawn, tmp_path):
    read = sonogram(drawn, tmp_path, colours=colours)
    seen = ~read.hidden
    assert seen.mean() > 0.99
    assert np.abs(read.grey - on_screen(drawn))[seen].max() <= 1
    assert read.region.pixel_mm == pytest.approx((PIXEL_MM, PIXEL_MM))
    assert read.region.box[0].start == STRIP_ROWS


def part(box, delta_cm=(0.02, 0.02), units=3, form=1, kind=1):
    """An item of SequenceOfUltrasoundRegions; box is left, top, right, bottom."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = form, kind, 0
    for name, value in zip(("MinX0", "MinY0", "MaxX1", "MaxY1"), box, strict=True):
        setattr(item, f"RegionLocation{name}", value)
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaY, item.PhysicalDeltaX = delta_cm
    return item


def region(*parts, at):
    header = Dataset()
    header.SequenceOfUltrasoundRegions = list(parts)
    return region_at(Path("drawn.dcm"), header, SHAPE, at)


@given(
    st.tuples(st.integers(0, 500), st.integers(0, 400)),
    st.tuples(st.integers(60, 700), st.integers(60, 500)),
    st.tuples(st.sampled_from([-1, 1]), st.floats(10, 300), st.floats(0.5, 2)),
)
def test_a_region_keeps_its_place_and_its_scale(corner, size, scale):
    left, top = corner
    right, bottom = left + size[0], top + size[1]
    sign, deep_mm, wide = scale
    rows = min(bottom + 1, SHAPE[0]) - top
    step_cm = deep_mm / rows / 10
    found = region(
        part((left, top, right, bottom), (sign * step_cm, step_cm * wide)), at=(top, left)
    )
    assert (found.box[0].start, found.box[1].start) == (top, left)
    assert found.box[1].stop == min(right + 1, SHAPE[1])
    assert found.pixel_mm == pytest.approx((10 * step_cm, 10 * step_cm * wide))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (part((0, 0, 600, 400), units=0), "not calibrated in centimetres"),
        (part((0, 0, 600, 400), delta_cm=(0.1, 0.1), units=3), "not believed"),
        (part((0, 0, 600, 400), delta_cm=(0.0, 0.0)), "not believed"),
    ],
)
def test_a_scale_that_cannot_be_is_not_taken(item, words):
    found = region(item, at=(100, 100))
    assert found.pixel_mm is None
    assert words in found.scale


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (part((0, 0, 600, 400), form=2), "lies in M-mode"),
        (part((0, 0, 600, 400), kind=2), "lies in colour flow"),
        (part((200, 0, 600, 400)), "outside the regions"),
        (part((300, 300, 200, 200)), "expected one in the picture"),
    ],
)
def test_a_point_outside_tissue_is_told_what_is_there(item, words):
    with pytest.raises(CalcinosisError, match=words):
        region(item, at=(100, 100))


def test_of_a_dual_screen_the_half_with_the_point_is_read():
    halves = part((0, 0, 319, 400)), part((320, 0, 639, 400), delta_cm=(0.03, 0.03))
    assert region(*halves, at=(50, 400)).pixel_mm == pytest.approx((0.3, 0.3))


def test_colour_over_grey_is_hidden_and_no_point_in_it_is_taken(drawn, tmp_path):
    path = write_ultrasound(tmp_path / "flow.dcm", drawn, colours="RGB")
    file = pydicom.dcmread(path)
    pixels = file.pixel_array.copy()
    row, column = point(drawn)
    pixels[row + 20 : row + 40, column : column + 30] = (220, 30, 20)  # over fluid
    file.PixelData = pixels.tobytes()
    file.save_as(path)
    read = read_sonogram(path, at=(row, column))
    assert read.hidden[row + 20 : row + 40, column : column + 30].all()
    assert read.grey[row + 30, column + 15] < 60
    with pytest.raises(InputError, match="lies in colour"):
        measure_sonogram(read_sonogram(path, at=(row + 30, column + 15)))
    pixels[..., 1:] = 0
    file.PixelData = pixels.tobytes()
    file.save_as(path)
    with pytest.raises(InputError, match="coloured throughout"):
        read_sonogram(path, at=(row, column))


def test_crosses_of_a_measurement_are_marks_and_bright_echoes_are_not(drawn, tmp_path):
    marked = drawn.grey.copy()
    row, column = drawn.at
    for away in (-30, 30):
        marked[row, column + away - 5 : column + away + 6] = 255
        marked[row - 5 : row + 6, column + away] = 255
    path = write_ultrasound(tmp_path / "plain.dcm", drawn)
    assert not read_sonogram(path, at=point(drawn)).marked.any()
    file = pydicom.dcmread(path)
    screen = on_screen(drawn).copy()
    screen[STRIP_ROWS:] = marked
    file.PixelData = screen.tobytes()
    file.save_as(path)
    read = read_sonogram(path, at=point(drawn))
    assert read.marked[row + STRIP_ROWS, column + 30]
    assert not read.marked[row + STRIP_ROWS, column]


def test_of_a_clip_one_frame_is_named(drawn, tmp_path):
    screen = on_screen(drawn)
    both = np.stack([np.zeros_like(screen), screen])
    path = write_ultrasound(
        tmp_path / "clip.dcm", drawn, NumberOfFrames=2, PixelData=both.tobytes()
    )
    with pytest.raises(InputError, match=r"has 2 frames; name the one .* --frame, 1 to 2"):
        read_sonogram(path, at=point(drawn))
    with pytest.raises(InputError, match="--frame 3: clip"):
        read_sonogram(path, at=point(drawn), frame=3)
    assert np.array_equal(read_sonogram(path, at=point(drawn), frame=2).grey, screen)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Modality": "CT"}, "`calcinosis analyze` measures it"),
        ({"Modality": "NM"}, "`calcinosis scintigraphy` reads it"),
        ({"Modality": "DX"}, "`calcinosis radiograph` reads it"),
        ({"Modality": ""}, "modality not told"),
        ({"PixelData": b"12"}, "bytes"),
    ],
)
def test_what_is_no_ultrasound_is_refused_in_one_line(tags, words, drawn, tmp_path):
    path = write_ultrasound(tmp_path / "other.dcm", drawn, **tags)
    with pytest.raises(CalcinosisError, match=words) as error:
        read_sonogram(path, at=point(drawn))
    assert "\n" not in str(error.value)


def test_what_is_no_file_of_a_picture_is_told_for_what_it_is(tmp_path):
    (tmp_path / "note.txt").write_text("A lump at the hip.", encoding="utf-8")
    for name, words in (
        ("", "a folder; expected one"),
        ("note.txt", "no DICOM"),
        ("nowhere.dcm", "there is no such file"),
    ):
        with pytest.raises(CalcinosisError, match=words):
            read_sonogram(tmp_path / name, at=(5, 5))


@needs_data
def test_of_real_pictures_only_tissue_is_taken_and_only_a_stated_scale():
    """One with regions, palette and a fan; one of 2004 without either, with its header around."""
    fan = read_sonogram(REAL / "gdcm-US-ALOKA-16_big.dcm", at=(200, 150))
    assert fan.region.pixel_mm == pytest.approx((0.3827, 0.3827), abs=1e-3)
    assert sector_of(fan).apex is not None
    plain = read_sonogram(REAL / "US1_J2KR.dcm", at=(250, 400))
    assert plain.region.pixel_mm is None
    inside = sector_of(plain).inside
    assert not inside[:100].any()
    assert not inside[345:].any()
