"""What an earlier scan tells the forecast of today's masses."""

from calcinosis.follow.follow_up import FollowUp
from calcinosis.forecast.patient_forecast import MeasuredBefore


def measured_before(follow: FollowUp) -> MeasuredBefore | None:
    """The calcium then as a share of today's, by the masses that both scans show.

    Masses that cannot be compared are taken to have changed as the others did. None where the days
    between are not known or none, and where the masses that can be compared came or went whole.
    """
    calcium = follow.calcium
    if not follow.days or calcium is None or not (calcium.earlier > 0 and calcium.later > 0):
        return None
    today = follow.later.study.subject.study_date
    return MeasuredBefore(follow.days, calcium.earlier / calcium.later, today)
