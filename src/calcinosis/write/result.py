"""result.json: what every other program reads. The contract is ``calcinosis/1``.

Every key is always there; ``null`` means not known or not asked, never zero and never absent.
"""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field

from calcinosis import __version__
from calcinosis.analysis import Analysis
from calcinosis.explain.explanation import Explanation
from calcinosis.explain.management import Standing
from calcinosis.finding import Origin, State
from calcinosis.forecast.usual_options import simulated_by
from calcinosis.measure.mass import CalcificationKind
from calcinosis.volume import Study
from calcinosis.write.forecast_page.record import ForecastRecord, forecast_record
from calcinosis.write.record import Amount, Fraction, Number, Record

if TYPE_CHECKING:
    from calcinosis.forecast.outlook import Outlook

PointLps = Annotated[tuple[Number, Number, Number], Field(description="x, y, z in LPS, mm")]
Interval95 = Annotated[tuple[Amount, Amount], Field(description="95 % interval, low and high")]


class SeriesRecord(Record):
    """The series that was measured."""

    modality: str
    series_instance_uid: str | None
    shape: tuple[int, int, int] = Field(description="voxels along z, y, x")
    spacing_mm: tuple[Number, Number, Number] = Field(description="along z, y, x")
    patient_position: str = Field(description="DICOM (0018,5100)")
    patient_position_assumed: bool
    gravity_lps: PointLps
    chosen_because: str
    remarks: tuple[str, ...]


class SiteRecord(Record):
    """The nearest large joint."""

    joint: str
    side: Literal["left", "right"] | None
    distance_mm: Amount


class HounsfieldRecord(Record):
    """Attenuation inside the envelope, HU."""

    mean: Number
    p5: Number
    p50: Number
    p95: Number


class FluidLevelRecord(Record):
    """One flat fluid–calcium interface."""

    centroid_lps_mm: PointLps
    area_mm2: Amount
    sediment_depth_mm: Amount
    hu_above: Number
    hu_below: Number
    tilt_deg: Amount
    confidence: Fraction


class BoneRecord(Record):
    """How a mass lies to the nearest bone."""

    nearest: str | None
    distance_mm: Amount | None
    contact_mm2: Amount
    erosion_depth_mm: Amount | None = Field(description="null where eroded is")
    erosion_volume_ml: Amount | None = Field(description="null where eroded is")
    eroded: bool | None = Field(description="null: cannot be judged, see remarks")
    expected_surface: str | None = Field(description="how the uneroded surface was estimated")


class MassRecord(Record):
    """One calcified mass; `id` is its value in masses.nii.gz."""

    id: int = Field(ge=1)
    site: SiteRecord | None
    centroid_lps_mm: PointLps
    volume_ml: Amount = Field(
        description="envelope: locules with walls and septa, closed with a 3 mm ball, never bone"
    )
    volume_ci95_ml: Interval95
    calcified_volume_ml: Amount
    calcium_mass_mg: Amount = Field(description="calcium hydroxyapatite; 39.9 % of it is calcium")
    calcium_mass_ci95_mg: Interval95 = Field(description="calcium hydroxyapatite")
    max_diameter_mm: Amount
    perpendicular_diameter_mm: Amount
    diameter_ends_lps_mm: tuple[PointLps, PointLps]
    hu: HounsfieldRecord
    locules: int = Field(ge=0)
    fluid_levels: tuple[FluidLevelRecord, ...]
    sedimentation_sign: bool | None = Field(description="null: cannot be judged, see remarks")
    bone: BoneRecord
    skin_distance_mm: Amount | None
    confidence: Fraction
    remarks: tuple[str, ...]


class CalcificationRecord(Record):
    """An extraskeletal density that is no calcified mass."""

    kind: CalcificationKind
    volume_ml: Amount
    centroid_lps_mm: PointLps


class FindingRecord(Record):
    """A coded statement: present, absent or unknown, measured or reported."""

    code: str
    state: State
    origin: Origin
    modality: str
    value: Number | None
    unit: str | None
    mass_id: int | None


class EvidenceRecord(Record):
    """What one finding weighs for (positive) or against (negative) a diagnosis."""

    finding: str
    label: str
    state: State
    value: Number | None
    weight_db: Number = Field(description="decibans: 10 multiplies the odds by ten")
    source: str


class DiagnosisRecord(Record):
    """One diagnosis; all of them sum to 1."""

    diagnosis: str
    label: str
    probability: Fraction
    low: Fraction = Field(description="of the 90 % spread")
    high: Fraction
    evidence: tuple[EvidenceRecord, ...]


class ContradictionRecord(Record):
    """A sign that one source calls present and another absent; it weighs nothing."""

    code: str
    says_present: tuple[FindingRecord, ...]
    says_absent: tuple[FindingRecord, ...]


