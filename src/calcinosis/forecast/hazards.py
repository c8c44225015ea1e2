"""What to watch under an option, and what keeps it out of the headline."""

from collections.abc import Sequence

import numpy as np

from calcinosis.forecast.states import Array

HUNGRY_BONE_MG_DL = 7.5
ADYNAMIC_PTH_PG_ML = (
    101.0  # below the lowest-risk range of dialysis, doi:10.1053/j.ajkd.2008.03.020
)
# On dialysis above 300 pg/mL: over the lowest-risk range (same study), where active vitamin D is
# begun (KDOQI 2003, guideline 8). It rises markedly by a quarter in the plan's time: ours.
HIGH_PTH_PG_ML = 300.0
MARKED_RISE = 1.25
ALARMING_CHANCE = 0.10
# Corrected calcium above which calcium salts, vitamin D and dialysate calcium are lowered: KDOQI
# 2003, guideline 6.3. It lasts when nobody lowered them for four weeks: ours.
HYPERCALCAEMIA_MG_DL = 10.2
LOW_PHOSPHATE_MG_DL = 2.5  # before dialysis: the usual lower limit of normal, textbook
# Moderate hypophosphataemia begins here (Amanzadeh 2006, doi:10.1038/ncpneph0124).
DEPLETED_PHOSPHATE_MG_DL = 2.0
LASTING_DAYS = 28.0
# Where the model leaves the living: ours. Crisis begins at 14 mg/dL (StatPearls, Resistant
# Hypercalcemia, 2023); without any parathyroids and treatment calcium is 5.3 mg/dL in the mean
# (doi:10.1001/archinte.1969.00300190009003).
LIVED_WITH = {"calcium": (5.0, 15.0), "phosphate": (0.0, 15.0)}

Run = dict[str, Array]


def chance_of(seen: Sequence[bool]) -> float:
    """Share of the conceivable patients, after Laplace: never quite 0 or 1."""
    return (sum(seen) + 1) / (len(seen) + 2)


def warnings_of(
    day: Array, central: Run, runs: Sequence[Run], *, dialysed: bool, grafted: bool
) -> tuple[str, ...]:
    """What to watch, in words; `dialysed`, or `grafted`: at the end."""
    found = (
        _outside(central),
        _hypercalcaemia(day, central, runs, grafted=grafted),
        _hungry_bone(day, central, runs),
        _adynamic_bone(central, runs) if dialysed else None,
        _rising_pth(central, runs) if dialysed else None,
        _low_phosphate(central, runs) if dialysed else None,
    )
    return tuple(warning for warning in found if warning)


def left_out(day: Array, central: Run, *, grafted: bool) -> str:
    """Why an option is not to be named best, whatever it does to the deposit; else empty.

    With a working graft (`grafted`) high calcium comes from glands that stayed large, not from a
    load that could go to soft tissue: it is warned of, but does not count here. Nor does low
    phosphate, which the new kidney loses.
    """
    if _outside(central):
        return "no patient lives with such levels"
    if not grafted and lasting_hypercalcaemia(day, central):
        return f"calcium stays above {HYPERCALCAEMIA_MG_DL:g} mg/dL"
    if _ends_below(HUNGRY_BONE_MG_DL, day, central["calcium_mg_dl"]):
        return f"calcium stays below {HUNGRY_BONE_MG_DL:g} mg/dL"
    if not grafted and _ends_below(DEPLETED_PHOSPHATE_MG_DL, day, central["phosphate_mg_dl"]):
        return f"phosphate stays below {DEPLETED_PHOSPHATE_MG_DL:g} mg/dL"
    return ""


def _ends_below(least: float, day: Array, level: Array) -> bool:
    """Whether a level ends too low after four weeks of it: a product kept low so is no success."""
    late = day >= day[-1] - LASTING_DAYS
    return bool((level[late] < least).all()) and float(day[-1] - day[0]) >= LASTING_DAYS


def lasting_hypercalcaemia(day: Array, run: Run) -> bool:
    """Whether calcium ends too high, or becomes so for four weeks; not if today's only ends."""
    high = run["calcium_mg_dl"] > HYPERCALCAEMIA_MG_DL
    spells = np.flatnonzero(np.diff(high, prepend=False, append=False)).reshape(-1, 2)
    return any(
        stop == len(day) or (start > 0 and day[stop - 1] - day[start] >= LASTING_DAYS)
        for start, stop in spells
    )


def _outside(central: Run) -> str | None:
    for name, (low, high) in LIVED_WITH.items():
        level = central[f"{name}_mg_dl"]
        for beyond in (level.min(), level.max()):
            if not low <= beyond <= high:
                return (
                    f"Outside the model: {name} reaches {beyond:.1f} mg/dL. No patient lives "
                    "with this; the model is outside what it was made for."
                )
    return None


