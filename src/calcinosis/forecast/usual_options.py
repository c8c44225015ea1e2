"""What is usually weighed for a dialysis patient with a deposit, ready to be simulated.

Each option changes today's prescription in what it names. Where that was not given it is assumed:
most patients take a binder (82 %) and active vitamin D (71 %), doi:10.1038/s41598-018-29757-0.
Schedules are what a nephrologist might write, not advice. Dialysate calcium 1.25 mmol/L is the
lower end of KDIGO 2017, 4.1.4; phosphorus falls from the upper to the lower end of the 800 to 1000
mg a day of KDOQI 2003, guideline 4; sevelamer was studied up to 14 g a day (prescribing
information, 2.1); after parathyroidectomy follows the usual care of `treatments`; other doses are
assumed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from calcinosis.forecast.given_prescription import MODALITIES, GivenPrescription
from calcinosis.forecast.parameters import REFERENCE_WEIGHT_KG
from calcinosis.forecast.prescription import DIALYSIS_PHOSPHORUS_MG_D
from calcinosis.forecast.scenario import (
    CINACALCET_MG_PER_DAY,
    ETELCALCETIDE_MG_PER_WEEK,
    MOST_CINACALCET_MG_PER_DAY,
    MOST_ETELCALCETIDE_MG_PER_WEEK,
    Binder,
    Calcimimetic,
    Diet,
    Haemodialysis,
    PeritonealDialysis,
    Treatment,
)
from calcinosis.forecast.wording import (
    binders_in_words,
    calcimimetic_in_words,
    dialysis_in_words,
    drugs_in_words,
)
from calcinosis.patient import Patient

PTH_TO_TREAT_PG_ML = 300.0  # below, nobody would press PTH down; KDOQI 2003 upper target
ADULT_YEARS = 18.0
USUAL_BINDER = Binder(drug="sevelamer", g_per_day=4.8)
USUAL_VITAMIN_D_UG_PER_WEEK = 2.0
LOW_DIALYSATE_CALCIUM_MMOL_L = 1.25
LOW_PERITONEAL_CALCIUM_MMOL_L = 1.0
LOW_PHOSPHORUS_MG_D, LOW_PHOSPHORUS_SHARE = 800.0, 0.8
MOST_SEVELAMER_G = 14.0
USUAL_CINACALCET_MG_PER_DAY = 60.0  # of the tablets (30, 60, 90 mg) the middle one
DAILY_SESSIONS, DAILY_HOURS = 6.0, 3.0
REMNANT_FRACTION = 0.05
GRAFT_GFR_ML_MIN = 50.0
# Options of the plan (`explain.management`) that each option answers.
ANSWERS = {
    "low-calcium dialysate and sevelamer": (
        "low_calcium_dialysate",
        "binders",
        "calcium_and_vitamin_d_stopped",
    ),
    "low-phosphate diet": ("diet",),
    "daily haemodialysis": ("intensified_dialysis",),
    "calcimimetic": ("calcimimetic",),
    "parathyroidectomy": ("parathyroidectomy",),
    "transplantation": ("transplantation",),
}
LOW_CALCIUM, DIET, DAILY, CALCIMIMETIC, PARATHYROIDECTOMY, TRANSPLANTATION = ANSWERS


@dataclass(frozen=True)
class UsualOption:
    """One option.

    Attributes:
        name: in the forecast.
        meaning: what is given, in words.
        phase: as a scenario file would hold it, but for its length.
    """

    name: str
    meaning: str
    phase: dict[str, Any]


@dataclass(frozen=True)
class Today:
    """Today's prescription, given or the usual one."""

    dialysis: Haemodialysis | PeritonealDialysis
    drugs: Treatment
    phosphorus_mg_d: float  # eaten
    given: bool


def is_child(patient: Patient) -> bool:
    """Whether the model does not hold: its bone does not grow, its figures are those of adults."""
    return patient.age_years is not None and patient.age_years < ADULT_YEARS


def options_for(
    patient: Patient,
    given: GivenPrescription | None = None,
    weight_kg: float = REFERENCE_WEIGHT_KG,
) -> tuple[UsualOption, ...]:
    """Treatment as now, then those that make sense for this patient of this dry weight."""
    today = _today(patient, given, weight_kg / REFERENCE_WEIGHT_KG)
    return (_as_now(today), _low_calcium(today), *_others(today, patient))


def simulated_by(plan_option: str) -> str | None:
    """Name of the forecast option that answers an option of the plan."""
    return next((name for name, plan in ANSWERS.items() if plan_option in plan), None)


