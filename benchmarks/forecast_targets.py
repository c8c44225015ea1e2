"""Published figures and the scenarios that must reproduce them.

Each cohort is entered as a user would enter it: prescription first, then what its baseline
laboratory says about gland and intake (`Cohort`); the figures are what the model adds.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from calcinosis.forecast.labs import SCATTER, laboratory
from calcinosis.forecast.model import (
    CA_ABSORBED,
    CA_DIALYSED,
    CA_SECRETED,
    CA_URINE,
    P_URINE,
    Array,
    Controls,
    gut,
)
from calcinosis.forecast.outlook import reported_rows
from calcinosis.forecast.parameters import Parameters
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.session import Session, last_sessions
from calcinosis.forecast.simulate import simulate, starting_state
from calcinosis.forecast.treatments import before_day_0, gland_tissue, prescribe, timeline


@dataclass(frozen=True)
class Target:
    """A published figure. `low` and `high`: its SD, IQR or interval, else 15 % either way."""

    name: str
    value: float
    unit: str
    source: str
    low: float | None = None
    high: float | None = None
    weight: float = 1.0  # in the calibration; 0: looked at afterwards only
    recalled: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the model's figure counts as met."""
        low, high = sorted((0.85 * self.value, 1.15 * self.value))
        return low if self.low is None else self.low, high if self.high is None else self.high


@dataclass(frozen=True)
class Cohort:
    """What a cohort's baseline says of it: gland, phosphate intake (see the YAML)."""

    name: str
    gland_tendency: float | None = None
    p_intake_factor: float = 1.0

    def of(self, p: Parameters) -> Parameters:
        """Parameters of this cohort's average patient."""
        tendency = p.gland_tendency if self.gland_tendency is None else self.gland_tendency
        return p._replace(gland_tendency=tendency, p_intake_factor=self.p_intake_factor)


CINACALCET = Cohort("cinacalcet with calcitriol, PTH 483", gland_tendency=2.85)
SHPT = Cohort("secondary hyperparathyroidism, trial entry", gland_tendency=9.9)
SHORT_DAILY = Cohort("short daily, PTH 417, phosphate 6.16", 1.1, p_intake_factor=1.1)
BATHED = Cohort("richer bath, PTH 373", gland_tendency=1.51)
TRANSPLANT = Cohort("transplant recipients, PTH about 300 before", gland_tendency=0.85)
PTX = Cohort("before parathyroidectomy", gland_tendency=12.9, p_intake_factor=1.131)


@dataclass(frozen=True)
class Run:
    """Central course of one scenario."""

    day: Any
    labs: dict[str, Any]
    sessions: tuple[Session | None, ...]
    states: Any = field(repr=False)

    def at(self, analyte: str, day: float) -> float:
        """Value of the sample nearest to a day."""
        return float(self.labs[analyte][np.abs(self.day - day).argmin()])


def run(p: Parameters, patient: dict[str, Any], phases: list[dict[str, Any]]) -> Run:
    """Central course of a scenario under these parameters."""
    scenario = parse_scenario({"patient": patient, "phases": phases})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    start = starting_state(p, before)
    plan = prescribe(before, scenario.phases)
    course = timeline(plan, p)
    states, pth = simulate(start, p, course, tissue=gland_tissue(before, p))
    rows = reported_rows(course)
    labs = laboratory(states[rows], pth[rows], p)
    return Run(course.day[rows], labs, last_sessions(plan, course, states, p), states)


CA, P, PTH = "calcium_mg_dl", "phosphate_mg_dl", "pth_pg_ml"
CXP, D, FGF, ALP = "ca_p_product_mg2_dl2", "calcitriol_pg_ml", "fgf23_pg_ml", "alp_relative"
SEVELAMER = {"drug": "sevelamer", "g_per_day": 4.8}
USUAL = {
    "days": 28,
    "dialysis": {},
    "binder": SEVELAMER,
    "active_vitamin_d_ug_per_week": 2,
}
KIDNEY_BLOOD_PRESS = "doi:10.1159/000487108"
PIRKLBAUER = "doi:10.3389/fmed.2021.704970"
JAMA = "Block, JAMA 2017;317:146"
TRIALS = "21 trials, doi:10.1186/s12882-019-1639-9"
WETMORE = "Wetmore 2016, 1402 patients"
HUNGRY = "doi:10.1186/s12882-016-0421-5"
EVENEPOEL = "doi:10.2215/CJN.01310308"
LONDEN = "doi:10.2215/CJN.10270916"
FHN = "doi:10.1681/ASN.2011070688"
CARE = "CARE, Kidney Int 2004;65:1914"
BATH = "doi:10.1097/00002480-200301000-00011"
ARMAS = "doi:10.2215/CJN.08610812"

