"""The scenarios that must reproduce the published figures of `forecast_published`.

Each cohort is entered as a user would enter it (`forecast_cohorts`); the figures are what the model
adds.
"""

import numpy as np
from forecast_cohorts import (
    ALP,
    BARE,
    BATHED,
    CA,
    CINACALCET,
    CUT,
    CXP,
    DRAINED,
    FGF,
    LOW_DOSE,
    PERRIN,
    PTH,
    PTX,
    REFRACTORY,
    RESIN,
    RESIN_YEAR,
    RISING,
    SHORT_DAILY,
    SHPT,
    TRANSPLANT,
    UNDIALYSED,
    USUAL,
    WASHED_OUT,
    Cohort,
    D,
    P,
    Run,
    on,
    percent,
    run,
    session_of,
)  # fmt: skip

from calcinosis.forecast.labs import SCATTER, laboratory
from calcinosis.forecast.model import absorbed_phosphate, absorbed_share, need_of_calcium
from calcinosis.forecast.parameters import CA_MG_PER_MMOL, Parameters
from calcinosis.forecast.prescription import before_day_0
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.simulate import simulate, starting_state
from calcinosis.forecast.states import (
    CA_ABSORBED,
    CA_DIALYSED,
    CA_SECRETED,
    CA_URINE,
    P_URINE,
    Array,
    Controls,
)
from calcinosis.forecast.treatments import (
    BOUND_MG_PER_G,
    CARE_CALCIUM_G_D,
    HEALTHY_GFR_ML_MIN,
    timeline,
)


def fall(values: Array, part: int) -> float:
    """Per cent below the first value."""
    return 100.0 * (1.0 - float(values[part] / values[0]))


def sessions(p: Parameters) -> dict[str, float]:
    """Within the session: usual prescription with less diet for the lower pre-dialysis level."""
    found: dict[str, float] = {}
    low = session_of(run(p, {"diet": {"phosphorus_mg_d": 850}}, [USUAL]))
    high = session_of(run(p, {"diet": {"phosphorus_mg_d": 1150}}, [USUAL]))
    serum, removed = low.phosphate_mg_dl, low.phosphate_removed_mg
    found["session: phosphate fall at 1 h"] = fall(serum, 4)
    found["session: phosphate fall at 4 h"] = fall(serum, 16)
    found["session: phosphorus in first hour, pre 4.7"] = removed[4] * 4.7 / serum[0]
    found["session: share of first hour"] = 100 * removed[4] / removed[16]
    found["session: phosphorus removed, pre < 5.5"] = removed[16] * 4.4 / serum[0]
    high_serum = high.phosphate_mg_dl[0]
    found["session: phosphorus removed, pre >= 5.5"] = (
        high.phosphate_removed_mg[16] * 6.3 / high_serum
    )
    found["session: phosphate at 4 h / 3 h"] = serum[16] / serum[12]
    # 1991: of 20-28 mmol half in the last three hours at 0.8-0.9 mmol/L, so 78 mL/min were cleared;
    # haemofiltration, one of the three modes, filtered 70
    long = {**USUAL, "dialysis": {"hours": 5, "phosphate_clearance_ml_min": 80}}
    five = session_of(run(p, {}, [long]))
    scale = 1.75 * 3.097 / five.phosphate_mg_dl[0]  # the middle of their 1.5-2.0 mmol/L
    removed = five.phosphate_removed_mg
    found["5 h session: phosphorus removed"] = scale * removed[20] / 30.97
    found["5 h session: end phosphate"] = scale * five.phosphate_mg_dl[20] / 3.097
    found["5 h session: share of first 2 h"] = removed[8] / removed[20]
    # equal urea clearance in twice the time; 85 mL/min of phosphate assumed for it
    slow = {**USUAL, "dialysis": {"hours": 8, "phosphate_clearance_ml_min": 85}}
    night = session_of(run(p, {"diet": {"phosphorus_mg_d": 850}}, [slow]))
    gained = night.phosphate_removed_mg[-1] / night.phosphate_mg_dl[0]
    name = "8 h for 4 h at equal eKt/V: phosphorus removed"
    found[name] = gained / low.phosphate_removed_mg[-1] * low.phosphate_mg_dl[0]
    return found