def _today(patient: Patient, given: GivenPrescription | None, size: float) -> Today:
    diet = given.diet if given and given.diet else Diet()
    eaten = diet.phosphorus_mg_d or DIALYSIS_PHOSPHORUS_MG_D * size
    peritoneal = MODALITIES.get(patient.ckd or "") == "pd"
    usual = PeritonealDialysis(modality="pd") if peritoneal else Haemodialysis()
    if given is None:
        drugs = Treatment(
            binder=USUAL_BINDER, active_vitamin_d_ug_per_week=USUAL_VITAMIN_D_UG_PER_WEEK
        )
        return Today(usual, drugs, eaten, given=False)
    return Today(given.dialysis or usual, given, eaten, given=True)


def _others(today: Today, patient: Patient) -> Iterator[UsualOption]:
    """Those that today's prescription does not hold already; on PTH only where it is high."""
    said = today.drugs.diet.phosphorus_mg_d if today.drugs.diet else None
    if said is None or said > LOW_PHOSPHORUS_MG_D:
        yield _diet(today)
    if today.dialysis.modality == "pd" or today.dialysis.sessions_per_week < DAILY_SESSIONS:
        yield _daily(today)
    if (patient.value("pth") or 0.0) > PTH_TO_TREAT_PG_ML:
        now, wanted = today.drugs.calcimimetic, _usual_calcimimetic(today)
        if not now or now.drug != wanted.drug or now.strength < wanted.strength:
            yield _calcimimetic(today)
        yield _parathyroidectomy(today)
    yield UsualOption(
        TRANSPLANTATION,
        f"a graft that settles at {GRAFT_GFR_ML_MIN:g} mL/min; dialysis, binder, active vitamin D "
        "and calcimimetic end",
        {"event": {"transplantation": {"graft_gfr_ml_min": GRAFT_GFR_ML_MIN}}},
    )


def _as_now(today: Today) -> UsualOption:
    said, usual = dialysis_in_words(today.dialysis)
    drugs = drugs_in_words(today.drugs)
    if today.given:
        meaning = f"today's prescription as given: {', '.join((*said, *drugs))}"
        meaning += f"; not given of dialysis, so as usual: {', '.join(usual)}" if usual else ""
    else:
        meaning = (
            "today's prescription was not given, so the usual one: "
            f"{', '.join((*said, *usual, *drugs))}; the true one can be given (`calcinosis analyze "
            "--prescription`, or the study's page)"
        )
    phase = {
        "dialysis": today.dialysis,
        "binder": today.drugs.binder,
        "active_vitamin_d_ug_per_week": today.drugs.active_vitamin_d_ug_per_week,
        "calcimimetic": today.drugs.calcimimetic,
    }
    return UsualOption("as now", meaning, phase)


def _low_calcium(today: Today) -> UsualOption:
    peritoneal = today.dialysis.modality == "pd"
    dialysate = _low_dialysate(
        today, LOW_PERITONEAL_CALCIUM_MMOL_L if peritoneal else LOW_DIALYSATE_CALCIUM_MMOL_L
    )
    drugs, said = _less_calcium(today)
    return UsualOption(
        LOW_CALCIUM,
        f"{_dialysate_in_words(today, dialysate)}, {said}, all else as now",
        {
            "dialysis": today.dialysis.model_copy(update={"dialysate_calcium_mmol_l": dialysate}),
            **drugs,
        },
    )


def _diet(today: Today) -> UsualOption:
    """Told by its share: the amount, where it is assumed, would tell the weight."""
    return UsualOption(
        DIET,
        f"{100 * LOW_PHOSPHORUS_SHARE:g} % of the phosphorus eaten now, by fewer additives rather "
        "than less protein, all else as now; eaten, not advised: advice on additives lowered "
        "phosphate by 0.6 mg/dL in a trial (doi:10.1001/jama.2009.96)",
        {"diet": Diet(phosphorus_mg_d=LOW_PHOSPHORUS_SHARE * today.phosphorus_mg_d)},
    )


