import io

import pytest
from rich.console import Console

from cosec.cli.views import study_progress
from cosec.cli.views.study_progress import StudyProgress
from cosec.evaluation.study import Step


def step(done: int, tokens: int) -> Step:
    return Step(unit="own/origin/seed-0/000", done=done, total=10, tokens=tokens, seconds=2.0)


@pytest.mark.parametrize(("pace", "told"), [(5, "less than a minute left"), (60, "3 min left")])
def test_a_unit_is_reported_with_its_speed_and_the_time_left(monkeypatch, pace: int, told: str) -> None:
    clock = iter([0, 0, pace])
    monkeypatch.setattr(study_progress.time, "monotonic", lambda: next(clock))
    console = Console(file=io.StringIO(), width=200)
    report = StudyProgress(console)
    report(step(2, 100))
    report(step(4, 100))
    first, second = console.file.getvalue().splitlines()
    assert first == "2 of 10 completions, 50 tokens/s (own/origin/seed-0/000)"
    assert told in second


def test_what_was_only_judged_has_no_speed() -> None:
    console = Console(file=io.StringIO(), width=200)
    StudyProgress(console)(step(10, 0))
    assert console.file.getvalue() == "10 of 10 completions (own/origin/seed-0/000)\n"
