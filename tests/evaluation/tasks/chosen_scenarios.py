"""Which scenarios have their references run by default: running all takes minutes, and only new data changes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cosec.evaluation.tasks.scenarios import Scenario


def one_of_each_weakness(scenarios: Sequence[Scenario]) -> list[Any]:
    """The scenarios as parameters of a test, marked ``slow`` but for the first of each weakness."""
    first = {one.cwe: one.id for one in reversed(scenarios)}
    return [
        pytest.param(one, id=one.id.removeprefix("own/"), marks=() if first[one.cwe] == one.id else pytest.mark.slow)
        for one in scenarios
    ]