def usual(p: Parameters) -> dict[str, float]:
    """The typical haemodialysis patient, and other dialysates for three weeks."""
    base = run(p, {}, [USUAL])
    names = (P, "phosphate"), (CA, "calcium"), (PTH, "PTH (typical patient)"), (FGF, "FGF23")
    found = {f"usual HD: {name}": base.at(key, 28) for key, name in (*names, (D, "calcitriol"))}
    # every session is reported for two weeks after a change: day 5 ends a long gap, 7 is midweek
    monday, midweek, friday = (base.at(P, day) for day in (5, 7, 9))
    name = "usual HD: phosphate after the long gap, above"
    found[f"{name} midweek"] = 100 * (monday / midweek - 1)
    found[f"{name} others"] = 100 * (2 * monday / (midweek + friday) - 1)
    poor, rich = (
        session_of(
            run(p, {}, [USUAL, {"days": 21, "dialysis": {"dialysate_calcium_mmol_l": bath}}])
        )
        for bath in (1.25, 1.75)
    )
    fluid = 2.5 * p.ca_diffusible * rich.calcium_mg_dl.mean() * 10
    found["dialysate Ca 1.75: calcium gained by diffusion"] = fluid - rich.calcium_removed_mg[-1]
    found["dialysate Ca 1.75: PTH fall"] = fall(rich.pth_pg_ml, -1)
    found["dialysate Ca 1.25: calcium removed"] = poor.calcium_removed_mg[-1] / CA_MG_PER_MMOL
    return found


def phosphate_changes(p: Parameters) -> dict[str, float]:
    """More dialysis, or no binder."""
    start = run(p, {}, [USUAL]).at(P, 28)

    def change(days: int, **phase: object) -> float:
        changed = run(p, {}, [USUAL, {"days": days, **phase}])
        return changed.at(P, 28 + days) - start

    weekly = {"phosphate_clearance_ml_min": 150, "ultrafiltration_l": 1.5}
    # 1.35 g calcium carbonate equivalents are 1.8 g sevelamer
    less = {"drug": "sevelamer", "g_per_day": 3.0}
    conventional = {**USUAL, "dialysis": {"hours": 3.47}}  # FHN: 10.4 h a week against 12.7
    frequent = {"sessions_per_week": 5.2, "hours": 2.44, **weekly}
    trial = run(p, {}, [conventional, {"days": 180, "dialysis": frequent, "binder": less}])
    night = {"sessions_per_week": 5.5, "hours": 7, "phosphate_clearance_ml_min": 100,
             "ultrafiltration_l": 1.4}  # fmt: skip
    fhn = {"sessions_per_week": 5.2, "hours": 5.1, "phosphate_clearance_ml_min": 120,
           "ultrafiltration_l": 1.4}  # fmt: skip
    short = {"sessions_per_week": 5.3, "hours": 2.63, **weekly}
    daily = run(SHORT_DAILY.of(p), {}, [USUAL, {"days": 364, "dialysis": short}])
    return {
        "frequent HD, binder -1.35 g: change of phosphate": trial.at(P, 208) - trial.at(P, 28),
        "nocturnal HD 5.5 x 7 h: change of phosphate": change(
            180, dialysis=night, binder=None, diet={"phosphorus_mg_d": 1100}
        ),
        "FHN nocturnal, no binder: phosphate": change(364, dialysis=fhn, binder=None),
        "short daily 5.3 x 2.63 h, start 6.16: phosphate": daily.at(P, 208) - daily.at(P, 28),
        "short daily 5.3 x 2.63 h, a year: PTH": percent(daily, PTH, 28, 392),
        "binder washout: rise of phosphate": change(28, binder=None),
        "dialysis for phosphate 5.5 without binder": hours_without_binder(p),
    }


def binders(p: Parameters) -> dict[str, float]:
    """Binders begun after a washout, and stopped again, in patients of that phosphate."""

    def course(cohort: Cohort, *doses: tuple[str, float, int]) -> Run:
        phases = [{"days": d, "binder": {"drug": drug, "g_per_day": g}} for drug, g, d in doses]
        return run(cohort.of(p), {}, [BARE, *phases])

    eight = course(RESIN, ("sevelamer", 4.9, 56))
    year = course(RESIN_YEAR, ("sevelamer", 6.5, 364))
    six = course(WASHED_OUT, ("sevelamer", 3.1, 42), ("sevelamer", 0.0, 14))
    # doses of 325 and 586 mg calcium a meal
    salt = course(WASHED_OUT, ("calcium_acetate", 3.85, 28), ("calcium_acetate", 6.95, 56))
    found = {
        "sevelamer 4.9 g, 8 wk, from 8.4: phosphate": eight.at(P, 84) - eight.at(P, 28),
        "sevelamer 6.5 g, 52 wk, from 7.5: phosphate": year.at(P, 392) - year.at(P, 28),
        "sevelamer 3.1 g, 6 wk, from 7.4: phosphate": six.at(P, 70) - six.at(P, 28),
        "then none for 2 wk: phosphate": six.at(P, 84) - six.at(P, 70),
    }
    for key, name in ((P, "phosphate"), (CA, "calcium")):
        begun = ", from 7.4" if key == P else ""
        month, quarter = (salt.at(key, day) - salt.at(key, 28) for day in (56, 112))
        found[f"calcium acetate 3.9 g, a month{begun}: {name}"] = month
        found[f"calcium acetate 6.9 g, 3 mo: {name}"] = quarter
    return found


