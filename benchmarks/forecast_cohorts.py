"""Published cohorts as a user would enter them, and the course of their average patient.

Prescription first, then what the baseline laboratory says about gland and intake (`Cohort`).
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from calcinosis.forecast.labs import laboratory
from calcinosis.forecast.outlook import reported_rows
from calcinosis.forecast.parameters import Parameters
from calcinosis.forecast.prescription import before_day_0, prescribe
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.session import Session, last_sessions
from calcinosis.forecast.simulate import simulate, starting_state
from calcinosis.forecast.states import CA_BONE, Array
from calcinosis.forecast.treatments import gland_tissue, timeline

CA, P, PTH = "calcium_mg_dl", "phosphate_mg_dl", "pth_pg_ml"
CXP, D, FGF, ALP = "ca_p_product_mg2_dl2", "calcitriol_pg_ml", "fgf23_pg_ml", "alp_relative"
SEVELAMER = {"drug": "sevelamer", "g_per_day": 4.8}
CUT = {"parathyroidectomy": {"remnant_fraction": 0.05}}
USUAL = {
    "days": 28,
    "dialysis": {},
    "binder": SEVELAMER,
    "active_vitamin_d_ug_per_week": 2,
}


def on(**changes: object) -> dict[str, Any]:
    """Four weeks of usual treatment but for these."""
    return {**USUAL, **changes}


BARE = on(binder=None)
ENTERED_WITHIN = 1e-5  # of ln PTH and ln phosphate, so that refits see smooth figures


@dataclass(frozen=True)
class Cohort:
    """A published cohort: how it was treated before, and what its baseline laboratory says.

    Its average patient's tendency of the gland and phosphate intake are those that give `pth`
    (pg/mL) and `phosphate` (mg/dL) then; None: as the average patient's.
    """

    pth: float | None = None
    phosphate: float | None = None
    before: dict[str, Any] = field(default_factory=lambda: USUAL)
    patient: dict[str, Any] = field(default_factory=dict)

    def of(self, p: Parameters) -> Parameters:
        """Parameters of this cohort's average patient (Broyden's method)."""
        facts = (("gland_tendency", PTH, self.pth), ("p_intake_factor", P, self.phosphate))
        sought = [(name, analyte, value) for name, analyte, value in facts if value is not None]
        now = np.log([getattr(p, name) for name, _, _ in sought])
        inverse = np.diag([1.5 if analyte == PTH else 0.9 for _, analyte, _ in sought])

        def entered(steps: Array) -> Parameters:
            values = np.exp(steps).tolist()
            return p._replace(**{s[0]: v for s, v in zip(sought, values, strict=True)})

        def gap(steps: Array) -> Array:
            seen = run(entered(steps), self.patient, [{**self.before, "days": 1}])
            return np.array([np.log(value / seen.at(analyte, 0)) for _, analyte, value in sought])

        left = gap(now)
        for _ in range(20):
            step = np.clip(inverse @ left, -1.0, 1.0)
            now = now + step
            before, left = left, gap(now)
            if np.abs(left).max() < ENTERED_WITHIN:
                break
            change = before - left
            inverse += np.outer(step - inverse @ change, step @ inverse) / (step @ inverse @ change)
        return entered(now)


SHPT = Cohort(pth=849, phosphate=5.9)
CINACALCET = Cohort(pth=482.8)
SHORT_DAILY = Cohort(pth=417, phosphate=6.16)
BATHED = Cohort(pth=373)
DRAINED = Cohort(pth=175, before=on(dialysis={"dialysate_calcium_mmol_l": 1.75}))
TRANSPLANT = Cohort(pth=300)  # "about"
SALTS = {"drug": "calcium_carbonate", "g_per_day": 3}
LOW_DOSE = Cohort(pth=400, before=on(binder=SALTS, active_vitamin_d_ug_per_week=0))
RISING = Cohort(pth=632, phosphate=5.31, before=on(binder=SALTS, active_vitamin_d_ug_per_week=0))
PERRIN = Cohort(pth=334)
RESIN = Cohort(phosphate=8.4, before=BARE)
RESIN_YEAR = Cohort(phosphate=7.5, before=BARE)
WASHED_OUT = Cohort(phosphate=7.4, before=BARE)
REFRACTORY = Cohort(pth=1401, phosphate=6.9)
UNDIALYSED = Cohort(phosphate=5.1, before={"days": 7, "dialysis": None}, patient={"gfr_ml_min": 15})
PTX = Cohort(pth=1661, phosphate=6.8)


@dataclass(frozen=True)
class Run:
    """Central course of one scenario."""

    day: Any
    labs: dict[str, Any]
    sessions: tuple[Session | None, ...]
    states: Any = field(repr=False)
    bone_calcium: Any = field(repr=False)  # mmol, at each day

    def at(self, analyte: str, day: float) -> float:
        """Value of the sample nearest to a day."""
        return float(self.labs[analyte][np.abs(self.day - day).argmin()])


settled = lru_cache(maxsize=64)(starting_state)  # cohorts share how they were treated before


def run(p: Parameters, patient: dict[str, Any], phases: list[dict[str, Any]]) -> Run:
    """Central course of a scenario under these parameters."""
    scenario = parse_scenario({"patient": patient, "phases": phases})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    start = settled(p, before)
    plan = prescribe(before, scenario.phases)
    course = timeline(plan, p)
    states, pth = simulate(start, p, course, tissue=gland_tissue(before, p))
    rows = reported_rows(course)
    labs = laboratory(states[rows], pth[rows], p)
    sessions_seen = last_sessions(plan, course, states, p)
    return Run(course.day[rows], labs, sessions_seen, states, states[rows, CA_BONE])


def percent(course: Run, analyte: str, since: float, until: float) -> float:
    """Change between two days, in per cent."""
    return 100 * (course.at(analyte, until) / course.at(analyte, since) - 1)


def session_of(course: Run) -> Session:
    """The last phase's last session."""
    (seen,) = [one for one in course.sessions[-1:] if one]
    return seen