class OutcomeRecord(Record):
    """One answer to an open question, and which diagnosis would then lead."""

    outcome: str
    probability: Fraction
    leads: str
    leads_with: Fraction


class NextTestRecord(Record):
    """An open question that would move the ranking, cheapest first."""

    finding: str
    label: str
    modality: str
    cost: int = Field(ge=1, le=4, description="1 question or blood test … 4 MRI or bone scan")
    expected_information_bits: Amount
    outcomes: tuple[OutcomeRecord, ...]


class RedFlagRecord(Record):
    """What must be looked into, whatever the ranking says."""

    flag: str
    label: str
    shown: tuple[str, ...]
    because: str
    action: str
    sources: tuple[str, ...]


class OptionRecord(Record):
    """One thing that could be done."""

    option: str
    label: str
    standing: Standing
    because: tuple[str, ...]
    hazards: tuple[str, ...]
    measure: tuple[str, ...] = Field(description="not known, and would change the standing")
    sources: tuple[str, ...]
    forecast: str | None = Field(description="name of the forecast option that simulates it")


class CalibrationRecord(Record):
    """How attenuation became calcium."""

    mg_hydroxyapatite_per_ml_per_hu: Amount
    relative_uncertainty: Amount
    tube_voltage_kv: Amount | None
    source: str


class TimingsRecord(Record):
    """Seconds per step; null where the step was not run."""

    read: Amount | None = None
    measure: Amount | None = None
    explain: Amount | None = None
    forecast: Amount | None = None
    write: Amount | None = None


class Result(Record):
    """The whole of result.json."""

    model_config = ConfigDict(title="calcinosis/1")

    schema_: Literal["calcinosis/1"] = Field("calcinosis/1", serialization_alias="schema")
    version: str
    series: SeriesRecord
    masses: tuple[MassRecord, ...]
    other_calcifications: tuple[CalcificationRecord, ...]
    findings: tuple[FindingRecord, ...]
    patient: dict[str, Any] | None = Field(description="with derived laboratory values")
    differential: tuple[DiagnosisRecord, ...] | None = Field(description="null: no mass to explain")
    beside: tuple[str, ...] = Field(description="diagnoses that may coexist with the first")
    contradictions: tuple[ContradictionRecord, ...]
    next_tests: tuple[NextTestRecord, ...]
    red_flags: tuple[RedFlagRecord, ...]
    plan: tuple[OptionRecord, ...] | None
    forecast: ForecastRecord | None = Field(
        description="null: no mass, no dialysis, under 18, or calcium or phosphate not known"
    )
    calibration: CalibrationRecord
    method: tuple[str, ...]
    remarks: tuple[str, ...]
    timings_s: TimingsRecord


def result_of(analysis: Analysis) -> Result:
    """The analysis as the record that result.json holds."""
    measurement, explanation = analysis.measurement, analysis.explanation
    return Result.model_validate(
        {
            "version": __version__,
            "series": _series(analysis.study),
            "masses": measurement.masses,
            "other_calcifications": measurement.other_calcifications,
            "findings": explanation.findings if explanation else (),
            "patient": analysis.patient and analysis.patient.derived(),
            "differential": explanation and explanation.differential.diagnoses,
            "beside": explanation.differential.beside if explanation else (),
            "contradictions": explanation.differential.contradictions if explanation else (),
            "next_tests": explanation.next_tests if explanation else (),
            "red_flags": explanation.red_flags if explanation else (),
            "plan": explanation and _plan(explanation, analysis.outlook),
            "forecast": analysis.outlook and forecast_record(analysis.outlook),
            "calibration": measurement.calibration,
            "method": measurement.method,
            "remarks": (*measurement.remarks, *analysis.remarks),
            "timings_s": dict(analysis.timings_s),
        },
        from_attributes=True,
    )


def _plan(explanation: Explanation, outlook: "Outlook | None") -> list[dict[str, Any]]:
    forecast = {course.name for course in outlook.courses} if outlook else set()
    return [
        {**vars(option), "forecast": name if name in forecast else None}
        for option in explanation.plan
        for name in [simulated_by(option.option)]
    ]


def _series(study: Study) -> dict[str, Any]:
    volume = study.volume
    return {
        "modality": volume.modality,
        "series_instance_uid": study.series_instance_uid,
        "shape": volume.shape,
        "spacing_mm": volume.spacing_mm,
        "patient_position": volume.patient_position,
        "patient_position_assumed": volume.position_assumed,
        "gravity_lps": tuple(volume.gravity_lps),
        "chosen_because": study.chosen_because,
        "remarks": study.remarks,
    }


def result_json(analysis: Analysis) -> str:
    """The text of result.json."""
    record = result_of(analysis).model_dump(mode="json", by_alias=True)
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
