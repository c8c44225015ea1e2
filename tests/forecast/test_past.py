"""What was before today: operations in the history, and results drawn around them."""

import pytest

from calcinosis.forecast.outlook import forecast
from calcinosis.forecast.scenario import parse_scenario

CUT = {"parathyroidectomy": {"remnant_fraction": 0.05}}


def calcium_today(history=(), **first):
    content = {"patient": {"history": list(history)}, "phases": [{"days": 1, **first}]}
    return forecast(parse_scenario(content), ensemble=2).courses[0].central["calcium_mg_dl"][0]


def test_an_operation_that_begins_the_history_is_as_recent_as_it_says():
    """Two weeks after it bone is hungry; whoever was operated on long ago has settled."""
    recent = {"days": 14, "event": CUT}
    begins, follows = calcium_today([recent]), calcium_today([{"days": 700}, recent])
    assert begins == pytest.approx(follows, rel=0.01)
    assert begins < calcium_today([{"days": 3000, "event": CUT}]) - 0.5


def test_care_that_is_named_begins_with_the_operation_as_care_that_is_not():
    assert calcium_today(event=CUT, postoperative_care="usual") == calcium_today(event=CUT)
