from __future__ import annotations

import pytest

from cosec.decoding.blackbox.text_rule import text_rule


@pytest.mark.parametrize(
    ("own", "strength"),
    [
        ({"strength": 2.0, "security_floor": 0.1}, 1.0),
        ({"security_floor": 0.1}, 1.0),
        ({"strength": 0.5, "security_floor": 0.1}, 0.5),
        ({"strength": 1.5}, 1.5),
    ],
)
def test_a_strength_that_was_chosen_with_a_floor_is_at_most_1_over_text(
    own: dict[str, object], strength: float
) -> None:
    rule = text_rule({"name": "steer", **own}, {}, in_process=True)
    assert rule == {"name": "steer", "strength": strength}


def test_a_given_strength_applies_over_text_as_it_is() -> None:
    own = {"name": "steer", "strength": 2.0, "security_floor": 0.1}
    assert text_rule(own, {"strength": 2.0}, in_process=True)["strength"] == 2.0


def test_steering_is_no_rule_for_a_server_that_gives_text() -> None:
    own = {"name": "steer", "strength": 2.0, "security_floor": 0.1}
    assert text_rule(own, {})["name"] == "gate"