def _daily(today: Today) -> UsualOption:
    """Haemodialysis for at least as many hours a week as now, that takes as much fluid."""
    now = today.dialysis
    before, sessions, hours = Haemodialysis(), 7.0, 0.0  # peritoneal: fluid is told by the day
    if isinstance(now, Haemodialysis):
        before, sessions, hours = now, now.sessions_per_week, now.hours
    hours = max(DAILY_HOURS, sessions * hours / DAILY_SESSIONS)
    dialysate = _low_dialysate(today, LOW_DIALYSATE_CALCIUM_MMOL_L)
    drugs, said = _less_calcium(today)
    dialysis = before.model_copy(
        update={
            "sessions_per_week": DAILY_SESSIONS,
            "hours": hours,
            "dialysate_calcium_mmol_l": dialysate,
            "ultrafiltration_l": now.ultrafiltration_l * sessions / DAILY_SESSIONS,
        }
    )
    return UsualOption(
        DAILY,
        f"haemodialysis, {DAILY_SESSIONS:g} × a week, {hours:.3g} hours a session, phosphate "
        f"clearance {before.phosphate_clearance_ml_min:g} mL/min, as much fluid a week as now, "
        f"{_dialysate_in_words(today, dialysate)}, {said}, all else as now",
        {"dialysis": dialysis, **drugs},
    )


def _usual_calcimimetic(today: Today) -> Calcimimetic:
    """As strong as today's at least. Etelcalcetide is given at haemodialysis, and only there."""
    now = today.drugs.calcimimetic.strength if today.drugs.calcimimetic else 0.0
    if today.dialysis.modality == "pd":
        mg = min(round(now * CINACALCET_MG_PER_DAY, 1), MOST_CINACALCET_MG_PER_DAY)
        return Calcimimetic(drug="cinacalcet", mg_per_day=max(USUAL_CINACALCET_MG_PER_DAY, mg))
    mg = min(round(now * ETELCALCETIDE_MG_PER_WEEK, 1), MOST_ETELCALCETIDE_MG_PER_WEEK)
    return Calcimimetic(drug="etelcalcetide", mg_per_week=max(ETELCALCETIDE_MG_PER_WEEK, mg))


def _calcimimetic(today: Today) -> UsualOption:
    now, mimetic = today.drugs.calcimimetic, _usual_calcimimetic(today)
    instead = f" (now {calcimimetic_in_words(now)})" if now else ""
    return UsualOption(
        CALCIMIMETIC,
        f"{calcimimetic_in_words(mimetic)}{instead}, all else as now",
        {"calcimimetic": mimetic},
    )


def _parathyroidectomy(today: Today) -> UsualOption:
    """Nobody would go on to lower PTH after it."""
    ends = ", calcimimetic ends" if today.drugs.calcimimetic else ""
    return UsualOption(
        PARATHYROIDECTOMY,
        f"{100 * REMNANT_FRACTION:g} % of the tissue left; calcium and calcitriol for as long as "
        f"calcium is low{ends}, all else as now",
        {
            "event": {"parathyroidectomy": {"remnant_fraction": REMNANT_FRACTION}},
            "calcimimetic": None,
        },
    )


def _low_dialysate(today: Today, lowest: float) -> float:
    """No more calcium (mmol/L) than now."""
    return min(lowest, today.dialysis.dialysate_calcium_mmol_l)


def _dialysate_in_words(today: Today, calcium_mmol_l: float) -> str:
    now = today.dialysis.dialysate_calcium_mmol_l
    changed = " as now" if calcium_mmol_l == now else f" (now {now:g})"
    return f"dialysate calcium {calcium_mmol_l:g} mmol/L{changed}"


def _less_calcium(today: Today) -> tuple[dict[str, Any], str]:
    """Sevelamer and no vitamin D, as a phase and in words."""
    now, vitamin_d = today.drugs.binders, today.drugs.active_vitamin_d_ug_per_week
    binder = Binder(drug="sevelamer", g_per_day=_sevelamer_g(now))
    instead = " as now" if (binder,) == now else f" (now {binders_in_words(now)})"
    stopped = f" (now {vitamin_d:g} µg a week)" if vitamin_d else " as now"
    said = f"{binders_in_words([binder])}{instead}, no active vitamin D{stopped}"
    return {"binder": binder, "active_vitamin_d_ug_per_week": 0}, said


def _sevelamer_g(now: Sequence[Binder]) -> float:
    """Twice today's, or twice the usual; at least what binds as much as today's binders."""
    from calcinosis.forecast.treatments import BOUND_MG_PER_G, bound_mg

    given = sum(one.g_per_day for one in now if one.drug == "sevelamer")
    as_much = round(bound_mg(now) / BOUND_MG_PER_G["sevelamer"], 1)
    wanted = max(2 * (given or USUAL_BINDER.g_per_day), as_much)
    return max(given, min(wanted, MOST_SEVELAMER_G))
