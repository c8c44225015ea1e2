"""The side that a header states: by its fields, else by clear words; never where both are named."""

import pytest

from calcinosis.read.laterality import side_in_words
from calcinosis.read.study import read_study
from dicom_series import ct_series, save


@pytest.mark.parametrize(
    ("header", "side"),
    [
        ({"Laterality": "L"}, "left"),
        ({"ImageLaterality": "R"}, "right"),
        ({"Laterality": "R", "ImageLaterality": "L"}, None),
        ({"ImageLaterality": "B"}, None),
        ({"ImageLaterality": "U", "SeriesDescription": "left knee"}, None),
        ({"Laterality": "L", "SeriesDescription": "right knee"}, "left"),
        ({"SeriesDescription": "Knie li nativ", "StudyDescription": "CT Knie"}, "left"),
        ({"SeriesDescription": "left knee", "StudyDescription": "right knee"}, None),
        ({"SeriesDescription": "Bone 1.0"}, None),
        ({}, None),
    ],
)
def test_the_side_is_read_from_the_header(tmp_path, header, side):
    stated = read_study(save(ct_series(**header), tmp_path)).stated_side
    assert (stated and stated.side) == side


@pytest.mark.parametrize(
    ("words", "side"),
    [
        ("CT LEFT KNEE W/O", "left"),
        ("linkes Knie", "left"),
        ("CT rechter Ellenbogen", "right"),
        ("genou gauche", "left"),
        ("coude droit", "right"),
        ("codo derecho", "right"),
        ("spalla sinistra", "left"),
        ("RT_SHOULDER", "right"),
        ("Hip L", "left"),
        ("L + R knee", None),
        ("Knie re/li", None),
        ("both knees, left turned", None),
        ("bilateral hips", None),
        ("left lateral decubitus", None),
        ("left main coronary", None),
        ("RT planning pelvis", None),
        ("L spine", None),
        ("knee, upright", None),
        ("", None),
    ],
)
def test_words_tell_a_side_only_beside_a_limb_and_only_one(words, side):
    assert side_in_words(words) == side
