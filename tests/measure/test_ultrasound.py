"""A mass on an ultrasound picture, against what was drawn."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from calcinosis.errors import InputError
from calcinosis.explain.ultrasound import findings_of_ultrasound
from calcinosis.measure.ultrasound import measure_sonogram
from calcinosis.measure.ultrasound_beams import sector_of
from ultrasound_scene import PIXEL_MM, box, cyst, picture, sonogram

SHELL = {"shell_loss_db": 18.0, "seed": 4, "locules": 3, "fluid_db": -45.0, "frequency_mhz": 10.0}


def measured(drawn, folder, **choices):
    return measure_sonogram(sonogram(drawn, folder, **choices))


def dice(mass, drawn):
    mask = mass.outline.mask
    return 2 * (mask & drawn.mass).sum() / (mask.sum() + drawn.mass.sum())


def true_diameter_mm(drawn):
    places = np.argwhere(drawn.mass)
    return pdist(places[:: max(1, len(places) // 1000)]).max() * PIXEL_MM


def states(mass):
    return {finding.code: finding.state for finding in findings_of_ultrasound(mass)}


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    drawn = picture("shelled", **SHELL)
    return drawn, sonogram(drawn, tmp_path_factory.mktemp("shell"))


@pytest.mark.parametrize("convex", [False, True])
def test_a_cyst_is_outlined_and_is_no_shell(convex, tmp_path):
    drawn = cyst(convex)
    mass = measured(drawn, tmp_path)
    assert dice(mass, drawn) > 0.9
    assert mass.max_diameter == pytest.approx(true_diameter_mm(drawn), rel=0.1)
    assert mass.max_ci95[0] < true_diameter_mm(drawn) < mass.max_ci95[1]
    assert mass.strips.state == "enhancement"
    top = np.nonzero(drawn.mass)[0].min() - np.nonzero(drawn.sector)[0].min()
    assert mass.depth == pytest.approx(top * PIXEL_MM, abs=2 if not convex else 8)
    assert mass.content.like_fluid > 0.7
    assert mass.content.locule_count == 1
    found = states(mass)
    assert found["calcified_shell_with_fluid"] == "absent"
    assert found["max_diameter_cm"] == "present"


def test_a_solid_tumour_has_neither_shell_nor_shadow_nor_fluid(tmp_path):
    mass = measured(picture("solid", 3), tmp_path)
    assert mass.strips.state == "neither"
    assert mass.content.like_fluid < 0.5
    assert states(mass)["calcified_shell_with_fluid"] == "absent"
    assert states(mass)["multilobulated"] != "present"


def test_a_calcified_shell_around_fluid_is_one_and_throws_a_shadow(shell):
    drawn, seen = shell
    mass = measure_sonogram(seen)
    assert dice(mass, drawn) > 0.7
    assert mass.max_ci95[0] < true_diameter_mm(drawn) < mass.max_ci95[1]
    assert mass.strips.state == "shadow"
    assert mass.rim.bright_share > 0.5
    assert states(mass)["calcified_shell_with_fluid"] == "present"


def test_a_box_holds_the_outline(shell):
    drawn, seen = shell
    around = box(drawn)
    at = tuple((side.start + side.stop) // 2 for side in around)
    mass = measure_sonogram(replace(seen, at=at), around)
    assert dice(mass, drawn) > 0.75
    rows, columns = np.nonzero(mass.outline.mask)
    first = seen.region.box[0].start
    for places, side in zip((rows + first, columns), around, strict=True):
        room = 0.06 * (side.stop - side.start) + 1
        assert side.start - room <= places.min()
        assert places.max() <= side.stop + room


@pytest.mark.parametrize("seed", [3, 4])
def test_in_tissue_without_a_mass_nothing_is_outlined(seed, tmp_path):
    with pytest.raises(InputError, match=r"no border of a mass .* or --box around it"):
        measured(picture("none", seed), tmp_path)


def test_a_point_beside_what_the_probe_sees_is_refused(tmp_path):
    drawn = cyst(convex=True)
    seen = sonogram(drawn, tmp_path)
    corner = seen.region.box[0].stop - 5, 5
    with pytest.raises(InputError, match="outside what the probe sees"):
        measure_sonogram(replace(seen, at=corner))


def test_without_a_scale_sizes_are_pixels_and_count_for_nothing(tmp_path):
    drawn = cyst()
    mass = measured(drawn, tmp_path, calibrated=False)
    assert mass.max_diameter == pytest.approx(true_diameter_mm(drawn) / PIXEL_MM, rel=0.1)
    assert "max_diameter_cm" not in states(mass)
    assert any("in pixels, not in mm" in remark for remark in mass.remarks)


@pytest.mark.parametrize("convex", [False, True])
def test_beams_meet_where_the_probe_was(convex, tmp_path):
    drawn = cyst(convex)
    found = sector_of(sonogram(drawn, tmp_path))
    if convex:
        assert found.apex == pytest.approx(drawn.apex, abs=12)
    else:
        assert found.apex is None
    both = (found.inside & drawn.sector).sum()
    assert both > 0.97 * (found.inside | drawn.sector).sum()
