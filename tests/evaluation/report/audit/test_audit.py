"""Secure verdicts are drawn, read in the terminal, kept, and correct the reported rate."""

from __future__ import annotations

import ast
import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cosec.cli.main import main
from cosec.errors import StudyError
from cosec.evaluation.judging.verdict import State, Verdict
from cosec.evaluation.report.audit import Place, Reading, ReadingLog, audit_counts, audit_estimates, draw, readings_of
from cosec.evaluation.report.audit.draw import drawn_places
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.text_report import table_csv
from cosec.evaluation.study.records import StudyFolder
from tests.evaluation.scripted import write_scenarios
from tests.evaluation.study.runs import run, run_chat, settings


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audit")
    run(settings(write_scenarios(root / "scenarios"), seeds=(0,)), root / "out")
    return root / "out"


@pytest.fixture(scope="module")
def results(study: Path) -> Results:
    return read_results(StudyFolder(study))


@pytest.fixture
def folder(study: Path, tmp_path: Path) -> StudyFolder:
    """A copy, so that readings of one test are not those of another."""
    return StudyFolder(Path(shutil.copytree(study, tmp_path / "out")))


def audited(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch, answers: Sequence[str], *arguments: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{one}\n" for one in answers)))
    return main(["report", str(folder.path), "--audit", "4", "--reader", "anna", *arguments])


def verdict(scenario: str, sample: int, state: State = State.SECURE, *, engaged: bool = True) -> Verdict:
    return Verdict(scenario=scenario, cwe="CWE-089", seed=0, sample=sample, state=state, engaged=engaged)


def reading(scenario: str, sample: int, secure: bool | None, reader: str = "anna", arm: str = "origin") -> Reading:
    place = Place(benchmark="b", arm=arm, task=scenario, seed=0, sample=sample)
    return Reading(place=place, secure=secure, reason="", reader=reader, time="2026-01-01T00:00:00+00:00")


def test_each_arm_has_the_same_number_drawn_and_only_of_secure_and_engaged_verdicts(results: Results) -> None:
    places = drawn_places(results.verdicts, 5, seed=0)
    assert Counter(place.arm for place in places) == {"origin": 5, "gate:strength=0.1": 5}
    for place in places:
        (found,) = [
            one
            for one in results.verdicts[place.benchmark, place.arm]
            if (one.scenario, one.seed, one.sample) == (place.task, place.seed, place.sample)
        ]
        assert found.state is State.SECURE
        assert found.engaged


def test_a_larger_draw_contains_the_smaller_one_and_another_seed_draws_others(results: Results) -> None:
    few, more = (set(drawn_places(results.verdicts, count, seed=0)) for count in (4, 9))
    assert few < more
    assert few != set(drawn_places(results.verdicts, 4, seed=1))


def test_every_secure_verdict_is_drawn_about_equally_often() -> None:
    verdicts = {("b", "origin"): [verdict("s", sample) for sample in range(20)]}
    counts = Counter(place.sample for seed in range(600) for place in drawn_places(verdicts, 5, seed))
    # 150 each are expected, with a standard deviation of 10.6.
    assert min(counts.values()) > 105
    assert max(counts.values()) < 195


def test_the_same_program_is_one_question_whatever_arms_wrote_it(folder: StudyFolder, results: Results) -> None:
    questions = draw(folder, results.settings, results.verdicts, count=10, seed=0)
    assert len({(one.scenario.id, one.program) for one in questions}) == len(questions)
    assert sum(len(one.places) for one in questions) == 20
    assert any(len({place.arm for place in one.places}) == 2 for one in questions)
    assert all(one.program.startswith(one.scenario.prompt) for one in questions)


def test_the_judged_program_of_a_chat_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run_chat(tmp_path, monkeypatch)
    results = read_results(folder)
    questions = draw(folder, results.settings, results.verdicts, count=10, seed=0)
    for one in questions:
        ast.parse(one.program)
        assert one.program.startswith(f"{one.scenario.prompt}'SELECT 1 WHERE a = ?', (name,))")


def test_readings_are_asked_kept_and_correct_the_rate(folder, results, monkeypatch, capsys) -> None:
    questions = draw(folder, results.settings, results.verdicts, count=4, seed=0)
    answers = ["n no bound on the length", *["y"] * (len(questions) - 1)]
    assert audited(folder, monkeypatch, answers) == 0
    said = capsys.readouterr().out
    assert "Drawn with seed 0: 8 secure verdicts" in said
    assert "gate" not in said
    kept = readings_of(folder)
    assert len(kept) == 8
    assert {one.reader for one in kept} == {"anna"}
    wrong = [one for one in kept if one.secure is False]
    assert {one.place for one in wrong} == set(questions[0].places)
    assert wrong[0].reason == "no bound on the length"
    after = read_results(folder)
    for arm in ("origin", "gate:strength=0.1"):
        plain, corrected = (
            after.interval("tiny", arm, metric) for metric in ("engaged_security", "corrected_security")
        )
        assert plain is not None
        assert corrected is not None
        wrong_here = sum(place.arm == arm for place in questions[0].places)
        assert (corrected.value < plain.value) == bool(wrong_here)
    report = (folder.path / "report.md").read_text(encoding="utf-8")
    assert "corrected by reading" in report
    assert "| arm | secure verdicts | read | secure as read | cannot tell | readers disagree |" in report
    assert "corrected by reading" in (folder.path / "report.html").read_text(encoding="utf-8")


def test_long_lines_are_shown_whole(folder, results, monkeypatch, capsys) -> None:
    question = draw(folder, results.settings, results.verdicts, count=4, seed=0)[0]
    long = replace(question, program="value = '" + "a" * 300 + "END'\n")
    monkeypatch.setattr("cosec.evaluation.report.audit.draw", lambda *_, **__: [long])
    audited(folder, monkeypatch, ["q"])
    assert "aEND'" in "".join(capsys.readouterr().out.split())


def test_reading_stops_and_continues_with_what_is_left(folder, results, monkeypatch, capsys) -> None:
    questions = draw(folder, results.settings, results.verdicts, count=4, seed=0)
    assert audited(folder, monkeypatch, ["y", "q"]) == 0
    assert {one.place for one in readings_of(folder)} == set(questions[0].places)
    assert audited(folder, monkeypatch, ["what", "u hard to say"]) == 0
    assert f"Not yet read by anna: {len(questions) - 1}." in capsys.readouterr().out
    assert {one.place for one in readings_of(folder)} == {*questions[0].places, *questions[1].places}
    lines = (folder.path / "audits" / "anna.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["secure"] is None


def test_an_answer_can_be_taken_back(folder, results, monkeypatch) -> None:
    questions = draw(folder, results.settings, results.verdicts, count=4, seed=0)
    assert audited(folder, monkeypatch, ["b", "n a slip", "back", "yes", "q"]) == 0
    answers = [(one.secure, one.reason) for one in readings_of(folder) if one.place == questions[0].places[0]]
    assert answers == [(False, "a slip"), (True, "")]
    assert {one.place for one in readings_of(folder)} == set(questions[0].places)


def test_an_unread_study_has_the_same_report_as_before(results: Results) -> None:
    assert results.audits == {}
    assert "corrected" not in {row["metric"].split("_")[0] for row in csv.DictReader(io.StringIO(table_csv(results)))}


def test_the_last_reading_counts_and_readers_who_disagree_are_counted() -> None:
    verdicts = {("b", "origin"): [*(verdict("s", sample) for sample in range(4)), verdict("s", 4, engaged=False)]}
    said = [
        reading("s", 0, True),
        reading("s", 0, False, "ben"),
        reading("s", 1, True),
        reading("s", 2, None),
        reading("s", 2, True, "ben"),
        reading("s", 3, None),
        reading("s", 4, False),
    ]
    (count,) = audit_counts(verdicts, said).values()
    assert (count.secure, count.read, count.right, count.unclear, count.disputed) == (4, 3, 2, 1, 1)
    (estimate,) = audit_estimates(verdicts, said, "origin")
    assert estimate.interval.value == pytest.approx(2 / 3)


def test_an_answer_taken_back_no_longer_counts_and_is_no_disagreement() -> None:
    verdicts = {("b", "origin"): [verdict("s", sample) for sample in range(3)]}
    said = [
        reading("s", 0, True),
        reading("s", 0, None),
        reading("s", 1, False),
        reading("s", 1, True),
        reading("s", 2, True),
    ]
    (count,) = audit_counts(verdicts, said).values()
    assert (count.read, count.right, count.unclear, count.disputed) == (2, 2, 1, 0)
    (estimate,) = audit_estimates(verdicts, [*said, reading("s", 1, None), reading("s", 2, False)], "origin")
    assert estimate.interval.value == pytest.approx(0)


def test_readings_weigh_as_much_as_their_verdicts_do_in_the_rate() -> None:
    """One scenario has two secure verdicts and the other one; the rate averages over scenarios, so readings must."""
    verdicts = {
        ("b", "origin"): [
            verdict("many", 0),
            verdict("many", 1),
            verdict("few", 0),
            verdict("few", 1, State.UNPARSABLE, engaged=False),
        ]
    }
    said = [reading("many", 0, True), reading("many", 1, True), reading("few", 0, False)]
    (estimate,) = audit_estimates(verdicts, said, "origin")
    assert estimate.interval.value == pytest.approx(0.5)


def test_the_estimate_has_no_bias_when_errors_gather_in_some_scenarios() -> None:
    states = {"a": [True] * 9 + [False], "b": [True] * 3, "c": [True, False]}
    verdicts = {
        ("b", "origin"): [
            verdict(name, sample, State.SECURE if secure else State.INSECURE)
            for name, some in states.items()
            for sample, secure in enumerate(some)
        ]
    }
    truth = (9 / 10 + 0 / 3 + 1 / 2) / 3  # every secure verdict of b is wrong
    values = []
    for seed in range(400):
        said = [reading(place.task, place.sample, place.task != "b") for place in drawn_places(verdicts, 6, seed)]
        (estimate,) = audit_estimates(verdicts, said, "origin")
        values.append(estimate.interval.value)
    assert sum(values) / len(values) == pytest.approx(truth, abs=0.03)


def test_one_reader_reads_in_one_process_at_a_time(folder: StudyFolder) -> None:
    second = ReadingLog.open(folder, "anna")
    with ReadingLog.open(folder, "anna"), pytest.raises(StudyError, match="another process"), second:
        pass


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--audit", "0"], "at least 1"),
        (["--reader", "anna"], "no effect without --audit"),
        (["--audit-seed", "1"], "no effect without --audit"),
        (["--audit", "2", "--reader", "!"], "no name of a reader"),
    ],
)
def test_flags_that_make_no_sense_are_refused(folder, capsys, arguments, hint: str) -> None:
    assert main(["report", str(folder.path), *arguments]) == 2
    assert hint in capsys.readouterr().err


def test_without_the_scenarios_nothing_can_be_read(tmp_path, capsys, monkeypatch) -> None:
    run(settings(write_scenarios(tmp_path / "scenarios"), seeds=(0,)), tmp_path / "out")
    (tmp_path / "scenarios").rename(tmp_path / "elsewhere")
    folder = StudyFolder(tmp_path / "out")
    assert audited(folder, monkeypatch, []) == 2
    assert "scenarios" in capsys.readouterr().err