def hours_without_binder(p: Parameters) -> float:
    """Hours of three sessions a week that hold phosphate at 5.5 mg/dL, between those tried."""
    tried = (4.0, 6.0, 8.0, 10.0)
    plan = ({**USUAL, "dialysis": {"hours": hours}, "binder": None} for hours in tried)
    levels = [run(p, {}, [phase]).at(P, 28) for phase in plan]
    return 3 * float(np.interp(-5.5, [-level for level in levels], tried))


def absorption(p: Parameters) -> dict[str, float]:
    """What the gut takes up, and the two parameters of phosphate kinetics that were measured."""
    nothing = Controls(*[0.0] * len(Controls._fields))
    meal = nothing._replace(diet_p=1.0)
    found = {
        "phosphate mobilisation clearance": p.mobilisation * 1000 / 60,
        "central phosphate volume": p.p_volume_share * p.ecf_volume,
        "haemodialysis: calcium absorbed of a meal's": 100 * absorbed_share(15.1, meals(300), p),
        "healthy: calcium absorbed of 500 mg": 100
        * absorbed_share(p.calcitriol_ref, meals(500), p),
        "healthy: phosphate absorbed": absorbed_phosphate(p.calcitriol_ref, meal, p),
        "CKD 3: phosphate absorbed": absorbed_phosphate(30.0, meal, p),
    }
    absorbed = 281.7  # mg of the meal's 375, as measured without a binder
    for drug, grams in (("sevelamer", 2.4), ("lanthanum", 1)):
        capacity = BOUND_MG_PER_G[drug] * grams
        name = f"meal of 375 mg P: less absorbed with {drug} {grams:g} g"
        found[name] = absorbed * capacity / (absorbed + capacity)
    return found


def meals(calcium_mg: float) -> float:
    """Calcium eaten (mmol/h) with three such meals a day."""
    return 3.0 * calcium_mg / CA_MG_PER_MMOL / 24.0


def calcium_loads(p: Parameters) -> dict[str, float]:
    """Calcium salts against sevelamer, eight weeks after a washout; a higher bath for ten months.

    Doses of the first are those of its last week, as remembered; all were given vitamin D.
    """
    washout = {"days": 28, "dialysis": {"dialysate_calcium_mmol_l": 1.25}, "binder": None,
               "active_vitamin_d_ug_per_week": 4}  # fmt: skip
    binders = ("calcium_acetate", 7.1), ("sevelamer", 6.9)
    salt, resin = (
        run(p, {}, [washout, {"days": 56, "binder": {"drug": drug, "g_per_day": grams}}])
        for drug, grams in binders
    )
    found = {
        f"calcium acetate against sevelamer: {name}": sum(
            salt.at(key, 28 + 7 * week) - resin.at(key, 28 + 7 * week) for week in range(1, 9)
        )
        / 8
        for key, name in ((CA, "calcium"), (P, "phosphate"), (CXP, "Ca x P"))
    }
    salted = run(
        p, {}, [USUAL, {"days": 364, "binder": {"drug": "calcium_carbonate", "g_per_day": 3.9}}]
    )
    found["calcium salts against sevelamer, a year: PTH"] = salted.at(PTH, 392) - salted.at(PTH, 28)
    bath = {"days": 300, "dialysis": {"dialysate_calcium_mmol_l": 1.75}}
    richer = run(BATHED.of(p), {}, [USUAL, bath])
    name = "dialysate Ca 1.5 to 1.75, 10 mo"
    found[f"{name}: calcium"] = richer.at(CA, 328) - richer.at(CA, 28)
    found[f"{name}: PTH"] = percent(richer, PTH, 28, 328)
    rich, middle, poor = (
        {"dialysis": {"dialysate_calcium_mmol_l": bath}} for bath in (1.75, 1.5, 1.25)
    )
    poorer = run(DRAINED.of(p), {}, [{**USUAL, **rich}, {"days": 364, **poor}])
    found["dialysate Ca 1.75 to 1.25, a year: PTH"] = percent(poorer, PTH, 28, 392)
    found["dialysate Ca 1.75 to 1.25, a year: ALP"] = percent(poorer, ALP, 28, 392)
    less = run(p, {}, [{**USUAL, **rich}, {"days": 182, **middle}])
    found["dialysate Ca 1.75 to 1.5, 6 mo: calcium"] = less.at(CA, 210) - less.at(CA, 28)
    # after it was lowered, vitamin D went from 1.87 to 2.62 ug/wk (281 patients,
    # doi:10.3969/j.issn.1671-2390.2018.04.002); what the trials gave is not told
    more = {"active_vitamin_d_ug_per_week": 2.75}
    low, high = (run(p, {}, [USUAL, {"days": 364, **b}]) for b in ({**poor, **more}, rich))
    for key, name in ((CA, "calcium"), (PTH, "PTH")):
        found[f"dialysate Ca 1.25 against 1.75: {name}"] = low.at(key, 392) - high.at(key, 392)
    return found | calcitriol(p) | other_dialysates(p)


