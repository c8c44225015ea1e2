"""One dialysis session seen closely: phosphate falls fast, then climbs; calcium comes or goes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calcinosis.forecast.dialysis import arterial_share, exchange
from calcinosis.forecast.labs import laboratory
from calcinosis.forecast.parameters import CA_MG_PER_MMOL, P_MG_PER_MMOL, Parameters
from calcinosis.forecast.prescription import Prescription
from calcinosis.forecast.scenario import Haemodialysis
from calcinosis.forecast.simulate import simulate
from calcinosis.forecast.states import CA_DIALYSED, P_DIALYSED, Array
from calcinosis.forecast.treatments import Timeline, gland_tissue, session_edges, timeline

QUARTER_H = 0.25


@dataclass(frozen=True)
class Session:
    """A session every quarter of an hour, from needle in to needle out.

    Attributes:
        day: when it starts.
        hours: since its start, [n].
        calcium_mg_dl, phosphate_mg_dl, pth_pg_ml: serum of blood on its way to the dialyser,
            [n].
        calcium_removed_mg, phosphate_removed_mg: into the dialysate until then; negative: gained.
    """

    day: float
    hours: Array
    calcium_mg_dl: Array
    phosphate_mg_dl: Array
    pth_pg_ml: Array
    calcium_removed_mg: Array
    phosphate_removed_mg: Array


def last_sessions(
    prescriptions: Sequence[Prescription], course: Timeline, states: Array, p: Parameters
) -> tuple[Session | None, ...]:
    """The last midweek session of each phase (else its last), from a trajectory's states."""
    found: list[Session | None] = []
    for index, prescription in enumerate(prescriptions):
        rows = np.flatnonzero(course.session & (course.phase == index))
        midweek = rows[course.day[rows] % 7 == 0]
        chosen = midweek if midweek.size else rows
        if chosen.size and isinstance(prescription.dialysis, Haemodialysis):
            row = int(chosen[-1])
            found.append(session(prescription, p, states[row], float(course.day[row])))
        else:
            found.append(None)
    return tuple(found)


def session(prescription: Prescription, p: Parameters, start: Array, day: float) -> Session:
    """Simulate one session from the pre-dialysis state.

    Raises:
        ValueError: the prescription is no haemodialysis.
    """
    dialysis = prescription.dialysis
    if not isinstance(dialysis, Haemodialysis):
        raise ValueError("a session needs haemodialysis")  # noqa: TRY004  # a value of the plan
    edges = session_edges(dialysis.hours, QUARTER_H)
    course = timeline([replace(prescription, days=1)], p, detail_h=QUARTER_H)
    run = simulate(start, p, course, tissue=gland_tissue(prescription, p))
    states, pth = run.states[: len(edges)], run.pth[: len(edges)]
    serum = laboratory(states, pth, p)
    arterial = np.full(len(edges), arterial_share(exchange(dialysis, p).p_clearance, p))
    arterial[0] = 1.0  # drawn before the pump starts
    removed = states - states[0]
    return Session(
        day=day,
        hours=np.array(edges),
        calcium_mg_dl=serum["calcium_mg_dl"],
        phosphate_mg_dl=serum["phosphate_mg_dl"] * arterial,
        pth_pg_ml=pth,
        calcium_removed_mg=removed[:, CA_DIALYSED] * CA_MG_PER_MMOL,
        phosphate_removed_mg=removed[:, P_DIALYSED] * P_MG_PER_MMOL,
    )
