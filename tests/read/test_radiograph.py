"""Reading radiographs: polarity, exposure, pixel size, gravity, and what is none."""

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from calcinosis.errors import InputError, NotReadableError
from calcinosis.read.radiograph import read_radiograph
from calcinosis.read.study import read_study
from radiograph_scene import balls, density, write_dx

PICTURE = density(balls(64, 1.0, radius_mm=10))


def written(path, **tags):
    return read_radiograph(write_dx(path / "film.dcm", PICTURE, **tags))


def test_dense_is_bright_whatever_the_photometric_interpretation(tmp_path):
    one = written(tmp_path)
    other = written(tmp_path, PhotometricInterpretation="MONOCHROME1")
    shift = other.density - one.density
    assert np.ptp(shift) == 0
    assert np.corrcoef(one.density.ravel(), PICTURE.ravel())[0, 1] > 0.999


def test_pixels_that_follow_the_exposure_are_taken_by_their_logarithm(tmp_path):
    exposure = 4000 * np.exp(-(PICTURE - PICTURE.min()))
    found = read_radiograph(
        write_dx(
            tmp_path / "raw.dcm",
            exposure,
            PresentationIntentType="FOR PROCESSING",
            PixelIntensityRelationship="LIN",
            PixelIntensityRelationshipSign=1,
        )
    )
    assert np.corrcoef(found.density.ravel(), PICTURE.ravel())[0, 1] > 0.9
    assert "logarithm" in found.remarks[0]


def test_the_rescale_slope_counts(tmp_path):
    one, other = written(tmp_path), written(tmp_path, RescaleSlope=2, RescaleIntercept=-5)
    assert np.allclose(other.density, 2 * one.density - 5)


@pytest.mark.parametrize(
    ("tags", "pixel_mm", "magnification"),
    [
        ({}, 0.5, None),
        ({"EstimatedRadiographicMagnificationFactor": 1.25}, 0.4, 1.25),
        ({"DistanceSourceToDetector": 1200, "DistanceSourceToPatient": 1000}, 0.5 / 1.2, 1.2),
        ({"PixelSpacing": [0.4, 0.4]}, 0.4, 1.0),
        ({"PixelSpacing": [0.5, 0.5], "PixelSpacingCalibrationType": "FIDUCIAL"}, 0.5, 1.0),
        ({"PixelSpacing": [0.5, 0.5]}, 0.5, None),
    ],
)
def test_the_size_of_a_pixel_and_its_magnification(tmp_path, tags, pixel_mm, magnification):
    scale = written(tmp_path, **tags).scale
    assert scale.pixel_mm == pytest.approx(pixel_mm)
    assert scale.magnification == magnification or scale.magnification == pytest.approx(
        magnification
    )
    assert scale.lowest <= 1 <= scale.highest
    if magnification is None:
        assert "up to 20 % less" in scale.source


@pytest.mark.parametrize(
    ("tags", "way"),
    [
        ({"SeriesDescription": "Hip AP erect"}, (1, 0)),
        ({"SeriesDescription": "Pelvis upright", "PatientOrientation": ["F", "L"]}, (0, 1)),
        ({"ViewPosition": "LLD"}, (0, 1)),
        ({"ViewPosition": "RLD"}, (0, -1)),
        ({"SeriesDescription": "hip cross-table lat", "PatientOrientation": ["A", "F"]}, (0, -1)),
        ({"SeriesDescription": "Hip AP supine"}, None),
        ({}, None),
        ({"SeriesDescription": "Hip erect", "PatientOrientation": None}, None),
    ],
)
def test_gravity_by_the_header(tmp_path, tags, way):
    gravity = written(tmp_path, **tags).gravity
    assert gravity.way == way
    assert way is not None or "--gravity" in gravity.because


def test_posture_by_code(tmp_path):
    item = Dataset()
    item.CodeValue = "10904000"
    assert written(tmp_path, PatientOrientationCodeSequence=[item]).gravity.way == (1, 0)


@pytest.mark.parametrize(
    ("tags", "line"),
    [
        ({"Modality": "MR"}, "modality MR; expected a radiograph"),
        ({"Modality": "CT"}, "`calcinosis analyze` measures CT"),
        ({"ImagerPixelSpacing": None}, "expected --spacing-mm"),
        ({"ImagerPixelSpacing": [0, 0]}, "expected --spacing-mm"),
        ({"ImagerPixelSpacing": [0.5, 0.6]}, "expected square pixels"),
        ({"NumberOfFrames": 2, "Rows": 32}, "2 frames; expected one radiograph"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(tmp_path, tags, line):
    with pytest.raises(InputError, match=line) as refused:
        written(tmp_path, **tags)
    assert "\n" not in str(refused.value)
    assert "Doe" not in str(refused.value)


def test_a_picture_needs_the_size_of_its_pixels(tmp_path):
    path = tmp_path / "film.png"
    Image.fromarray((PICTURE * 60).astype(np.uint8)).save(path)
    with pytest.raises(InputError, match="--spacing-mm"):
        read_radiograph(path)
    assert read_radiograph(path, spacing_mm=0.2).scale.pixel_mm == 0.2
    with pytest.raises(InputError, match=r"expected 0\.01 to 5 mm"):
        read_radiograph(path, spacing_mm=0)


def test_colour_noise_and_nothing(tmp_path):
    colours = np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    with pytest.raises(InputError, match="colour image"):
        read_radiograph(tmp_path / "colours.png", spacing_mm=0.2)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(NotReadableError, match="no DICOM, PNG or JPEG"):
        read_radiograph(tmp_path / "text.png", spacing_mm=0.2)
    with pytest.raises(NotReadableError, match="no such file"):
        read_radiograph(tmp_path / "missing.dcm")
    with pytest.raises(NotReadableError, match="a folder"):
        read_radiograph(tmp_path)


def test_analyze_names_the_command_that_reads_a_radiograph(tmp_path):
    write_dx(tmp_path / "film.dcm", PICTURE)
    with pytest.raises(InputError, match="`calcinosis radiograph` reads radiographs"):
        read_study(tmp_path)
