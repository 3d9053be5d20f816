"""Generations of a study's verdicts: when the checkers change, everything is judged again and nothing is lost.

The manifest lists them: the folder of the records, and the version of the checkers that wrote them. The last counts.
"""

from __future__ import annotations

from typing import Any

from cosec.errors import StudyError
from cosec.evaluation.study.records import Record, StudyFolder

JUDGED = "judged"
FIRST = "verdicts"
UNKNOWN = "not recorded"


def judgements(manifest: Record) -> list[dict[str, str]]:
    """The generations, the oldest first: ``records`` names the folder, ``checkers`` the version."""
    return list(manifest.get(JUDGED) or [{"records": FIRST, "checkers": UNKNOWN}])


def current_verdicts(folder: StudyFolder) -> str:
    """The kind of records that holds the verdicts that count.

    Raises:
        StudyError: If there is no study.
    """
    return judgements(folder.manifest())[-1]["records"]


def first_judgement(version: str) -> dict[str, Any]:
    """What the manifest of a new study says."""
    return {JUDGED: [{"records": FIRST, "checkers": version}]}


def refuse_other_checkers(folder: StudyFolder, version: str) -> None:
    """Check that new verdicts would be by the version that gave those which are there; where none are, it is noted.

    Raises:
        StudyError: If they were given by another version.
    """
    last = judgements(folder.manifest())[-1]
    known = last["checkers"]
    if known == version:
        return
    if any(True for _ in folder.records(last["records"])):
        raise StudyError(
            f"{folder.path} was judged by other checkers ({known}; these are {version}): one study's verdicts must "
            "come from one version. Run `cosec study RECIPE --out FOLDER --rejudge` to judge every recorded completion "
            "again; the verdicts so far are kept."
        )
    folder.change_manifest(
        lambda manifest: {**manifest, JUDGED: [*judgements(manifest)[:-1], {**last, "checkers": version}]}
    )


def judge_again(folder: StudyFolder, version: str) -> None:
    """Begin a generation of verdicts by this version; where the last one is by it, that is continued.

    Raises:
        StudyError: If there is no study, or the manifest cannot be written.
    """

    def with_another(manifest: Record) -> Record:
        known = judgements(manifest)
        if known[-1]["checkers"] != version:
            known.append({"records": f"{FIRST}-{len(known) + 1}", "checkers": version})
        return {**manifest, JUDGED: known}

    folder.change_manifest(with_another)


SANDBOXES = "sandboxes"


def note_sandbox(folder: StudyFolder, name: str) -> None:
    """Record in the manifest that programs of this study run in this sandbox.

    Args:
        folder: The study's folder.
        name: Name of the sandbox's backend; all that were used are kept, the first one first.

    Raises:
        StudyError: If there is no study, or the manifest cannot be written.
    """
    if name not in folder.manifest().get(SANDBOXES, ()):
        folder.change_manifest(
            lambda manifest: {**manifest, SANDBOXES: list(dict.fromkeys([*manifest.get(SANDBOXES, ()), name]))}
        )
