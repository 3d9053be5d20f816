"""Pairs of a vulnerable function and its fix, read from files in SVEN's JSONL layout.

One JSON object a line: ``func_src_before``, ``func_src_after``, ``vul_type``, ``file_name``, ``func_name``,
``commit_link`` and, optionally, ``char_changes``. Changed spans are computed for pairs that do not have them.
An ``instruction`` makes both sides answers to a task in words. Other fields, such as ``proof``, are not read.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from cosec.errors import DataError
from cosec.training.data.changed_spans import ChangedSpan, changed_spans, cuts_of_deletions
from cosec.training.data.jsonl import add_to_digest, draw, jsonl_files, parse_object, read_lines

LANGUAGES = {
    "py": "python",
    **dict.fromkeys(("c", "h", "cc", "cpp", "cxx", "c++", "hh", "hpp", "hxx", "inl"), "c/c++"),
    "js": "javascript",
    "ts": "typescript",
    "java": "java",
    "go": "go",
    "rb": "ruby",
    "php": "php",
    "rs": "rust",
}
"""File extension (lower case) to language; C and C++ are one, as in SVEN. Any other extension stands for itself."""

_REQUIRED = ("func_src_before", "func_src_after", "vul_type", "file_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPair:
    """One vulnerable function and its fix."""

    origin: str
    """The place it was read from, such as ``cwe-089.jsonl:12``; names the pair in messages."""

    function_name: str
    cwe: str
    """The weakness in lower case, such as ``cwe-089``."""

    language: str
    commit: str
    """Pairs of one group are never split between training and validation: the commit, or the origin without one."""

    before: str
    after: str
    spans: tuple[ChangedSpan, ...]
    """Changed spans of ``after``: the added ones, or cuts if the fix only deletes."""

    instruction: str = ""
    """The task in words that both sides answer; empty for a pair that is trained on as plain code."""

    @property
    def pair(self) -> "SecurityPair":
        """The pair itself, so that pairs can be counted and balanced like the examples made from them."""
        return self

    def reversed(self) -> "SecurityPair":
        """The pair with the vulnerable function as the one to learn."""
        return replace(self, before=self.after, after=self.before, spans=changed_spans(self.after, self.before))

    @property
    def removed_spans(self) -> tuple[ChangedSpan, ...]:
        """The spans of ``before`` that the fix took away; nothing when it only adds."""
        return tuple(span for span in changed_spans(self.after, self.before) if span[0] < span[1])

    @property
    def parting_spans(self) -> tuple[ChangedSpan, ...]:
        """The first character of ``before`` that differs from ``after``; nothing if ``before`` begins ``after``."""
        letters = enumerate(zip(self.before, self.after, strict=False))
        start = next((index for index, (before, after) in letters if before != after), len(self.after))
        return ((start, start + 1),) if start < len(self.before) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSet:
    """Everything read for one training run."""

    training: tuple[SecurityPair, ...]
    validation: tuple[SecurityPair, ...]
    skipped_equal: int
    """Pairs left out because both sides are the same text."""

    skipped_shared_commit: int
    """Validation pairs left out because training holds a pair of the same commit."""

    sha256: str
    """Hash over the names and contents of the files, in order; it does not depend on where the files are."""


def shipped_pairs() -> Path:
    """The folder of the pairs that come with the package."""
    return Path(str(files("cosec"))) / "data" / "pairs"


def load_pairs(paths: Sequence[Path], *, validation_share: float, seed: int) -> PairSet:
    """Read pairs from files and folders and split them commit by commit.

    A folder with ``train/`` (and perhaps ``val/``) keeps its own split, less the validation pairs that share a commit
    with training. If there are no validation pairs, a share of the commits is set aside.

    Args:
        paths: JSONL files, perhaps compressed with gzip, folders of them, or folders with ``train/`` and ``val/``.
        validation_share: Share of the commits to set aside if the data have no validation part.
        seed: Seed of that choice.

    Raises:
        DataError: If a path is missing, a line is malformed or no training pair is left.
    """
    training_files, validation_files = _find_files(paths)
    digest = hashlib.sha256()
    training_read = [pair for file in training_files for pair in _read_file(file, digest)]
    validation_read = [pair for file in validation_files for pair in _read_file(file, digest)]
    training = [pair for pair in training_read if pair.before != pair.after]
    validation = [pair for pair in validation_read if pair.before != pair.after]
    skipped_equal = len(training_read) + len(validation_read) - len(training) - len(validation)
    shared = 0
    if validation_files:
        commits = {pair.commit for pair in training if pair.commit != pair.origin}  # without a commit it is the line
        unseen = [pair for pair in validation if pair.commit not in commits]
        shared, validation = len(validation) - len(unseen), unseen
    else:
        training, validation = split_by_commit(training, share=validation_share, seed=seed)
    if not training and validation:
        raise DataError(
            f"No training pairs are left in {', '.join(map(str, paths))}: all {len(validation)} are set aside for "
            "validation. Give more pairs, another --seed, or --validation-share 0."
        )
    if not training:
        raise DataError(
            f"No usable training pairs in {', '.join(map(str, paths))}: there are none, or both sides are always equal."
        )
    return PairSet(
        training=tuple(training),
        validation=tuple(validation),
        skipped_equal=skipped_equal,
        skipped_shared_commit=shared,
        sha256=digest.hexdigest(),
    )


def split_by_commit(
    pairs: Iterable[SecurityPair], *, share: float, seed: int
) -> tuple[list[SecurityPair], list[SecurityPair]]:
    """Set aside about ``share`` of the commits, independently of the order of the pairs.

    Args:
        pairs: All pairs of a commit go to the same side.
        share: Between 0 and 1.
        seed: Decides which commits.

    Returns:
        The training pairs and the validation pairs.
    """
    training: list[SecurityPair] = []
    validation: list[SecurityPair] = []
    for pair in pairs:
        (validation if draw(pair.commit, seed) < share else training).append(pair)
    return training, validation


def _find_files(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """List the training and the validation files behind ``paths``, sorted inside each folder."""
    training: list[Path] = []
    validation: list[Path] = []
    for path in paths:
        if path.is_file():
            training.append(path)
        elif (path / "train").is_dir():
            training += jsonl_files(path / "train")
            validation += jsonl_files(path / "val")
        elif path.is_dir() and (found := jsonl_files(path)):
            training += found
        else:
            raise DataError(
                f"No pairs at {path}: give a .jsonl or .jsonl.gz file, a folder of them, or one with train/ and val/."
            )
    return training, validation


def _read_file(file: Path, digest: "hashlib._Hash") -> list[SecurityPair]:
    """Read one JSONL file and add its name and contents to ``digest``."""
    content, lines = read_lines(file)
    add_to_digest(digest, f"{file.parent.name}/{file.name}", content)
    return [_parse(line, f"{file.name}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _parse(line: str, origin: str) -> SecurityPair:
    """Turn one line into a pair."""
    record = parse_object(line, origin)
    missing = [key for key in _REQUIRED if not isinstance(record.get(key), str)]
    if missing:
        raise DataError(f"{origin} lacks {', '.join(missing)} as text; a pair needs {', '.join(_REQUIRED)}.")
    before, after = record["func_src_before"], record["func_src_after"]
    extension = record["file_name"].rsplit(".", 1)[-1].lower()
    return SecurityPair(
        origin=origin,
        function_name=str(record.get("func_name") or ""),
        cwe=record["vul_type"].lower(),
        language=LANGUAGES.get(extension, extension),
        commit=str(record.get("commit_link") or origin),
        before=before,
        after=after,
        spans=_given_spans(record, before, after, origin) or changed_spans(before, after),
        instruction=str(record.get("instruction") or ""),
    )


def _given_spans(record: dict[str, Any], before: str, after: str, origin: str) -> tuple[ChangedSpan, ...]:
    """The spans given in the record, or an empty tuple."""
    changes = record.get("char_changes")
    if not changes:
        return ()
    try:
        added = tuple((int(change["char_start"]), int(change["char_end"])) for change in changes.get("added", ()))
        deleted = tuple((int(change["char_start"]), int(change["char_end"])) for change in changes.get("deleted", ()))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{origin}: char_changes needs lists of char_start and char_end ({error!r}).") from error
    if any(not 0 <= start <= end <= len(after) for start, end in added):
        raise DataError(
            f"{origin}: a changed span lies outside the fixed function; leave char_changes out to have it computed."
        )
    return added or cuts_of_deletions(before, after, deleted)