def _hypercalcaemia(day: Array, central: Run, runs: Sequence[Run], *, grafted: bool) -> str | None:
    chance = chance_of([lasting_hypercalcaemia(day, run) for run in runs])
    if not lasting_hypercalcaemia(day, central) and chance <= 0.5:
        return None
    calcium = central["calcium_mg_dl"]
    cause = (
        "Glands that stayed large after the graft can cause it, where PTH is high, or a deposit "
        "that dissolves."
        if grafted
        else "Calcium salts, vitamin D and dialysate calcium are then lowered (KDOQI 2003, "
        "guideline 6.3), unless PTH is the cause. How far calcium climbs under a heavy load is "
        "less sure than its band says."
    )
    return (
        f"Hypercalcaemia: calcium is highest on day {day[calcium.argmax()]:.0f} "
        f"({calcium.max():.1f} mg/dL); chance that it stays above {HYPERCALCAEMIA_MG_DL:g} mg/dL "
        f"{100 * chance:.0f} %. {cause}"
    )


def _hungry_bone(day: Array, central: Run, runs: Sequence[Run]) -> str | None:
    calcium = central["calcium_mg_dl"]
    chance = chance_of([bool(run["calcium_mg_dl"].min() < HUNGRY_BONE_MG_DL) for run in runs])
    if calcium.min() >= HUNGRY_BONE_MG_DL and chance <= ALARMING_CHANCE:
        return None
    return (
        f"Hungry bone or hypocalcaemia: calcium is lowest on day {day[calcium.argmin()]:.0f} "
        f"({calcium.min():.1f} mg/dL); chance of a fall below 7.5 mg/dL {100 * chance:.0f} %. "
        "Watch calcium, plan supplements and dialysate."
    )


def _adynamic_bone(central: Run, runs: Sequence[Run]) -> str | None:
    """Of a patient on dialysis at the end: a PTH normal for others is too low for uraemic bone."""
    quiet = chance_of([_adynamic(run) for run in runs])
    if not _adynamic(central) and quiet <= 0.5:
        return None
    pth, formation = central["pth_pg_ml"][-1], central["alp_relative"][-1]
    return (
        f"Adynamic bone: PTH settles at {pth:.0f} pg/mL with bone formation at "
        f"{formation:.1f} of normal; chance {100 * quiet:.0f} %. "
        "Such bone buffers little calcium; calcium loads then go to soft tissue."
    )


def _adynamic(run: Run) -> bool:
    low_pth = _late(run["pth_pg_ml"]) < ADYNAMIC_PTH_PG_ML
    return low_pth and _late(run["alp_relative"]) < 1.0


def _rising_pth(central: Run, runs: Sequence[Run]) -> str | None:
    """Of a patient on dialysis at the end: the price of taking calcium or vitamin D away."""
    chance = chance_of([_rises(run) for run in runs])
    if not _rises(central) and chance <= 0.5:
        return None
    pth = central["pth_pg_ml"]
    return (
        f"Rising PTH: from {pth[0]:.0f} to {_late(pth):.0f} pg/mL; chance that it ends above "
        f"{HIGH_PTH_PG_ML:.0f} and a quarter higher than today {100 * chance:.0f} %. Glands that "
        "grow hardly shrink again: watch PTH, plan vitamin D or a calcimimetic."
    )


def _rises(run: Run) -> bool:
    pth = run["pth_pg_ml"]
    return _late(pth) > max(HIGH_PTH_PG_ML, MARKED_RISE * float(pth[0]))


def _low_phosphate(central: Run, runs: Sequence[Run]) -> str | None:
    """Of a patient on dialysis at the end: what removes so much needs no binder."""
    chance = chance_of([_late(run["phosphate_mg_dl"]) < LOW_PHOSPHATE_MG_DL for run in runs])
    settles = _late(central["phosphate_mg_dl"])
    if settles >= LOW_PHOSPHATE_MG_DL and chance <= 0.5:
        return None
    return (
        f"Low phosphate: it settles at {settles:.1f} mg/dL; chance that it ends below "
        f"{LOW_PHOSPHATE_MG_DL:g} mg/dL {100 * chance:.0f} %. End binders (most patients on six "
        "haemodialyses a week need none, doi:10.1681/ASN.2011070688), let them eat more, or, in "
        "haemodialysis, add phosphate to the dialysate."
    )


def _late(values: Array) -> float:
    """Mean of the last four samples."""
    return float(values[-4:].mean())