TARGETS = [
    Target(
        "usual HD: phosphate", 5.6, "mg/dL", "between USRDS 6.2 and DOPPS; recalled", recalled=True
    ),
    Target("usual HD: calcium", 9.1, "mg/dL", "recalled", recalled=True, weight=2),
    Target("usual HD: PTH (typical patient)", 220, "pg/mL", "recalled", recalled=True),
    Target("usual HD: FGF23", 763, "pg/mL", "doi:10.5812/numonthly.84296", 456.6, 1430.3),
    Target("usual HD: calcitriol", 12, "pg/mL", "recalled", recalled=True, weight=0.3),
    Target("session: phosphate fall at 1 h", 47.4, "%", KIDNEY_BLOOD_PRESS, 33.1, 61.7, weight=2),
    Target("session: phosphate fall at 4 h", 45.1, "%", KIDNEY_BLOOD_PRESS, 34.3, 55.9, weight=2),
    Target(
        "session: phosphorus in first hour, pre 4.7",
        194,
        "mg",
        KIDNEY_BLOOD_PRESS,
        145,
        242,
        weight=2,
    ),
    Target("session: share of first hour", 25, "%", KIDNEY_BLOOD_PRESS, weight=0.5),
    Target("session: phosphorus removed, pre < 5.5", 776, "mg", KIDNEY_BLOOD_PRESS, 580, 784),
    Target("session: phosphorus removed, pre >= 5.5", 975, "mg", KIDNEY_BLOOD_PRESS, 587, 1354),
    Target("session: phosphate at 4 h / 3 h", 1.02, "-", "Poleszczuk 2016: above 1", 1.0, 1.2, 2),
    Target("5 h session: phosphorus removed", 24, "mmol", "PMID 1751238", 20, 28),
    Target("5 h session: end phosphate", 0.85, "mmol/L", "PMID 1751238", 0.8, 0.9),
    Target("5 h session: share of first 2 h", 0.5, "-", "PMID 1751238", weight=2),
    Target("8 h for 4 h at equal eKt/V: phosphorus removed", 1.42, "-", "PMID 22776782", weight=0),
    Target("dialysate Ca 1.75: calcium gained by diffusion", 488, "mg", PIRKLBAUER, 354, 622),
    Target("dialysate Ca 1.75: PTH fall", 75, "%", PIRKLBAUER, 67.5, 82.5),
    Target(
        "dialysate Ca 1.25: calcium removed",
        5.6,
        "mmol",
        "doi:10.4061/2011/540592: removal",
        0,
        15,
        weight=0.3,
    ),
    Target("haemodialysis: calcium absorbed of a meal's", 12, "%", ARMAS, 7, 17),
    Target("calcium acetate against sevelamer: calcium", 0.63, "mg/dL", CARE, weight=2),
    Target("calcium acetate against sevelamer: phosphate", -1.08, "mg/dL", CARE),
    Target("calcium acetate against sevelamer: Ca x P", -6.1, "mg2/dL2", CARE),
    Target("dialysate Ca 1.5 to 1.75, 10 mo: calcium", 0.56, "mg/dL", BATH),
    Target("dialysate Ca 1.5 to 1.75, 10 mo: PTH", -58, "%", BATH),
    Target("frequent HD, binder -1.35 g: change of phosphate", -0.46, "mg/dL", FHN, -0.78, -0.13),
    Target(
        "nocturnal HD 5.5 x 7 h: change of phosphate",
        -1.52,
        "mg/dL",
        "doi:10.1111/j.1542-4758.2009.00418.x",
        -2.29,
        -0.74,
    ),
    Target(
        "short daily 5.3 x 2.63 h, start 6.16: phosphate",
        -2.2,
        "mg/dL",
        "SDHD, 21 patients: 1.99 to 1.27 mmol/L",
        weight=0.3,
    ),
    Target(
        "binder washout: rise of phosphate", 1.8, "mg/dL", "recalled", recalled=True, weight=0.3
    ),
    Target(
        "lanthanum 3 g, healthy: fall of urine phosphorus",
        350,
        "mg/d",
        "doi:10.3109/0886022X.2011.649657",
        236,
        468,
    ),
    Target("secondary HPT: calcium", 9.6, "mg/dL", JAMA, weight=2),
    Target("secondary HPT: phosphate", 5.9, "mg/dL", JAMA),
    Target("secondary HPT: PTH", 849, "pg/mL", JAMA, weight=2),
    Target("etelcalcetide 26 wk: PTH", -54.8, "%", JAMA, weight=2),
    Target("etelcalcetide 26 wk: calcium", -8, "%", "recalled", -10, -4, recalled=True),
    Target(
        "etelcalcetide 26 wk: phosphate", -7, "%", "recalled", -12, -2, recalled=True, weight=0.5
    ),
    Target("cinacalcet 6 mo: PTH", -43, "%", "romj.org/2013-0309", -55, -37, weight=2),
    Target("cinacalcet 6 mo: Ca x P", -13, "%", "romj.org/2013-0309"),
    Target("calcimimetic against control: calcium", -0.92, "mg/dL", TRIALS, -0.98, -0.85),
    Target("calcimimetic against control: Ca x P", -5.97, "mg2/dL2", TRIALS, -9.77, -2.16),
    Target("before PTX: calcium", 9.6, "mg/dL", WETMORE, weight=2),
    Target("before PTX: phosphate", 6.8, "mg/dL", WETMORE, weight=2),
    Target("before PTX: PTH", 1661, "pg/mL", WETMORE, weight=2),
    Target("PTX 1 mo: PTH", 98, "pg/mL", WETMORE),
    Target("PTX 1 mo: calcium", 7.9, "mg/dL", WETMORE, weight=2),
    Target("PTX 1 mo: phosphate", 3.8, "mg/dL", WETMORE, weight=2),
    Target("PTX 12 mo: phosphate", 5.8, "mg/dL", WETMORE),
    Target("PTX 12 mo: calcium", 8.9, "mg/dL", "recalled", recalled=True),
    Target("PTX: week of lowest calcium", 2, "wk", HUNGRY, 1, 3, weight=2),
    Target("PTX: week of highest ALP", 2, "wk", HUNGRY, 1, 4, weight=0.3),
    Target("transplant 3 mo: FGF23", 73, "ng/L", EVENEPOEL),
    Target("transplant 12 mo: FGF23", 56, "ng/L", EVENEPOEL),
    Target("transplant: lowest phosphate", 1.58, "mg/dL", LONDEN, 1.3, 1.95),
    Target("transplant: day of lowest phosphate", 33, "d", LONDEN, 21, 51),
    Target("transplant 12 mo: phosphate", 3.0, "mg/dL", EVENEPOEL, 2.4, 3.6, weight=2),
    Target("transplant 12 mo: calcium", 9.1, "mg/dL", EVENEPOEL, 8.6, 9.6, weight=2),
    Target("transplant 12 mo: PTH / CKD of like GFR", 1.55, "-", EVENEPOEL),
    Target("eGFR 53: PTH", 46, "pg/mL", "PMID 24429404", weight=2),
    Target("eGFR 53: FGF23", 42, "pg/mL", "PMID 24429404"),
    Target("eGFR 20: calcitriol", 20, "pg/mL", "doi:10.1053/j.ajkd.2012.04.014", 9, 31),
    Target("eGFR 20: PTH", 160, "pg/mL", "recalled", recalled=True, weight=0.3),
    Target("eGFR 20: phosphate", 4.3, "mg/dL", "recalled", recalled=True),
    Target("eGFR 20: calcium", 9.2, "mg/dL", "recalled", recalled=True),
    Target("CKD 3-4, diet 1000 mg: calcium balance", 0, "mg/d", "Hill, KI 2013;83:959", -75, 75),
    Target(
        "CKD 3-4, +1500 mg Ca: calcium balance",
        508,
        "mg/d",
        "Hill, KI 2013;83:959: positive",
        100,
        700,
        weight=0.5,
    ),
]


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
    """The typical haemodialysis patient, and changes of its prescription."""
    base = run(p, {}, [USUAL])
    names = (P, "phosphate"), (CA, "calcium"), (PTH, "PTH (typical patient)"), (FGF, "FGF23")
    found = {f"usual HD: {name}": base.at(key, 28) for key, name in (*names, (D, "calcitriol"))}
    for bath in (1.25, 1.75):
        bathed = run(p, {}, [USUAL, {"days": 21, "dialysis": {"dialysate_calcium_mmol_l": bath}}])
        seen = session_of(bathed)
        if bath == 1.75:
            fluid = 2.5 * p.ca_diffusible * seen.calcium_mg_dl.mean() * 10
            found["dialysate Ca 1.75: calcium gained by diffusion"] = (
                fluid - seen.calcium_removed_mg[-1]
            )
            found["dialysate Ca 1.75: PTH fall"] = fall(seen.pth_pg_ml, -1)
        else:
            found["dialysate Ca 1.25: calcium removed"] = seen.calcium_removed_mg[-1] / 40.08
    start = base.at(P, 28)

    def change(days: int, **phase: object) -> float:
        changed = run(p, {}, [USUAL, {"days": days, **phase}])
        return changed.at(P, 28 + days) - start

    weekly = {"phosphate_clearance_ml_min": 150, "ultrafiltration_l": 1.5}
    # 1.35 g calcium carbonate equivalents are 1.8 g sevelamer
    less = {"drug": "sevelamer", "g_per_day": 3.0}
    conventional = {**USUAL, "dialysis": {"hours": 3.47}}  # FHN: 10.4 h a week against 12.7
    frequent = {"sessions_per_week": 5.2, "hours": 2.44, **weekly}
    trial = run(p, {}, [conventional, {"days": 180, "dialysis": frequent, "binder": less}])
    found["frequent HD, binder -1.35 g: change of phosphate"] = trial.at(P, 208) - trial.at(P, 28)
    night = {
        "sessions_per_week": 5.5,
        "hours": 7,
        "phosphate_clearance_ml_min": 100,
        "ultrafiltration_l": 1.4,
    }
    found["nocturnal HD 5.5 x 7 h: change of phosphate"] = change(
        180, dialysis=night, binder=None, diet={"phosphorus_mg_d": 1100}
    )
    short = {"sessions_per_week": 5.3, "hours": 2.63, **weekly}
    daily = run(SHORT_DAILY.of(p), {}, [USUAL, {"days": 180, "dialysis": short}])
    found["short daily 5.3 x 2.63 h, start 6.16: phosphate"] = daily.at(P, 208) - daily.at(P, 28)
    found["binder washout: rise of phosphate"] = change(28, binder=None)
    return found


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
    bath = {"days": 300, "dialysis": {"dialysate_calcium_mmol_l": 1.75}}
    richer = run(BATHED.of(p), {}, [USUAL, bath])
    name = "dialysate Ca 1.5 to 1.75, 10 mo"
    found[f"{name}: calcium"] = richer.at(CA, 328) - richer.at(CA, 28)
    found[f"{name}: PTH"] = 100 * (richer.at(PTH, 328) / richer.at(PTH, 28) - 1)
    eaten = Controls(*[0.0] * len(Controls._fields))._replace(diet_ca=1.0)
    found["haemodialysis: calcium absorbed of a meal's"] = 100 * gut(15.1, eaten, p)[0]
    return found