def other_dialysates(p: Parameters) -> dict[str, float]:
    """Less calcium in the dialysate of alternate nights, and of peritoneal dialysis.

    Of total calcium 0.47 is ionised. The nights' dialysate before is taken as that of the controls,
    1.6; the peritoneal patients' carbonate as 500 mg a tablet, 5.9 against 4.2 tablets.
    """
    night = {"sessions_per_week": 3.5, "hours": 8, "phosphate_clearance_ml_min": 100}
    nights = [on(dialysis={**night, "dialysate_calcium_mmol_l": bath}) for bath in (1.6, 1.3)]
    course = run(p, {}, [nights[0], {**nights[1], "days": 364}])
    low, high = (
        run(p, {}, [on(
            days=182, active_vitamin_d_ug_per_week=1.75,
            dialysis={"modality": "pd", "dialysate_calcium_mmol_l": bath},
            binder={"drug": "calcium_carbonate", "g_per_day": 0.5 * tablets},
        )]).at(CA, 182)
        for bath, tablets in ((1.0, 5.9), (1.75, 4.2))
    )  # fmt: skip
    ionised = 0.47 / CA_MG_PER_MMOL * 10
    name = "alternate nights, dialysate Ca 1.3"
    return {
        f"{name}: ionised calcium": ionised * (course.at(CA, 392) - course.at(CA, 28)),
        f"{name}: PTH": course.at(PTH, 392) - course.at(PTH, 28),
        "CAPD, dialysate Ca 1.0 against 1.75: calcium": low - high,
    }


def calcitriol(p: Parameters) -> dict[str, float]:
    """Calcitriol by vein beside calcium salts for a year; of what is eaten 70 % arrives.

    0.92 ug is the largest dose of their course; after each of three sessions is assumed.
    """
    treated = {"days": 364, "active_vitamin_d_ug_per_week": 3 * 0.92 / 0.7}
    course = run(LOW_DOSE.of(p), {}, [LOW_DOSE.before, treated])
    doses = ({"days": 28, "active_vitamin_d_ug_per_week": dose} for dose in (3, 4, 6))
    rising = run(RISING.of(p), {}, [RISING.before, *doses])
    name = "calcitriol 3 to 6 ug/wk i.v., 3 mo"
    return {
        f"{name}: PTH": percent(rising, PTH, 28, 112),
        f"{name}: phosphate": rising.at(P, 112) - rising.at(P, 28),
        "calcitriol 2.8 ug/wk i.v., a year: calcium": course.at(CA, 392) - course.at(CA, 28),
        "calcitriol 2.8 ug/wk i.v., a year: PTH": percent(course, PTH, 28, 392),
    }


