"""Findings of other images of the mass, as the program's own results hold them."""

import json

import pytest

from calcinosis.errors import InputError, NotReadableError
from calcinosis.read.other_images import findings_of_other_images

SHELL = {"code": "calcified_shell_with_fluid", "state": "present", "origin": "measured"}
SIZE = {"code": "max_diameter_cm", "state": "present", "origin": "measured", "value": 4.1}


def result(folder, findings, schema="calcinosis-ultrasound/1"):
    path = folder / "result.json"
    told = [{"modality": "ultrasound", **finding} for finding in findings]
    path.write_text(json.dumps({"schema": schema, "findings": told}), encoding="utf-8")
    return path


def test_signs_are_taken_and_sizes_are_left_to_the_ct(tmp_path):
    (found,) = findings_of_other_images([result(tmp_path, [{**SHELL, "mass_id": 1}, SIZE])])
    assert (found.code, found.state, found.modality) == (SHELL["code"], "present", "ultrasound")
    assert found.mass_id is None, "it need not be mass 1 of the CT"


def test_without_a_ct_the_size_is_taken_too(tmp_path):
    _, size = findings_of_other_images([result(tmp_path, [SHELL, SIZE])], sizes=True)
    assert (size.code, size.value) == ("max_diameter_cm", 4.1)


def test_what_was_stated_beside_the_image_is_not_taken_for_found_on_it(tmp_path):
    stated = {"code": "dialysis", "state": "present", "origin": "reported", "modality": "history"}
    (found,) = findings_of_other_images([result(tmp_path, [stated, SHELL])])
    assert found.code == SHELL["code"]


@pytest.mark.parametrize("schema", ["calcinosis-result/1", None, 3])
def test_what_is_no_result_of_another_image_is_refused(tmp_path, schema):
    with pytest.raises(InputError, match="no result of another image"):
        findings_of_other_images([result(tmp_path, [SHELL], schema)])


def test_a_changed_file_is_refused_with_the_place(tmp_path):
    with pytest.raises(InputError, match=r"findings\.0\.state"):
        findings_of_other_images([result(tmp_path, [{**SHELL, "state": "maybe"}])])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotReadableError, match=r"none\.json"):
        findings_of_other_images([tmp_path / "none.json"])
