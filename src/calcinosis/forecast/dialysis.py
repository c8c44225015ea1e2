"""Dialysis on the calendar: which days have a session, and what the dialyser then does.

Day 0 is a Wednesday, 08:00, just before the midweek session, so day 7, 14, … are midweek
pre-dialysis samples: the ones laboratories report.
"""

from dataclasses import dataclass
from math import floor

from calcinosis.forecast.parameters import ML_MIN_PER_L_H, Parameters
from calcinosis.forecast.scenario import Haemodialysis, PeritonealDialysis

# Days after Wednesday (0 Wed, 1 Thu, 2 Fri, 3 Sat, 4 Sun, 5 Mon, 6 Tue) with a session.
WEEKDAYS = {
    0: (),
    1: (0,),
    2: (0, 3),
    3: (0, 2, 5),  # Monday, Wednesday, Friday: the long gap ends on Monday
    4: (0, 2, 3, 5),
    5: (0, 2, 3, 5, 6),
    6: (0, 1, 2, 3, 5, 6),
    7: (0, 1, 2, 3, 4, 5, 6),
}
DIURESIS_H = 48.0  # time constant with which working kidneys or PD shed fluid excess; assumed


@dataclass(frozen=True)
class Exchange:
    """What a dialyser or peritoneum does while it works (L/h, mmol/L)."""

    p_clearance: float = 0.0
    ca_dialysance: float = 0.0
    dialysate_ca: float = 0.0


def is_session_day(day: int, sessions_per_week: float) -> bool:
    """Whether there is a session that day; 3.5 a week alternates weeks of three and four."""
    week, weekday = divmod(day, 7)
    count = floor((week + 1) * sessions_per_week) - floor(week * sessions_per_week)
    return weekday in WEEKDAYS[count]


def exchange(dialysis: Haemodialysis | PeritonealDialysis, p: Parameters) -> Exchange:
    """Clearances while on, of the whole body.

    The dialyser clears the blood that reaches it, and within minutes that holds less phosphate
    than the tissues: see `arterial_share`. The peritoneum is such a tissue itself.
    """
    nominal = dialysis.phosphate_clearance_ml_min / ML_MIN_PER_L_H
    whole_body = nominal
    if isinstance(dialysis, Haemodialysis):
        delivered = nominal * p.delivered_share
        whole_body = delivered / (1.0 + delivered / p.tissue_plasma_flow)
    return Exchange(
        p_clearance=whole_body,
        ca_dialysance=nominal * p.ca_dialysance_ratio,
        dialysate_ca=dialysis.dialysate_calcium_mmol_l,
    )


def arterial_share(p_clearance: float, p: Parameters) -> float:
    """Phosphate in arterial blood / in tissue fluid while a dialyser clears `p_clearance` (L/h).

    What the dialyser takes must flow in from slowly perfused tissue (regional blood flow; at once,
    for the blood itself holds little): flow x (tissue - arterial) = clearance x tissue.
    """
    return 1.0 - p_clearance / p.tissue_plasma_flow


def fluid_gain_l_h(dialysis: Haemodialysis | PeritonealDialysis | None) -> float:
    """Fluid gained between sessions, so that the stated ultrafiltration removes it."""
    if dialysis is None:
        return 0.0
    if isinstance(dialysis, PeritonealDialysis):
        return dialysis.ultrafiltration_l / 24.0
    return dialysis.ultrafiltration_l * dialysis.sessions_per_week / 168.0