def session_of(course: Run) -> Session:
    """The last phase's last session."""
    (seen,) = [one for one in course.sessions[-1:] if one]
    return seen


HPT = USUAL


def glands(p: Parameters, shpt: Cohort, ptx: Cohort) -> dict[str, float]:
    """Secondary hyperparathyroidism: calcimimetics, parathyroidectomy."""
    found: dict[str, float] = {}
    own = shpt.of(p)
    names = ((P, "phosphate"), (CA, "calcium"), (PTH, "PTH"))
    for drug, cohort in (("etelcalcetide", own), ("cinacalcet", CINACALCET.of(p))):
        course = run(cohort, {}, [HPT, {"days": 182, "calcimimetic": {"drug": drug}}])
        then = {key: course.at(key, 28) for key in (P, CA, PTH, CXP)}
        change = {key: 100 * (course.at(key, 28 + 182) / then[key] - 1) for key in then}
        if drug == "etelcalcetide":
            found |= {f"secondary HPT: {name}": then[key] for key, name in names}
            found |= {f"etelcalcetide 26 wk: {name}": change[key] for key, name in names}
        else:
            found |= {"cinacalcet 6 mo: PTH": change[PTH], "cinacalcet 6 mo: Ca x P": change[CXP]}
    trial = run(own, {}, [HPT, {"days": 182, "calcimimetic": {"drug": "cinacalcet"}}])
    for key, name in ((CA, "calcium"), (CXP, "Ca x P")):
        found[f"calcimimetic against control: {name}"] = trial.at(key, 210) - trial.at(key, 28)
    found |= parathyroidectomy(ptx.of(p), names)
    return found