def glands(p: Parameters) -> dict[str, float]:
    """Secondary hyperparathyroidism: calcimimetics, parathyroidectomy."""
    found: dict[str, float] = {}
    own = SHPT.of(p)
    names = ((P, "phosphate"), (CA, "calcium"), (PTH, "PTH"))
    for drug, cohort in (("etelcalcetide", own), ("cinacalcet", CINACALCET.of(p))):
        course = run(cohort, {}, [USUAL, {"days": 182, "calcimimetic": {"drug": drug}}])
        then = {key: course.at(key, 28) for key in (P, CA, PTH, CXP)}
        change = {key: 100 * (course.at(key, 28 + 182) / then[key] - 1) for key in then}
        if drug == "etelcalcetide":
            found |= {f"secondary HPT: {name}": then[key] for key, name in names}
            found |= {f"etelcalcetide 26 wk: {name}": change[key] for key, name in names}
        else:
            found |= {"cinacalcet 6 mo: PTH": change[PTH], "cinacalcet 6 mo: Ca x P": change[CXP]}
    trial = run(own, {}, [USUAL, {"days": 182, "calcimimetic": {"drug": "cinacalcet"}}])
    for key, name in ((CA, "calcium"), (CXP, "Ca x P")):
        found[f"calcimimetic against control: {name}"] = trial.at(key, 210) - trial.at(key, 28)
    refractory = run(REFRACTORY.of(p), {}, [USUAL])
    found["refractory HPT, PTH 1401: calcium"] = refractory.at(CA, 28)
    found |= parathyroidectomy(PTX.of(p), names)
    return found


def parathyroidectomy(p: Parameters, names: tuple[tuple[str, str], ...]) -> dict[str, float]:
    """Five per cent of tissue left; all else as assumed without a word (usual care)."""
    course = run(p, {}, [USUAL, {"days": 370, "event": CUT}])
    found = {f"before PTX: {name}": course.at(key, 28) for key, name in names}
    found["PTX 3 d: calcium"] = float(np.interp(31, course.day, course.labs[CA]))
    found |= {f"PTX 1 mo: {name}": course.at(key, 58) for key, name in names}
    found["PTX 12 mo: phosphate"] = course.at(P, 28 + 364)
    found["PTX 12 mo: calcium"] = course.at(CA, 28 + 364)
    operated, end = (int(np.abs(course.day - day).argmin()) for day in (28, 28 + 364))
    mineral = course.bone_calcium[[operated, end]]
    found["PTX 12 mo: gain of bone mineral"] = 100 * (mineral[1] / mineral[0] - 1)
    after = (course.day >= 28) & (course.day <= 28 + 90)
    day = course.day[after] - 28
    calcium = course.labs[CA][after]
    found["PTX: week of lowest calcium"] = float(day[calcium.argmin()]) / 7
    found["PTX: week of highest ALP"] = float(day[course.labs[ALP][after].argmax()]) / 7
    given = [CARE_CALCIUM_G_D * need_of_calcium(level / CA_MG_PER_MMOL * 10) for level in calcium]
    found["PTX: calcium given in week 6"] = given[int(np.abs(day - 42).argmin())]
    return found


LADDER = {  # without dialysis: mL/min and what is compared there
    53: (PTH, CA, P, FGF), 50: (PTH, D), 49: (P,), 37: (PTH,), 36: (PTH,), 30: (PTH, D), 27: (P,),
    25: (PTH,), 20: (D, PTH, P, CA), 18: (FGF,), 15: (PTH,), 10: (D,), 7.2: (PTH,),
}  # fmt: skip
NAMES = {PTH: "PTH", CA: "calcium", P: "phosphate", FGF: "FGF23", D: "calcitriol"}


