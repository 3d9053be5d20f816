from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cosec.errors import StudyError
from cosec.evaluation.judging.verdict import State, Verdict
from cosec.evaluation.report.figures import figures_of
from cosec.evaluation.report.formatting import percent, unscored_rows
from cosec.evaluation.report.page import page
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import Interval
from cosec.evaluation.report.statistics.metrics import engaged_security_ratio
from cosec.evaluation.report.text_report import markdown, table_csv
from cosec.evaluation.report.write_report import write_report
from cosec.evaluation.study.records import StudyFolder
from tests.evaluation.scripted import write_scenarios
from tests.evaluation.study.runs import run, run_chat, settings

PROBLEM = (
    '{"task_id": "T/%d", "prompt": "def f():\\n    return (1, ", "test": "def check(f):\\n    assert f", '
    '"entry_point": "f"}\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    root = tmp_path_factory.mktemp("report")
    scenarios = write_scenarios(root / "scenarios")
    run(settings(scenarios), root / "out")
    return StudyFolder(root / "out")


@pytest.fixture(scope="module")
def results(folder: StudyFolder) -> Results:
    return read_results(folder)


def test_the_tables_say_what_the_verdicts_say(results: Results) -> None:
    rows = list(csv.DictReader(io.StringIO(table_csv(results))))
    wanted = ("tiny", "origin", "all", "engaged_security")
    (row,) = [one for one in rows if (one["benchmark"], one["arm"], one["cwe"], one["metric"]) == wanted]
    groups: dict[tuple[str, int], list[object]] = {}
    for one in results.verdicts["tiny", "origin"]:
        groups.setdefault((one.scenario, one.seed), []).append(one)
    ratios = [engaged_security_ratio(group) for group in groups.values()]  # type: ignore[arg-type]
    known = [one for one in ratios if one is not None]
    assert len(known) == 6
    assert float(row["value"]) == pytest.approx(sum(known) / 6)
    assert row["difference_value"] == ""
    text = markdown(results)
    assert percent(results.estimate("tiny", "origin", "engaged_security").interval) in text  # type: ignore[union-attr]
    assert "240 of 240 completions judged" in text
    assert "not finished" not in text


def test_a_benchmark_where_nothing_engaged_has_no_pictures(results: Results) -> None:
    assert "tiny-by-weakness" in figures_of(results)
    without = tuple(
        replace(one, interval=replace(one.interval, value=None, low=None, high=None)) for one in results.estimates
    )
    assert figures_of(replace(results, estimates=without)) == {}


def test_the_page_needs_nothing_from_elsewhere_and_shows_findings(folder: StudyFolder) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in write_report(folder)}
    text = written["report.html"]
    assert "http" not in text.replace("http://www.w3.org", "").replace("http://creativecommons", "").replace(
        "http://purl.org", ""
    ).replace("https://matplotlib.org", "")
    assert "<script" not in text
    assert '<span class="finding" title="plus">' in text
    assert '<mark title="differs from the most likely token">SELECT</mark>' in text
    assert text.count("<svg") == 1, "nothing about function was measured"
    assert set(written) == {
        "report.md",
        "report.csv",
        "report.html",
        "tiny-by-weakness.svg",
    }


def test_the_page_shows_the_judged_program_of_a_chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run_chat(tmp_path, monkeypatch)
    for file in (folder.path / "completions").rglob("*.jsonl"):
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        marked = [{**one, "marks": [[one["text"].index("SELECT"), 6]]} for one in records]
        file.write_text("".join(f"{json.dumps(one)}\n" for one in marked), encoding="utf-8")
    text = page(read_results(folder), {})
    select = '<mark title="differs from the most likely token">SELECT</mark>'
    finding = f"    connection.execute(&#x27;{select} 1 WHERE a = &#x27; + name)"
    assert f'<span class="finding" title="plus">{finding}</span>' in text
    assert "Here it is" not in text


def test_writing_the_report_twice_gives_the_same_files(folder: StudyFolder) -> None:
    first = {path.name: path.read_bytes() for path in write_report(folder)}
    assert {path.name: path.read_bytes() for path in write_report(folder)} == first


def test_an_unfinished_study_says_so(tmp_path: Path) -> None:
    run(settings(write_scenarios(tmp_path / "scenarios")), tmp_path / "out")
    next((tmp_path / "out" / "verdicts").rglob("*.jsonl")).unlink()
    results = read_results(StudyFolder(tmp_path / "out"))
    assert "180 of 240 completions judged — **not finished**" in markdown(results)
    assert "180 of 240 completions judged — <strong>not finished</strong>" in page(results, {})