def parathyroidectomy(p: Parameters, names: tuple[tuple[str, str], ...]) -> dict[str, float]:
    """Five per cent of tissue left; calcium carbonate and vitamin D, halved after two months."""
    cut = {"parathyroidectomy": {"remnant_fraction": 0.05}}
    carbonate = {"drug": "calcium_carbonate", "g_per_day": 6}
    salts = [
        {"days": 60, "event": cut, "active_vitamin_d_ug_per_week": 5, "binder": carbonate},
        {
            "days": 60,
            "active_vitamin_d_ug_per_week": 3,
            "binder": {"drug": "calcium_carbonate", "g_per_day": 3},
        },
        {
            "days": 250,
            "active_vitamin_d_ug_per_week": 2,
            "binder": {"drug": "sevelamer", "g_per_day": 6.4},
        },
    ]
    course = run(p, {}, [HPT, *salts])
    found = {f"before PTX: {name}": course.at(key, 28) for key, name in names}
    found |= {f"PTX 1 mo: {name}": course.at(key, 58) for key, name in names}
    found["PTX 12 mo: phosphate"] = course.at(P, 28 + 364)
    found["PTX 12 mo: calcium"] = course.at(CA, 28 + 364)
    after = (course.day >= 28) & (course.day <= 28 + 90)
    day = course.day[after] - 28
    found["PTX: week of lowest calcium"] = float(day[course.labs[CA][after].argmin()]) / 7
    found["PTX: week of highest ALP"] = float(day[course.labs[ALP][after].argmax()]) / 7
    return found


