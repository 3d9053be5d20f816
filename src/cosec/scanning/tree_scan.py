"""Scan files and folders: results come file by file, in the order of their paths, while other files are judged.

Knows nothing about report formats or exit codes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cosec.checking.finding import CheckReport, EntryPoints, FileChecker, KeepableChecker, Unscored
from cosec.checking.patterns import PATTERNS, Language
from cosec.errors import CheckerError, SandboxError
from cosec.scanning.adoption.exclusion import Exclusion
from cosec.scanning.assignment import Assigned, assign, refuse_unknown
from cosec.scanning.cache import JudgementCache
from cosec.scanning.files import TOO_LARGE, find_files
from cosec.scanning.judgement import FileResult, Judgement, file_result
from cosec.scanning.worker import Job
from cosec.scanning.workers import OneProcess, Processes, Workers

FEW_FILES = 16
"""So many files are judged in one process: another takes longer to start than it saves."""

Step = Callable[[FileResult], FileResult]
"""Changes the result of a file before it is given out: leaves out findings, or adds some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The result of a scan."""

    files: int
    """Number of files that were found."""

    report: CheckReport
    """Paths inside the working folder are relative to it."""

    errors: tuple[str, ...] = ()
    """Missing files, folders without anything to check, and checkers that could not run, a sentence each."""

    other_languages: Mapping[str, int] = field(default_factory=dict)
    """Number of files inside folders in languages that no checker reads."""

    unfinished: int = 0
    """Number of files that were not judged, or not by all checkers, as the scan was stopped."""


@dataclass(slots=True)
class Progress:
    """How far a scan is."""

    files: int
    """Number of files that were found."""

    size: int
    """Their size in bytes."""

    done_files: int = 0
    done_size: int = 0

    checker: str = ""
    """The checker that reads all its files at once and runs now; empty while files are judged one by one."""


class TreeScan:
    """A scan of files and folders that gives out each file's result as soon as it is known.

    Files are found when the object is made; `results` judges them.

    Args:
        paths: Files and folders; hidden folders inside them are left out.
        checkers: Names of `registry.CHECKERS`; empty for the defaults of each language.
        patterns: Look for these ids of `patterns.PATTERNS` only.
        dynamic: Also run C files that have a ``main`` under the sanitizers.
        entry_points: The functions of Python files whose parameters are untrusted.
        jobs: Number of processes that judge files.
        cache: Keeps judgements of unchanged files; None to judge every file.
        exclusion: What is left out inside folders.
        allow_empty: Whether a folder without Python or C is no error.
        steps: Applied in order to the result of each file.
        on_progress: Called with the same object whenever a number in it has changed.

    Raises:
        SettingsError: If a pattern is unknown.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        checkers: Sequence[str] = (),
        patterns: Collection[str] | None = None,
        dynamic: bool = False,
        entry_points: EntryPoints = "declared",
        jobs: int = 1,
        cache: JudgementCache | None = None,
        exclusion: Exclusion | None = None,
        allow_empty: bool = False,
        steps: Sequence[Step] = (),
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        patterns = [patterns] if isinstance(patterns, str) else patterns
        refuse_unknown(patterns or (), PATTERNS, "patterns")
        found = find_files([Path(path) for path in paths], exclusion=exclusion, allow_empty=allow_empty)
        wanted = frozenset(PATTERNS) if patterns is None else frozenset(patterns)
        self._found = found
        self._assignment = assign(
            found.files, checkers=checkers, patterns=wanted, dynamic=dynamic, entry_points=entry_points
        )
        self._entry_points: EntryPoints = entry_points
        self._jobs = jobs if len(found.files) > FEW_FILES else 1
        self._cache = cache
        self._steps = steps
        self._on_progress = on_progress
        self._progress = Progress(files=len(found.files), size=sum(file.size for file in found.files))
        self._readers = [() if file.too_large else self._assignment.readers(file) for file in found.files]
        self._judgements: dict[int, list[Judgement]] = defaultdict(list)
        """By the place of the file."""
        self._entries: dict[int, tuple[Path, Job]] = {}
        """Where judgements that are not there yet will be kept, by the place of the file."""
        self._unread: dict[int, Unscored] = {}
        self._complete: set[int] = set()
        self._given: dict[int, FileResult] = {}
        self._errors = [*found.errors, *self._assignment.errors]

    @property
    def languages(self) -> frozenset[Language]:
        """The languages of the files that were found."""
        return frozenset(file.language for file in self._found.files if file.language is not None)

    def results(self) -> Iterator[FileResult]:
        """Judge the files, and iterate over their results.

        Files that only checkers of single files read come first, in the order of their paths. The others follow when
        the checkers that read all their files at once are done.
        """
        at_once = [one for one in self._assignment.assigned if not one.by_file]
        last = {place for place, readers in enumerate(self._readers) if any(one in at_once for one in readers)}
        first = [place for place in range(len(self._readers)) if place not in last]
        next_one = 0
        for place in self._judge_one_by_one():
            if place not in last:
                self._complete.add(place)
            while next_one < len(first) and first[next_one] in self._complete:
                yield self._give(first[next_one])
                next_one += 1
        for checker in at_once:
            self._run(checker, [place for place in sorted(last) if checker in self._readers[place]])
        self._complete |= last
        for place in sorted(last):
            yield self._give(place)

    def rest(self) -> Iterator[FileResult]:
        """Iterate over what is known of files whose results were not given out, after `results` was left early."""
        for place in sorted(self._judgements.keys() - self._given.keys()):
            yield self._give(place)

    def summary(self) -> Scan:
        """Return all results that were given out."""
        given = [self._given[place] for place in sorted(self._given)]
        findings = sorted(finding for one in given for finding in one.findings)
        unscored = sorted({*self._found.unscored, *(reason for one in given for reason in one.unscored)})
        return Scan(
            files=len(self._found.files),
            report=CheckReport(
                findings=tuple(findings),
                unscored=tuple(unscored),
                partial=tuple(sorted(left for one in given for left in one.partial)),
            ),
            errors=tuple(self._errors),
            other_languages=self._found.other_languages,
            unfinished=len(self._found.files) - len(self._complete & self._given.keys()),
        )

    def _give(self, place: int) -> FileResult:
        file = self._found.files[place]
        unscored = [self._unread[place]] if place in self._unread else list(self._not_assigned(place))
        result = file_result(file, self._judgements[place], unscored=unscored)
        for step in self._steps:
            result = step(result)
        self._given[place] = result
        return result

    def _not_assigned(self, place: int) -> Iterator[Unscored]:
        """Iterate over the reason why no checker reads a file, if that is to be told."""
        file = self._found.files[place]
        if file.language is None:
            yield Unscored(path=file.shown, reason="neither Python nor C by its name (.py, .c, .h)")
        elif file.too_large and file.language in self._assignment.wanted:
            yield Unscored(path=file.shown, reason=TOO_LARGE)
        elif not self._readers[place] and file.language in self._assignment.wanted and not self._assignment.errors:
            yield Unscored(path=file.shown, reason="none of the chosen checkers judges it")

    # Checkers of single files

    def _judge_one_by_one(self) -> Iterator[int]:
        """Judge each file by the checkers of single files, and iterate over the places of the files that are done."""
        workers = self._workers()

        def answered() -> int:
            place, answer = workers.wait()
            self._keep(place, answer.judgements, lasting=answer.lasting)
            return place

        try:
            for place in range(len(self._found.files)):
                job = self._job(place)
                if job is None:
                    yield self._count(place)
                    continue
                while workers.full:
                    yield self._count(answered())
                workers.submit(place, job)
            while workers.busy:
                yield self._count(answered())
        finally:
            workers.close()

    def _workers(self) -> Workers:
        if self._jobs > 1:
            return Processes(self._jobs)
        checkers = [one.checker for one in self._assignment.assigned]
        return OneProcess([one for one in checkers if isinstance(one, FileChecker)])

    def _job(self, place: int) -> Job | None:
        """Return the job of judging a file; None if there is nothing to do, as its judgement is kept."""
        file = self._found.files[place]
        readers = [one for one in self._readers[place] if one.by_file]
        if not readers:
            return None
        try:
            content = file.path.read_bytes()
        except OSError as error:
            self._unread[place] = Unscored(path=str(file.path), reason=f"cannot be read: {error.strerror}")
            self._readers[place] = ()
            return None
        checkers = tuple((one.name, one.patterns_for(file)) for one in readers)
        job = Job(path=str(file.path), content=content, checkers=checkers, entry_points=self._entry_points)
        return None if self._is_kept(place, job) else job

    def _is_kept(self, place: int, job: Job) -> bool:
        """Take the judgements of a job from the cache, and tell whether they were there."""
        if self._cache is None:
            return False
        entry = self._cache.place(job)
        kept = self._cache.get(entry, job)
        if kept is None:
            self._entries[place] = entry, replace(job, content=b"")
            return False
        self._judgements[place] += kept
        return True

    def _keep(self, place: int, judgements: tuple[Judgement, ...], *, lasting: bool) -> None:
        self._judgements[place] += judgements
        entry, job = self._entries.pop(place, (None, None))
        if lasting and entry is not None and job is not None and self._cache is not None:
            self._cache.put(entry, job, judgements)

    def _count(self, place: int) -> int:
        self._progress.done_files += 1
        self._progress.done_size += self._found.files[place].size
        self._on_progress(self._progress)
        return place

    # Checkers that read all their files at once

    def _run(self, checker: Assigned, places: Sequence[int]) -> None:
        self._progress.checker = checker.name
        self._on_progress(self._progress)
        kept = checker.checker if isinstance(checker.checker, KeepableChecker) else None
        if kept is not None and self._cache is not None:
            version = kept.version()
            places = [place for place in places if not self._was_read(checker, place, version)]
        files = {str(self._found.files[place].path): place for place in places}
        if not files:
            return
        try:
            report = checker.checker.check([Path(path) for path in files], patterns=checker.patterns)
        except (CheckerError, SandboxError) as error:
            self._errors.append(f"{checker.name}: {error}")
            return
        reports: dict[int, CheckReport] = dict.fromkeys(places, CheckReport())
        for finding in report.findings:
            place = files[finding.path]
            reports[place] = replace(reports[place], findings=(*reports[place].findings, finding))
        for left in report.unscored:
            place = files[left.path]
            reports[place] = replace(reports[place], unscored=(*reports[place].unscored, left))
        for left in report.partial:
            place = files[left.path]
            reports[place] = replace(reports[place], partial=(*reports[place].partial, left))
        for place, one in reports.items():
            patterns = checker.patterns_for(self._found.files[place])
            judgement = Judgement(checker=checker.name, patterns=patterns, report=one)
            self._keep(place, (judgement,), lasting=kept is not None and kept.lasting(one))

    def _was_read(self, checker: Assigned, place: int, version: str) -> bool:
        """Take the judgement of a checker about a file from the cache, and tell whether it was there."""
        file = self._found.files[place]
        try:
            content = file.path.read_bytes()
        except OSError:
            return False
        checkers = ((checker.name, checker.patterns_for(file)),)
        return self._is_kept(place, Job(path=str(file.path), content=content, checkers=checkers, version=version))


def scan(
    paths: Sequence[str | Path],
    *,
    checkers: Sequence[str] = (),
    patterns: Collection[str] | None = None,
    dynamic: bool = False,
    entry_points: EntryPoints = "declared",
    jobs: int = 1,
) -> Scan:
    """Look for weaknesses in files, and in the Python and C files of folders.

    Args:
        paths: Files and folders; hidden folders inside them are left out.
        checkers: Names of `registry.CHECKERS`; empty for the defaults of each language.
        patterns: Look for these ids of `patterns.PATTERNS` only.
        dynamic: Also run C files that have a ``main`` under the sanitizers.
        entry_points: The functions of Python files whose parameters are untrusted.
        jobs: Number of processes that judge files.

    Returns:
        Findings of all checkers. A file is unscored if no checker judged it by one of the patterns.

    Raises:
        SettingsError: If a pattern is unknown.
    """
    tree = TreeScan(paths, checkers=checkers, patterns=patterns, dynamic=dynamic, entry_points=entry_points, jobs=jobs)
    for _ in tree.results():
        pass
    return tree.summary()