def test_without_the_scenarios_the_numbers_stay_and_the_page_says_why_it_shows_no_samples(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, seeds=(0,)), tmp_path / "out")
    before = read_results(StudyFolder(tmp_path / "out"))
    shutil.rmtree(scenarios)
    after = read_results(StudyFolder(tmp_path / "out"))
    assert after.estimates == before.estimates
    assert "Samples are not shown" not in page(before, {})
    text = page(after, {})
    assert "<h3>Samples</h3>" not in text
    assert f"the prompts could not be read: {scenarios}" in text


def test_problems_are_reported_as_pass_at_k_up_to_the_number_of_samples(tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text("".join(PROBLEM % index for index in range(3)), encoding="utf-8")
    benchmark = {"name": "few", "problems": str(problems), "samples": 5}
    run(settings(tmp_path, benchmarks=(benchmark,), arms=("origin", "cosec-plus"), seeds=(0,)), tmp_path / "out")
    results = read_results(StudyFolder(tmp_path / "out"))
    assert {one.metric for one in results.estimates} == {"pass@1", "pass@5", "accepted"}
    figure = results.estimate("few", "cosec-plus", "pass@1")
    assert figure is not None
    assert figure.difference is not None


def test_the_share_of_proposals_that_stand_is_reported_for_arms_that_draft(folder: StudyFolder) -> None:
    results = read_results(folder, "gate:strength=0.1")
    assert results.estimate("tiny", "origin", "accepted") is None
    shares: dict[str, list[float]] = {}
    for seed in (0, 1):
        sums: dict[str, list[int]] = {}
        for unit, one in folder.records("completions"):
            if unit.startswith(f"tiny/gate;strength=0.1/seed-{seed}/"):
                task = sums.setdefault(one["task"], [0, 0])
                task[0] += one["accepted"]
                task[1] += one["drafted"]
        for name, (accepted, drafted) in sums.items():
            shares.setdefault(name, []).append(accepted / drafted)
    figure = results.estimate("tiny", "gate:strength=0.1", "accepted")
    assert figure is not None
    assert figure.interval.value == pytest.approx(sum(sum(one) / len(one) for one in shares.values()) / len(shares))
    assert figure.interval.units == len(shares) == 3
    assert figure.difference is None
    assert "accepted proposals" in markdown(results)


def test_what_only_one_arm_has_is_not_compared(results: Results) -> None:
    (heading,) = [line for line in markdown(results).splitlines() if line.startswith("| arm | secure of engaged |")][1:]
    assert "accepted proposals" not in heading


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no study"):
        read_results(StudyFolder(tmp_path))


def test_a_study_whose_settings_cannot_be_read_names_the_setting(tmp_path: Path) -> None:
    manifest = {"name": "x", "completions_each": 1, "identity": {"models": {}, "benchmarks": [{"name": "A b"}]}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(StudyError, match=r"benchmarks\.0\.name.*use the release of cosec"):
        read_results(StudyFolder(tmp_path))


def test_a_report_that_cannot_be_written_says_what_to_do(
    folder: StudyFolder, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    before = sorted(folder.path.iterdir())
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(StudyError, match=r"report\.md: Permission denied; make its folder writable"):
        write_report(folder, results)
    assert sorted(folder.path.iterdir()) == before


def test_a_reports_files_have_the_users_usual_permissions(folder: StudyFolder, tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    assert {path.stat().st_mode for path in write_report(folder)} == {usual.stat().st_mode}


@pytest.mark.parametrize(
    ("interval", "shown"),
    [
        (None, "-"),
        (Interval(value=None, low=None, high=None, units=0, undefined=3), "-"),
        (Interval(value=0.5, low=None, high=None, units=1, undefined=0), "50.0"),
        (Interval(value=0.613, low=0.55, high=0.671, units=9, undefined=0), "61.3 [55.0, 67.1]"),
    ],
)
def test_rates_are_shown_with_their_interval(interval: Interval | None, shown: str) -> None:
    assert percent(interval) == shown


def test_unscored_completions_are_counted_for_each_arm_with_the_most_frequent_reasons(results: Results) -> None:
    def unscored(arm: str, counts: dict[str, int]) -> dict[tuple[str, str], tuple[Verdict, ...]]:
        some = [replace(secure, state=State.UNSCORED, reason=reason) for reason, n in counts.items() for _ in range(n)]
        return {("tiny", arm): (*some, secure)}

    secure = next(one for one in results.verdicts["tiny", "origin"] if one.state is State.SECURE)
    changed = replace(
        results,
        verdicts={
            **unscored("origin", {"a": 1}),
            **unscored("gate:strength=0.1", {"a": 1, "b": 9, "c": 3, "d": 2, "e": 1, "f": 1}),
        },
    )
    assert unscored_rows(changed, "tiny") == [
        ["origin", "1 of 2", "1 x a"],
        ["gate:strength=0.1", "17 of 18", "9 x b; 3 x c; 2 x d; 1 x a; 2 x other reasons"],
    ]
    for text in (markdown(changed), page(changed, {})):
        assert "2 x other reasons" in text
    assert "could not be judged" not in markdown(results)
