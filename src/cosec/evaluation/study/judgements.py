"""Judgements of a study: generations of its verdicts.

When the judges or the tests of a task change, a new judgement begins: what changed is judged again, and the earlier
verdicts are kept. The manifest lists the judgements, each with the kind of its records and the version that it was made
by. The last one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cosec.errors import StudyError
from cosec.evaluation.study.records import Record, StudyFolder
from cosec.evaluation.study.units import Unit

JUDGED = "judged"
"""Field of the manifest that lists the judgements."""

SANDBOXES = "sandboxes"
"""Field of the manifest that lists the sandboxes in which programs ran."""

_FIRST = "verdicts"
_UNKNOWN = "not recorded"


def judgements_of(manifest: Record) -> list[dict[str, str]]:
    """The judgements of a study, the oldest first.

    Returns:
        For each, ``records`` is the kind of records that holds its verdicts. ``checkers`` is the version that it was
        made by: a `study_version`, or twelve hex digits in studies recorded by earlier releases.
    """
    return list(manifest.get(JUDGED) or [{"records": _FIRST, "checkers": _UNKNOWN}])


def current_verdicts(folder: StudyFolder) -> str:
    """Kind of the records that hold the verdicts of the last judgement.

    Raises:
        StudyError: If the folder holds no study.
    """
    return judgements_of(folder.manifest())[-1]["records"]


def current_version(folder: StudyFolder) -> str:
    """Version that the last judgement was made by.

    Raises:
        StudyError: If the folder holds no study.
    """
    return judgements_of(folder.manifest())[-1]["checkers"]


def earlier_verdicts(folder: StudyFolder) -> tuple[str, ...]:
    """Kinds of the records of all judgements but the last, the latest first.

    Raises:
        StudyError: If the folder holds no study.
    """
    return tuple(one["records"] for one in reversed(judgements_of(folder.manifest())[:-1]))


def first_judgement(version: str) -> dict[str, Any]:
    """Fields of a new study's manifest."""
    return {JUDGED: [{"records": _FIRST, "checkers": version}]}


def refuse_other_version(folder: StudyFolder, version: str) -> None:
    """Check that the last judgement can be continued by this version; write the version down if nothing was judged yet.

    Raises:
        StudyError: If the recorded verdicts are of another version.
    """
    last = judgements_of(folder.manifest())[-1]
    known = last["checkers"]
    if known == version:
        return
    if any(True for _ in folder.records(last["records"])):
        raise StudyError(
            f"{folder.path} was judged by other checkers or tests ({known}; now {version}), and the verdicts of one "
            "study must come from one version. Run the same command with --rejudge to judge again what changed; the "
            "verdicts so far are kept."
        )
    folder.change_manifest(
        lambda manifest: {**manifest, JUDGED: [*judgements_of(manifest)[:-1], {**last, "checkers": version}]}
    )


def judge_again(folder: StudyFolder, version: str) -> None:
    """Begin a judgement of this version, unless the last one is of this version already.

    Raises:
        StudyError: If the folder holds no study, or the manifest cannot be written.
    """

    def with_another(manifest: Record) -> Record:
        known = judgements_of(manifest)
        if known[-1]["checkers"] != version:
            known.append({"records": f"{_FIRST}-{len(known) + 1}", "checkers": version})
        return {**manifest, JUDGED: known}

    folder.change_manifest(with_another)


def note_sandbox(folder: StudyFolder, name: str, units: Sequence[Unit]) -> None:
    """Record in the manifest that programs of this study run in this sandbox, unless all of them have run.

    Args:
        folder: The study's folder.
        name: Name of the sandbox's backend. All that were used are kept, the first one first.
        units: Units of the study.

    Raises:
        StudyError: If there is no study, or the manifest cannot be written.
    """
    verdicts = current_verdicts(folder)
    pending = any(folder.count(verdicts, unit.name) < unit.size for unit in units)
    if pending and name not in folder.manifest().get(SANDBOXES, ()):
        folder.change_manifest(
            lambda manifest: {**manifest, SANDBOXES: list(dict.fromkeys([*manifest.get(SANDBOXES, ()), name]))}
        )
