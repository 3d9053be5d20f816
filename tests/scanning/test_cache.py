"""When kept judgements are used, and that a cache never breaks a scan."""

import os
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cosec.checking.finding import CheckReport, FileChecker, Unscored
from cosec.checking.python import project as projects
from cosec.checking.python.checker import FlowChecker
from cosec.scanning import JudgementCache, Scan, TreeScan, assignment, scan, worker
from cosec.scanning.worker import Job

WEAK = "import os\n\n\ndef run(request):\n    os.system(request.args['a'])\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("one.py", "two.py"):
        (folder / name).write_text(WEAK, encoding="utf-8")
    return folder


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were judged, and not taken from a cache."""
    names: list[str] = []
    judge = worker.judge

    def note(job: Job, checkers: list[FileChecker] | None = None) -> worker.Answer:
        names.append(Path(job.path).name)
        return judge(job, checkers)

    monkeypatch.setattr("cosec.scanning.workers.judge", note)
    return names


def run(project: Path, folder: Path, patterns: list[str] | None = None) -> Scan:
    tree = TreeScan([project], patterns=patterns, cache=JudgementCache(folder))
    list(tree.results())
    return tree.summary()


def test_only_changed_files_are_judged_again(project: Path, tmp_path: Path, judged: list[str]) -> None:
    first = run(project, tmp_path / "cache")
    assert judged == ["one.py", "two.py"]
    assert run(project, tmp_path / "cache") == first
    assert judged == ["one.py", "two.py"]
    (project / "two.py").write_text("x = 1\n", encoding="utf-8")
    assert [one.path for one in run(project, tmp_path / "cache").report.findings] == ["one.py"]
    assert judged == ["one.py", "two.py", "two.py"]


def test_other_patterns_are_other_entries(project: Path, tmp_path: Path, judged: list[str]) -> None:
    run(project, tmp_path / "cache")
    assert run(project, tmp_path / "cache", ["py/sql-injection"]).report.findings == ()
    assert len(judged) == 4


def test_other_code_of_the_checkers_is_another_cache(
    project: Path, tmp_path: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project, tmp_path / "cache")
    monkeypatch.setattr("cosec.scanning.cache.checkers_digest", lambda: "other")
    run(project, tmp_path / "cache")
    assert len(judged) == 4


def test_a_judgement_holds_while_the_other_files_that_it_depends_on_are_the_same(
    project: Path, tmp_path: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        FlowChecker,
        "check_content",
        lambda _, path, *__, **___: CheckReport(also_read=(str(path.parent / "helper.txt"),)),
    )
    for text, count in ((None, 2), (None, 2), ("one", 4), ("one", 4), ("two", 6)):
        if text is not None:
            (project / "helper.txt").write_text(text, encoding="utf-8")
        run(project, tmp_path / "cache")
        assert len(judged) == count


def test_the_same_file_in_a_package_of_tests_is_another_entry(tmp_path: Path) -> None:
    weak = "import os\n\n\ndef share(path):\n    os.chmod(path, 0o777)\n"
    for name in ("tests", "web"):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text("", encoding="utf-8")
        (package / "helpers.py").write_text(weak, encoding="utf-8")
    found = [len(run(tmp_path / name, tmp_path / "cache").report.findings) for name in ("tests", "web")]
    assert found == [len(scan([tmp_path / name]).report.findings) for name in ("tests", "web")]
    assert found[0] != found[1]


def test_the_mark_of_a_project_makes_another_entry(tmp_path: Path, judged: list[str]) -> None:
    (tmp_path / "shop" / "web").mkdir(parents=True)
    (tmp_path / "shop" / "web" / "one.py").write_text("x = 1\n", encoding="utf-8")
    run(tmp_path / "shop" / "web", tmp_path / "cache")
    projects._project.cache_clear()
    (tmp_path / "shop" / ".git").mkdir()
    run(tmp_path / "shop" / "web", tmp_path / "cache")
    assert judged == ["one.py", "one.py"]


def test_a_damaged_entry_is_judged_again(project: Path, tmp_path: Path, judged: list[str]) -> None:
    first = run(project, tmp_path / "cache")
    damaged = ["{", '{"flow": []}']
    for entry, text in zip(sorted((tmp_path / "cache").rglob("*.json")), damaged, strict=True):
        entry.write_text(text, encoding="utf-8")
    assert run(project, tmp_path / "cache") == first
    assert len(judged) == 4
    run(project, tmp_path / "cache")
    assert len(judged) == 4


def test_a_folder_that_cannot_be_written_changes_nothing(project: Path, tmp_path: Path, judged: list[str]) -> None:
    (tmp_path / "cache").write_text("no folder", encoding="utf-8")
    assert len(run(project, tmp_path / "cache").report.findings) == 2
    assert len(run(project, tmp_path / "cache").report.findings) == 2
    assert len(judged) == 4


def test_two_scans_share_a_folder(project: Path, tmp_path: Path) -> None:
    for number in range(20):
        (project / f"part{number}.py").write_text(WEAK.replace("'a'", f"'{number}'"), encoding="utf-8")
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: run(project, tmp_path / "cache"), range(2))
    assert first == second
    assert len(first.report.findings) == 22
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".json"}
    assert len(kept) == 22


def test_entries_of_other_checkers_are_deleted_after_a_month_without_use(project: Path, tmp_path: Path) -> None:
    old, recent = tmp_path / "cache" / "check" / "old", tmp_path / "cache" / "check" / "recent"
    for folder, days in ((old, 31), (recent, 29)):
        folder.mkdir(parents=True)
        (folder / "entry.json").write_text("{}", encoding="utf-8")
        used = time.time() - days * 86400
        os.utime(folder, (used, used))
    run(project, tmp_path / "cache")
    assert not old.exists()
    assert recent.exists()


def test_what_a_time_limit_cut_short_is_not_kept(
    project: Path, tmp_path: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FILE_SECONDS", 1e-3)
    monkeypatch.setattr(FlowChecker, "check_content", _endless)
    scanned = run(project, tmp_path / "cache")
    assert [one.reason for one in scanned.report.unscored] == [worker.CUT_SHORT] * 2
    assert list((tmp_path / "cache").rglob("*.json")) == []


def _endless(self: FlowChecker, path: Path, content: bytes, *, patterns: object) -> None:
    while True:
        pass


class Outside:
    """A checker that gets all files at once, as semgrep does; it gives up on files named slow."""

    name = "semgrep"
    patterns = FlowChecker.patterns

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.installed = "1"

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        self.calls.append([path.name for path in paths])
        slow = (str(path) for path in paths if path.stem == "slow")
        return CheckReport(unscored=tuple(Unscored(path=path, reason="took too long") for path in slow))

    def version(self) -> str:
        return self.installed

    def lasting(self, report: CheckReport) -> bool:
        return report.unscored == ()


def test_a_checker_of_many_files_gets_those_whose_judgement_is_not_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "slow.py").write_text(WEAK, encoding="utf-8")
    outside = Outside()
    monkeypatch.setattr(assignment, "make_checker", lambda *_, **__: outside)
    for _ in range(2):
        tree = TreeScan([project], checkers=["semgrep"], cache=JudgementCache(tmp_path / "cache"))
        list(tree.results())
        assert [one.path for one in tree.summary().report.unscored] == ["slow.py"]
    outside.installed = "2"
    list(TreeScan([project], checkers=["semgrep"], cache=JudgementCache(tmp_path / "cache")).results())
    assert outside.calls == [["one.py", "slow.py", "two.py"], ["slow.py"], ["one.py", "slow.py", "two.py"]]
