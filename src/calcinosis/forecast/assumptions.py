"""What a forecast rests on, in words: what the scenario left open, and how that was filled."""

from collections.abc import Iterator, Sequence

from calcinosis.analyte import ANALYTES as ANALYTES_BY_NAME
from calcinosis.analyte import level_of, to_canonical
from calcinosis.forecast.model import CARE_STOPS_AT
from calcinosis.forecast.parameters import CA_MG_PER_MMOL
from calcinosis.forecast.prescription import Prescription, prescribe
from calcinosis.forecast.scenario import (
    CINACALCET_MG_PER_DAY,
    MOST_RELATIVE_DOSE,
    Haemodialysis,
    Lab,
    Option,
    Scenario,
    ScenarioPatient,
)
from calcinosis.forecast.treatments import CARE_CALCIUM_G_D, CARE_VITAMIN_D_UG_PER_WEEK
from calcinosis.forecast.wording import USUAL_CARE, dialysis_in_words, drugs_in_words

WORKING_GFR_ML_MIN = 60.0  # KDIGO 2012: below, filtration is reduced
MOST_CALCITRIOL_UG_PER_WEEK = 12.0  # 4 µg a session are seldom exceeded: ours
MOST_SUCROFERRIC_IRON_G = 3.0  # a day, the most that was studied: doi:10.1038/ki.2014.58
ABSORBED_METALS = {
    "aluminium_hydroxide": "aluminium",
    "magnesium_carbonate": "magnesium",
    "ferric_citrate": "iron",
}
LONG_SESSION_H = 6.0  # from here on as at night: blood is mostly pumped slower; assumed


def doubt_in_words(lab: Lab, fitted_share: float, labs: Sequence[Lab]) -> str:
    """A result that the fit does not reach, in words; of several with its date."""
    several = sum(other.analyte == lab.analyte for other in labs) > 1
    of_day = f" of {lab.date}" if several else ""
    return (
        f"Not reached by the fit: {_named(lab)} {lab.comparator}{lab.value:g} {lab.unit}{of_day}, "
        f"where the model has {fitted_share * lab.value:.3g}. Results, treatment as stated "
        "and model do not go together: the forecast is less sure."
    )


def _named(lab: Lab) -> str:
    known = ANALYTES_BY_NAME.get(lab.analyte)
    return known.label if known else lab.analyte.replace("_", " ")


def assumptions(scenario: Scenario, before: Prescription) -> Iterator[str]:
    """What the scenario left open, and how it was filled, in words; `before`: until today."""
    options = scenario.options()
    plans = [prescribe(before, option.phases) for option in options]
    yield from _kept_phosphate(scenario.patient.labs, before)
    yield from _of_the_patient(scenario.patient, before)
    yield _until_today(scenario, before)
    if any(one.postoperative_care for plan in plans for one in plan):
        yield _postoperative_care()
    yield (
        "A treatment that a phase does not name goes on as before; transplantation ends it, and "
        "when a graft fails haemodialysis begins."
    )
    given = [before, *(one for plan in plans for one in plan)]
    yield from _much_vitamin_d(given)
    yield from _much_cinacalcet(given)
    yield from _much_iron(given)
    yield from _absorbed_metals(given)
    yield from _several_masses(scenario.patient)
    yield from _old_mass(scenario.patient.labs)
    yield from _long_sessions(options)


def _of_the_patient(patient: ScenarioPatient, before: Prescription) -> Iterator[str]:
    """Laboratory, body and diet."""
    if not patient.labs:
        yield "No laboratory results: the average patient, and the spread between patients."
    bounds = dict.fromkeys(
        f"{_named(lab)} {lab.comparator} {lab.value:g} {lab.unit}"
        for lab in patient.labs
        if lab.comparator
    )
    if bounds:
        yield f"Results that are only bounds are taken as such: {', '.join(bounds)}."
    if "dry_weight_kg" not in patient.model_fields_set:
        yield f"Dry weight {patient.dry_weight_kg:g} kg."
    if patient.gfr_ml_min is None:
        yield f"Residual filtration {before.gfr_ml_min:g} mL/min."
    if patient.diet.phosphorus_mg_d is None or patient.diet.calcium_mg_d is None:
        yield (
            f"Diet {before.diet_p_mg_d:.0f} mg phosphorus and {before.diet_ca_mg_d:.0f} mg calcium."
        )


def _kept_phosphate(labs: Sequence[Lab], before: Prescription) -> Iterator[str]:
    """That kidneys which filter well and yet keep phosphate are not those of the model."""
    high = any(
        lab.analyte == "phosphate"
        and lab.comparator != "<"
        and level_of("phosphate", to_canonical("phosphate", lab.value, lab.unit)) == "high"
        for lab in labs
    )
    if high and before.dialysis is None and before.gfr_ml_min >= WORKING_GFR_ML_MIN:
        yield (
            "Kidneys that filter well and yet keep phosphate are not in the model, as in familial "
            "tumoral calcinosis (FGF23) or without parathyroid hormone: what diet and binders do "
            "for such a patient it does not tell, and small studies found them to fail in many "
            "(doi:10.3389/fendo.2020.00293)."
        )


