"""forecast.html: what each option would do, side by side, on one self-contained page."""

from importlib.resources import files
from typing import Any

from calcinosis import __version__
from calcinosis.forecast.outlook import PRODUCT_LIMIT, Course, Outlook
from calcinosis.write.explanation.wording import percent
from calcinosis.write.forecast_page.chart import PANELS, panel_svg, swatch

SURE = 0.9  # from here on options are not ranked by how likely Ca × P is to stay low: ours
UNLIKELY = 0.1  # below, none is named best: ours
MOST_NAMES = 3  # of options that do as much, in one sentence
A_YEAR = 358.0  # days, less a week: the last sample of a year's plan


def render(outlook: Outlook) -> str:
    """Draw the page."""
    return _drawn("own/forecast.html.j2", outlook, "h2")


def part(outlook: Outlook) -> str:
    """The sections of the page alone, to stand in another report; styled by `style`."""
    return _drawn("own/part.html.j2", outlook, "h3")


def style() -> str:
    """What `part` needs beside the house's style sheet."""
    return (files("calcinosis.write.forecast_page") / "templates/forecast.css").read_text("utf-8")


def _drawn(template: str, outlook: Outlook, heading: str) -> str:
    from jinja2 import Environment, PackageLoader, PrefixLoader

    loader = PrefixLoader(
        {
            "own": PackageLoader("calcinosis.write.forecast_page", "templates"),
            "house": PackageLoader("calcinosis.write.report", "templates"),
        }
    )
    page = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    bears = bool(outlook.courses[0].central["deposit_calcium_g"][0] > 0)
    panels = [panel for panel in PANELS if bears or panel.analyte != "deposit_calcium_g"]
    last_day = horizon_days(outlook)
    options = [_shown(course, i, last_day) for i, course in enumerate(outlook.courses)]
    return page.get_template(template).render(
        version=__version__,
        heading=heading,
        title=headline(outlook),
        bears=bears,
        panels=[(p.title, p.unit, panel_svg(p, outlook.courses)) for p in panels],
        options=options,
        has_sessions=any(option["session"] for option in options),
        has_marks=any(day > 0 for course in outlook.courses for day, _ in course.changes),
        outlook=outlook,
        within=within(outlook),
    )


def headline(outlook: Outlook) -> str:
    """The answer in one sentence; options that end in harm or sooner are not named best."""
    courses = [course for course in outlook.courses if _lasts(course, horizon_days(outlook))]
    key = "chance_deposit_halved"
    goal = "to halve the deposit"
    if courses[0].outcomes[key] is None:
        low = courses[0].central["ca_p_product_mg2_dl2"][0] < PRODUCT_LIMIT
        key, goal = "chance_product_below_55", f"to {'keep' if low else 'bring'} Ca × P below 55"
        least = min(course.outcomes[key] or 0.0 for course in courses)
        if low and least > SURE and len(courses) > 1 and not any(c.left_out for c in courses):
            return f"Ca × P stays below 55 under each option (at least {percent(least)})"
    if len(courses) == 1:
        (only,) = courses
        but = f", but {only.left_out}" if only.left_out else ""
        chance = percent(only.outcomes[key] or 0.0)
        return f"{only.name}: {chance} chance {goal} within {within(outlook)}{but}"
    sound = [course for course in courses if not course.left_out]
    if not sound:
        return f"No option is named {goal}: each leads to levels that nobody would leave so"
    return _best(courses, sound, key, f"{goal} within {within(outlook)}")


def _best(courses: list[Course], sound: list[Course], key: str, goal: str) -> str:
    """The sound option that does most, or those; whatever their order."""
    best = max(course.outcomes[key] or 0.0 for course in sound)
    names = [course.name for course in sound if course.outcomes[key] == best]
    beyond = any((course.outcomes[key] or 0.0) > best for course in courses)
    none = "No option without levels that nobody would leave so" if beyond else "No option"
    if best < UNLIKELY:
        return f"{none} is likely {goal} (at most {percent(best)})"
    if len(names) == len(sound) > 1:
        return f"{none} is likelier than another {goal} ({percent(best)})"
    if len(names) > MOST_NAMES:
        return f"Most likely {goal}: {len(names)} options that do as much ({percent(best)})"
    return f"Most likely {goal}: {' or '.join(names)} ({percent(best)})"


def horizon_days(outlook: Outlook) -> float:
    """Day on which options are compared: a year, or the end of the longest plan."""
    return max(course.outcomes["horizon_days"] or 0.0 for course in outlook.courses)


def within(outlook: Outlook) -> str:
    """The time of the comparison in words."""
    days = horizon_days(outlook)
    return "a year" if days >= A_YEAR else "a day" if days < 2 else f"{days:.0f} days"


def _lasts(course: Course, days: float) -> bool:
    """Whether a plan lasts until options are compared, but for less than a week."""
    return (course.outcomes["horizon_days"] or 0.0) > days - 7.0


def chances(course: Course) -> str:
    """What an option of the plan may expect, in one line."""
    seen = course.outcomes
    said = f"Ca × P below 55 after a year: {percent(seen['chance_product_below_55'] or 0.0)}"
    halved = seen["chance_deposit_halved"]
    if halved is not None:
        said += f"; half the mass gone within it: {percent(halved)}"
    but = f"; but {course.left_out}" if course.left_out else ""
    return f"{said}{but} (simulated: {course.name})"


def _shown(course: Course, index: int, last_day: float) -> dict[str, Any]:
    last = next((one for one in reversed(course.sessions) if one), None)
    return {
        "name": course.name,
        "swatch": swatch(index),
        "outcomes": course.outcomes,
        "warnings": course.warnings,
        "left_out": course.left_out,
        "ends": None if _lasts(course, last_day) else course.outcomes["horizon_days"],
        "late": any(
            0 < day >= (course.outcomes["horizon_days"] or 0.0) for day, _ in course.changes
        ),
        "begun": course.name[:1].upper() + course.name[1:],
        "session": last
        and {
            "phosphate": f"{last.phosphate_mg_dl[0]:.1f} → {last.phosphate_mg_dl[-1]:.1f}",
            "phosphorus": f"{last.phosphate_removed_mg[-1]:.0f}",
            "calcium": f"{-last.calcium_removed_mg[-1]:+.0f}".replace("-", "−"),
        },
    }
