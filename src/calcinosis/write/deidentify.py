"""Who the patient is, taken out of an analysis before any of it is written.

After the basic profile of DICOM PS3.15 (table E.1-1) applied to all files alike: name, identifiers,
dates, age, sex and weight go, UIDs are mapped. DICOM objects are made from an allow-list of
attributes (`dicom_source`). Laboratory values, kidney status and history stay: the findings rest on
them.
"""

from dataclasses import replace

from calcinosis.analysis import Analysis
from calcinosis.analyte import ANALYTES, phosphate_interval
from calcinosis.explain.explanation import Explanation, explain_findings
from calcinosis.explain.mri import MriReading
from calcinosis.explain.radiograph import RadiographReading
from calcinosis.explain.ultrasound import SonogramReading
from calcinosis.finding import Finding
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.series import PREFERRED_TO
from calcinosis.volume import Study, Subject
from calcinosis.write.dicom_source import deidentified_uid

_TELLS_AGE_OR_SEX = frozenset({"age", "female"})


def without_identity(analysis: Analysis) -> Analysis:
    """The same analysis as if nobody knew who the patient is, how old, and when it was."""
    from calcinosis.forecast.patient_forecast import without_weight_and_days

    explanation = analysis.explanation
    return replace(
        analysis,
        study=_unnamed(analysis.study),
        patient=analysis.patient and without_days(_ageless(analysis.patient)),
        explanation=explanation and explanation_without_identity(explanation),
        outlook=analysis.outlook and without_weight_and_days(analysis.outlook),
    )


def radiograph_without_identity(reading: RadiographReading) -> RadiographReading:
    """The same of a radiograph; letters on the film itself stay."""
    return replace(
        reading,
        film=replace(reading.film, subject=Subject()),
        patient=reading.patient and without_days(_ageless(reading.patient)),
        explanation=explanation_without_identity(reading.explanation),
    )


def mri_without_identity(reading: MriReading) -> MriReading:
    """The same of MRI; why series were left out may name files, and so the patient."""
    choice, left = reading.choice, len(reading.choice.passed_over)
    told = (f"{left} other series",) if left else ()
    uids = {
        name: one and replace(one, uid=deidentified_uid(one.uid))
        for name in ("t1", "t2", "enhanced")
        for one in (getattr(choice, name),)
    }
    return replace(
        reading,
        subject=Subject(),
        choice=replace(choice, **uids, passed_over=told),
        patient=reading.patient and without_days(_ageless(reading.patient)),
        explanation=explanation_without_identity(reading.explanation),
    )


def ultrasound_without_identity(reading: SonogramReading) -> SonogramReading:
    """The same of an ultrasound picture."""
    explanation = reading.explanation
    return replace(
        reading,
        sonogram=replace(reading.sonogram, subject=Subject()),
        patient=reading.patient and without_days(_ageless(reading.patient)),
        explanation=explanation and explanation_without_identity(explanation),
    )


def _unnamed(study: Study) -> Study:
    """Without the UID, and without the names of files, which may hold the patient's."""
    uid = study.series_instance_uid
    because, others, _ = study.chosen_because.partition(PREFERRED_TO)
    return replace(
        study,
        subject=Subject(),
        series_instance_uid=uid and deidentified_uid(uid),
        chosen_because=f"{because}{others}others" if others else because,
    )


def explanation_without_identity(explanation: Explanation) -> Explanation:
    """Weighed anew without age and sex; what follows from dates is kept, the dates are not."""
    patient = _ageless(explanation.patient)
    if patient != explanation.patient:
        age_years = explanation.patient.age_years
        told = (each for each in explanation.findings if each.code not in _TELLS_AGE_OR_SEX)
        told = (_as_measured(each, age_years) for each in told)
        explanation = explain_findings(patient, tuple(told))
    return replace(explanation, patient=without_days(patient))


def _as_measured(finding: Finding, age_years: float | None) -> Finding:
    """A child's phosphate, told in adult terms among the findings, as it was measured."""
    limit, adult = phosphate_interval(age_years)[1], phosphate_interval(None)[1]
    if finding.code != "phosphate" or finding.value is None or limit == adult:
        return finding
    return replace(finding, value=finding.value * limit / adult, unit="mg/dL")


def _ageless(patient: Patient) -> Patient:
    return replace(patient, age_years=None, birth_date=None, sex=None)


def without_days(patient: Patient) -> Patient:
    """The latest results without their days; what was derived from pairs of a day is stated.

    Names of results that are not used go: they may be any text.
    """
    latest = (result for name in ANALYTES if (result := patient.latest(name)))
    undated = replace(
        patient,
        labs=tuple(replace(result, taken=None) for result in latest),
        dialysis_start=None,
        dialysis_vintage_years=patient.vintage_years(),
        passed_over=(),
    )
    for name in ("corrected_calcium", "ca_p_product"):
        value = patient.value(name)
        if value is not None and value != undated.value(name):
            others = tuple(result for result in undated.labs if result.analyte != name)
            undated = replace(undated, labs=(*others, LabResult(name, value)))
    return undated