def kidneys(p: Parameters) -> dict[str, float]:
    """Transplantation and the ladder of chronic kidney disease."""
    graft = {"days": 370, "event": {"transplantation": {"graft_gfr_ml_min": 53}},
             "diet": {"phosphorus_mg_d": 1200, "calcium_mg_d": 1000}}  # fmt: skip
    course = run(TRANSPLANT.of(p), {}, [USUAL, graft])
    early = run(PERRIN.of(p), {}, [USUAL, {**graft, "days": 92}])
    after = course.day > 28
    lowest, lowest_day = lowest_recorded(course.day[after] - 28, course.labs[P][after])
    ckd = {gfr: run(p, {"gfr_ml_min": gfr}, [{"days": 7, "dialysis": None}]) for gfr in LADDER}
    # enrolled below 30 mL/min and above 4.5 mg/dL; what they filtered is not told, 15 assumed
    undialysed = run(UNDIALYSED.of(p), UNDIALYSED.patient, [UNDIALYSED.before])
    found = {
        "transplant 3 mo: FGF23": course.at(FGF, 28 + 91),
        "transplant 12 mo: FGF23": course.at(FGF, 28 + 364),
        "transplant: lowest phosphate": lowest,
        "transplant: day of lowest phosphate": lowest_day,
        "transplant 12 mo: phosphate": course.at(P, 28 + 364),
        "transplant 12 mo: calcium": course.at(CA, 28 + 364),
        "transplant 12 mo: PTH / CKD of like GFR": course.at(PTH, 28 + 364) / ckd[53].at(PTH, 7),
        "transplant, PTH 334: PTH at 3 mo": early.at(PTH, 28 + 91),
        "transplant, PTH 334: calcium at 3 mo, above before": early.at(CA, 28 + 91)
        - early.at(CA, 28),
        "not dialysed, phosphate 5.1: PTH": undialysed.at(PTH, 0),
        "not dialysed, phosphate 5.1: calcium": undialysed.at(CA, 0),
    }
    for gfr, analytes in LADDER.items():
        found |= {f"eGFR {gfr}: {NAMES[a]}": ckd[gfr].at(a, 7) for a in analytes}
    found["primary HPT, PTH 106: calcium"] = adenoma(p)
    moderate = {"gfr_ml_min": 36, "diet": {"calcium_mg_d": 1000}}
    plain = run(p, moderate, [{"days": 21}])
    found["CKD 3-4, diet 1000 mg: calcium balance"] = calcium_balance(plain, 21)
    salted = {"binder": {"drug": "calcium_carbonate", "g_per_day": 3.75}}
    fed = run(p, moderate, [{"days": 21}, {"days": 21, **salted}])
    early = 2 * calcium_balance(fed, 42) - calcium_balance(plain, 21)
    found["CKD 3-4, +1500 mg Ca: calcium balance"] = early
    healthy = {"gfr_ml_min": 100}
    bare = {"event": {"parathyroidectomy": {"remnant_fraction": 0.0}}, "postoperative_care": None}
    aparathyroid = run(p, healthy, [{"days": 7}, {"days": 728, **bare}])
    found["no parathyroids, kidneys healthy, untreated: calcium"] = aparathyroid.at(CA, 735)
    plain = run(p, healthy, [{"days": 28}])
    bound = run(
        p, healthy, [{"days": 28}, {"days": 28, "binder": {"drug": "lanthanum", "g_per_day": 3}}]
    )
    urine = bound.states[-1, P_URINE] - 2 * plain.states[-1, P_URINE]
    found["lanthanum 3 g, healthy: fall of urine phosphorus"] = -urine * 30.97 / 28
    return found


def adenoma(p: Parameters) -> float:
    """Calcium (mg/dL) of primary hyperparathyroidism, the gland so large that PTH is 106 pg/mL."""
    healthy = parse_scenario(
        {"patient": {"gfr_ml_min": HEALTHY_GFR_ML_MIN}, "phases": [{"days": 1}]}
    )
    before = before_day_0(healthy.patient, healthy.phases[0])[-1]
    course = timeline([before], p)
    glands = (3.0, 5.0, 8.0, 12.0)
    levels, calcium = [], []
    for gland in glands:
        seen = simulate(starting_state(p, before, gland=gland), p, course)
        labs = laboratory(seen.states[:1], seen.pth[:1], p)
        levels.append(labs[PTH][0])
        calcium.append(labs[CA][0])
    return float(np.interp(106.0, levels, calcium))


def lowest_recorded(day: Array, phosphate: Array) -> tuple[float, float]:
    """Median lowest value and its day, when weekly samples scatter as laboratories do."""
    weekly = day % 7 == 0
    scatter = np.random.default_rng(1).normal(0.0, SCATTER[P], (400, int(weekly.sum())))
    recorded = phosphate[weekly] * np.exp(scatter)
    days = day[weekly][recorded.argmin(axis=1)]
    return float(np.median(recorded.min(axis=1))), float(np.median(days))


def calcium_balance(course: Run, days: float) -> float:
    """Mean mg/d: absorbed less secreted, urine and dialysate."""
    end = course.states[-1]
    return (
        float(end[CA_ABSORBED] - end[CA_SECRETED] - end[CA_URINE] - end[CA_DIALYSED]) * 40.08 / days
    )


def figures(p: Parameters) -> dict[str, float]:
    """Every target's figure as the model gives it."""
    found = {
        **sessions(p),
        **usual(p),
        **phosphate_changes(p),
        **binders(p),
        **absorption(p),
        **calcium_loads(p),
        **glands(p),
        **kidneys(p),
    }
    return {name: float(value) for name, value in found.items()}