def _postoperative_care() -> str:
    return (
        f"After parathyroidectomy as much calcium, up to {CARE_CALCIUM_G_D:g} g a day, and "
        f"calcitriol, up to {CARE_VITAMIN_D_UG_PER_WEEK / 7:g} µg a day, as calcium below "
        f"{CARE_STOPS_AT * CA_MG_PER_MMOL / 10:.1f} mg/dL needs, unless the phase names a "
        'calcium salt or says "postoperative_care": null; conceivable patients take more or '
        "less of it, nine of ten between half and twice."
    )


def _until_today(scenario: Scenario, before: Prescription) -> str:
    """The treatment that holds today, said or assumed, in words."""
    said, usual = dialysis_in_words(before.dialysis) if before.dialysis else (("no dialysis",), ())
    care = (USUAL_CARE,) if before.postoperative_care else ()
    treated = ", ".join((*said, *usual, *drugs_in_words(before.treatment()), *care))
    if scenario.patient.history:
        return f"By the history treated today with {treated}."
    event = scenario.phases[0].event
    if event and event.transplantation:
        return f"Long before the graft treated as is usual, for the plan does not tell: {treated}."
    return f"Until today long treated as in the first phase: {treated}."


def _much_vitamin_d(plans: Sequence[Prescription]) -> Iterator[str]:
    """That a dose nobody gives of calcitriol may be one of another drug, in words."""
    most = max(one.vitamin_d_ug_per_week for one in plans)
    if most > MOST_CALCITRIOL_UG_PER_WEEK:
        yield (
            f"Active vitamin D is meant as calcitriol, of which {most:g} µg a week are much: of "
            "alfacalcidol take half (doi:10.1111/j.1440-1797.2010.01398.x), of paricalcitol a "
            "quarter (doi:10.1111/j.1440-1797.2008.01058.x)."
        )


def _much_cinacalcet(plans: Sequence[Prescription]) -> Iterator[str]:
    """How doses above those of most trials are taken, in words."""
    mimetics = [one.calcimimetic for one in plans if one.calcimimetic]
    if max((one.mg_per_day or 0.0 for one in mimetics), default=0.0) > CINACALCET_MG_PER_DAY:
        yield (
            "Cinacalcet is taken to do the more the more of it is given, up to "
            f"{MOST_RELATIVE_DOSE * CINACALCET_MG_PER_DAY:g} mg a day. Who is given much mostly "
            "responds less: what its beginning or end does to PTH is told too strong rather than "
            "too weak."
        )


def _much_iron(plans: Sequence[Prescription]) -> Iterator[str]:
    """That a dose nobody gives of iron may be one of tablets, in words."""
    binders = [binder for one in plans for binder in one.binders]
    most = max((b.g_per_day for b in binders if b.drug == "sucroferric_oxyhydroxide"), default=0.0)
    if most > MOST_SUCROFERRIC_IRON_G:
        yield (
            f"Sucroferric oxyhydroxide is meant as iron, of which {most:g} g a day are much: a "
            "tablet holds 0.5 g of it."
        )


def _absorbed_metals(plans: Sequence[Prescription]) -> Iterator[str]:
    """What of some binders is not in the model, in words."""
    drugs = {binder.drug for one in plans for binder in one.binders if binder.g_per_day > 0}
    yield from (
        f"Of {drug.replace('_', ' ')} only the phosphate that it binds is in the model, not the "
        f"{metal} that is absorbed."
        for drug, metal in ABSORBED_METALS.items()
        if drug in drugs
    )


def _several_masses(patient: ScenarioPatient) -> Iterator[str]:
    """As how many masses the deposit counts, in words."""
    masses = patient.deposit_masses
    if not patient.bears_deposit:
        return
    if masses > 1:
        yield (
            f"The deposit counts as {round(masses, 1):g} masses of one size: they have "
            f"{masses ** (1 / 3):.2g} times the surface of one that holds as much, so it grows and "
            "dissolves so much faster."
        )
    elif "deposit_masses" not in patient.model_fields_set:
        yield (
            "The deposit is taken for one mass: several that hold as much have more surface, and "
            "would grow and dissolve faster."
        )


def _old_mass(labs: Sequence[Lab]) -> Iterator[str]:
    """That a mass measured once, and not today, is taken for today's, in words."""
    measured = [lab.date for lab in labs if lab.analyte == "deposit_calcium"]
    days = (max(lab.date for lab in labs) - measured[0]).days if len(measured) == 1 else 0
    if days:
        yield f"The deposit is taken to be today what it was when it was measured, {days} days ago."


def _long_sessions(options: Sequence[Option]) -> Iterator[str]:
    """What long sessions clear where nobody says so, in words."""
    planned = [phase.dialysis for option in options for phase in option.phases]
    yield from dict.fromkeys(
        f"Sessions of {one.hours:g} h clear {one.phosphate_clearance_ml_min:g} mL/min phosphate: "
        "no clearance is named. Long ones are mostly run slower, and phosphate falls less: by "
        "0.7 mg/dL in a trial of 24 for 12 hours a week (doi:10.1186/s12882-019-1438-3)."
        for one in planned
        if isinstance(one, Haemodialysis)
        and one.hours >= LONG_SESSION_H
        and "phosphate_clearance_ml_min" not in one.model_fields_set
    )
