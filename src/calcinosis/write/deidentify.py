"""Who the patient is, taken out of an analysis before any of it is written.

After the basic profile of DICOM PS3.15 (table E.1-1) applied to all files alike: name, identifiers,
dates, age, sex and weight go, UIDs are mapped. DICOM objects are made from an allow-list of
attributes (`dicom_source`). Laboratory values, kidney status and history stay: the findings rest on
them.
"""

from dataclasses import replace

from calcinosis.analysis import Analysis
from calcinosis.explain.explanation import Explanation, explain_findings
from calcinosis.patient import Patient
from calcinosis.read.series import PREFERRED_TO
from calcinosis.volume import Study, Subject
from calcinosis.write.dicom_source import deidentified_uid

_TELLS_AGE_OR_SEX = frozenset({"age", "female"})


def without_identity(analysis: Analysis) -> Analysis:
    """The same analysis as if nobody knew who the patient is, how old, and when it was."""
    from calcinosis.forecast.patient_forecast import without_weight

    explanation = analysis.explanation
    return replace(
        analysis,
        study=_unnamed(analysis.study),
        patient=analysis.patient and _undated(_ageless(analysis.patient)),
        explanation=explanation and _explained_without(explanation),
        outlook=analysis.outlook and without_weight(analysis.outlook),
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


def _explained_without(explanation: Explanation) -> Explanation:
    """Weighed anew without age and sex; what follows from dates is kept, the dates are not."""
    patient = _ageless(explanation.patient)
    if patient != explanation.patient:
        told = (each for each in explanation.findings if each.code not in _TELLS_AGE_OR_SEX)
        explanation = explain_findings(patient, tuple(told))
    return replace(explanation, patient=_undated(patient))


def _ageless(patient: Patient) -> Patient:
    return replace(patient, age_years=None, birth_date=None, sex=None)


def _undated(patient: Patient) -> Patient:
    return replace(
        patient,
        labs=tuple(replace(result, taken=None) for result in patient.labs),
        dialysis_start=None,
        dialysis_vintage_years=patient.vintage_years(),
    )
