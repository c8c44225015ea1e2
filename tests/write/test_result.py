import json
from dataclasses import replace

import jsonschema
import pytest
from pydantic import ValidationError

from calcinosis.analysis import explained
from calcinosis.explain.explanation import explain
from calcinosis.finding import Finding
from calcinosis.read.case_file import Case
from calcinosis.read.patient_file import PatientFile
from calcinosis.write.result import result_json, result_of
from calcinosis.write.schema import SCHEMA_FILE, schema_text

# DESIGN: the contract's keys, in the contract's order.
MASS_KEYS = [
    "id", "site", "centroid_lps_mm", "volume_ml", "volume_ci95_ml", "calcified_volume_ml",
    "calcium_mass_mg", "calcium_mass_ci95_mg", "max_diameter_mm", "perpendicular_diameter_mm",
    "diameter_ends_lps_mm", "hu", "locules", "fluid_levels", "sedimentation_sign", "bone",
    "skin_distance_mm", "confidence", "remarks",
]  # fmt: skip
TOP_KEYS = [
    "schema", "version", "series", "masses", "other_calcifications", "findings", "patient",
    "differential", "red_flags", "plan", "forecast", "calibration", "timings_s",
]  # fmt: skip


@pytest.fixture(scope="module")
def written(analysis):
    return json.loads(result_json(analysis))


def test_the_shipped_schema_is_the_one_the_models_describe():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m calcinosis.write.schema"
    )


def test_what_is_written_satisfies_the_shipped_schema(written, fabricated):
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))
    validator.check_schema(validator.schema)
    validator.validate(written)
    validator.validate(json.loads(result_json(fabricated(masses=0))))


@pytest.mark.parametrize(
    "broken",
    [
        {"schema": "calcinosis/2"},
        {"unexpected": 1},
        {"masses": [{"id": 1}]},
        {"other_calcifications": [{"kind": "stone", "volume_ml": 1, "centroid_lps_mm": [0, 0, 0]}]},
    ],
)
def test_the_schema_refuses_what_breaks_the_contract(written, broken):
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))
    assert not validator.is_valid({**written, **broken})


def test_the_contract_keys_are_all_there_in_order(written):
    assert [key for key in written if key in TOP_KEYS] == TOP_KEYS
    assert list(written["masses"][0]) == MASS_KEYS
    assert written["schema"] == "calcinosis/1"


def test_what_is_not_known_is_null_never_missing_and_never_zero(written):
    second = written["masses"][1]
    assert second["site"] is None
    assert second["sedimentation_sign"] is None
    assert second["bone"]["distance_mm"] is None
    assert written["patient"] is written["forecast"] is None
    assert written["timings_s"]["explain"] is None


def test_without_a_mass_there_is_nothing_to_explain(fabricated):
    result = json.loads(result_json(fabricated(masses=0)))
    assert result["differential"] is result["plan"] is None
    assert result["red_flags"] == []


def test_probabilities_sum_to_one_and_carry_their_sources(written):
    differential = written["differential"]
    assert sum(row["probability"] for row in differential) == pytest.approx(1, abs=1e-4)
    assert all(one["source"] for row in differential for one in row["evidence"])


def test_numbers_are_those_measured(written, analysis):
    first = analysis.measurement.masses[0]
    assert written["masses"][0]["volume_ml"] == pytest.approx(first.volume_ml, rel=1e-5)
    assert written["masses"][0]["fluid_levels"][0]["area_mm2"] == 900.0
    assert written["series"]["spacing_mm"] == [2.0, 1.5, 1.5]
    assert written["series"]["gravity_lps"] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_volume_that_is_no_volume_is_never_written(analysis, value):
    masses = (replace(analysis.measurement.masses[0], volume_ml=value),)
    broken = replace(analysis, measurement=replace(analysis.measurement, masses=masses))
    with pytest.raises(ValidationError, match="volume_ml"):
        result_of(broken)


def test_a_forecast_is_written_and_the_plan_points_to_it(forecasted):
    written = json.loads(result_json(forecasted))
    jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text())).validate(written)
    names = [option["name"] for option in written["forecast"]["options"]]
    assert names[0] == "as now"
    plan = {option["option"]: option["forecast"] for option in written["plan"]}
    assert plan["parathyroidectomy"] == "parathyroidectomy"
    assert plan["excision"] is None
    assert {name for name in plan.values() if name} <= set(names)
    chances = written["forecast"]["options"][0]["outcomes"]
    assert 0 < chances["chance_deposit_halved"] < 1


def test_a_report_that_contradicts_the_measurement_is_kept_and_named(analysis):
    report = Case.model_validate({"imaging": {"ct": {"bone_erosion_or_osteolysis": True}}})
    seen = Finding("bone_erosion", "absent", "measured", "CT", mass_id=1)
    told = replace(analysis, explanation=explain(report, measured=(seen,)))
    result = json.loads(result_json(told))
    (dispute,) = result["contradictions"]
    assert dispute["code"] == "bone_erosion"
    assert dispute["says_present"][0]["origin"] == "reported"
    assert dispute["says_absent"][0]["origin"] == "measured"
    costs = [test["cost"] for test in result["next_tests"]]
    assert costs
    assert costs == sorted(costs)


def test_the_forecast_starts_with_the_calcium_in_the_hydroxyapatite_ct_measured(
    analysis, forecasted
):
    hydroxyapatite_mg = sum(mass.calcium_mass_mg for mass in analysis.measurement.masses)
    known = PatientFile(Case(), forecasted.patient)
    outlook = explained(analysis.study, analysis.measurement, known).outlook
    start_g = outlook.courses[0].central["deposit_calcium_g"][0]
    assert start_g == pytest.approx(0.399 * hydroxyapatite_mg / 1000, rel=1e-3)