def kidneys(p: Parameters) -> dict[str, float]:
    """Transplantation and the ladder of chronic kidney disease."""
    graft = {"days": 370, "event": {"transplantation": {"graft_gfr_ml_min": 53}},
             "diet": {"phosphorus_mg_d": 1200, "calcium_mg_d": 1000}}  # fmt: skip
    course = run(TRANSPLANT.of(p), {}, [USUAL, graft])
    after = course.day > 28
    lowest, lowest_day = lowest_recorded(course.day[after] - 28, course.labs[P][after])
    ckd = {gfr: run(p, {"gfr_ml_min": gfr}, [{"days": 7}]) for gfr in (53, 20)}
    found = {
        "transplant 3 mo: FGF23": course.at(FGF, 28 + 91),
        "transplant 12 mo: FGF23": course.at(FGF, 28 + 364),
        "transplant: lowest phosphate": lowest,
        "transplant: day of lowest phosphate": lowest_day,
        "transplant 12 mo: phosphate": course.at(P, 28 + 364),
        "transplant 12 mo: calcium": course.at(CA, 28 + 364),
        "transplant 12 mo: PTH / CKD of like GFR": course.at(PTH, 28 + 364) / ckd[53].at(PTH, 7),
        "eGFR 53: PTH": ckd[53].at(PTH, 7),
        "eGFR 53: FGF23": ckd[53].at(FGF, 7),
        "eGFR 20: calcitriol": ckd[20].at(D, 7),
        "eGFR 20: PTH": ckd[20].at(PTH, 7),
        "eGFR 20: phosphate": ckd[20].at(P, 7),
        "eGFR 20: calcium": ckd[20].at(CA, 7),
    }
    moderate = {"gfr_ml_min": 36, "diet": {"calcium_mg_d": 1000}}
    plain = run(p, moderate, [{"days": 21}])
    found["CKD 3-4, diet 1000 mg: calcium balance"] = calcium_balance(plain, 21)
    salted = {"binder": {"drug": "calcium_carbonate", "g_per_day": 3.75}}
    fed = run(p, moderate, [{"days": 21}, {"days": 21, **salted}])
    early = 2 * calcium_balance(fed, 42) - calcium_balance(plain, 21)
    found["CKD 3-4, +1500 mg Ca: calcium balance"] = early
    healthy = {"gfr_ml_min": 100}
    plain = run(p, healthy, [{"days": 28}])
    bound = run(
        p, healthy, [{"days": 28}, {"days": 28, "binder": {"drug": "lanthanum", "g_per_day": 3}}]
    )
    urine = bound.states[-1, P_URINE] - 2 * plain.states[-1, P_URINE]
    found["lanthanum 3 g, healthy: fall of urine phosphorus"] = -urine * 30.97 / 28
    return found


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


def figures(p: Parameters, shpt: Cohort, ptx: Cohort) -> dict[str, float]:
    """Every target's figure as the model gives it."""
    found = {
        **sessions(p),
        **usual(p),
        **calcium_loads(p),
        **glands(p, shpt, ptx),
        **kidneys(p),
    }
    return {name: float(value) for name, value in found.items()}
