"""Texts to train on: instructions with responses, prompts with completions, MBPP tasks and plain source files.

A document is a prompt, which is masked in the loss, and a response, which is learned. A source file is all response.
MBPP's test part is never used. This module does not know about tokens or models.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cosec.errors import DataError
from cosec.files import why_unreadable
from cosec.training.data.jsonl import add_to_digest, draw, is_jsonl, parse_object, read_lines
from cosec.training.data.overlap import ProtectedTexts

SOURCE_SUFFIXES = frozenset({".py", ".c", ".h", ".cc", ".cpp", ".hpp", ".js", ".ts", ".java", ".go", ".rs"})
"""Files that are read from a folder, at any depth."""

INSTALLED = "package:"
"""Prefix of a path that names a package or module of the running Python, as in ``package:json``."""

INSTRUCTION_FIELDS = (
    ("instruction", "output"),  # evol-codealpaca, Alpaca (which may add an input)
    ("instruction", "response"),  # Magicoder-Evol-Instruct
    ("problem", "solution"),  # Magicoder-OSS-Instruct
)
"""Names of the instruction and the response in the supported data sets."""

MBPP_TRAINING, MBPP_VALIDATION = range(601, 975), range(511, 601)
"""Task ids of MBPP's training and validation parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text to learn from."""

    origin: str
    """The place it was read from, such as ``evol.jsonl:12`` or ``pkg/module.py``."""

    prompt: str
    """Text that is read and not learned; may be empty."""

    response: str
    """Text that is learned."""

    divisible: bool
    """Whether it may be cut into pieces when it is too long. Source files may; responses may not."""

    part: str | None = None
    """``training`` or ``validation`` if the data set has its own split, else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Everything read for one alignment run."""

    training: tuple[Document, ...]
    validation: tuple[Document, ...]
    skipped: Mapping[str, int]
    """Number of skipped documents by reason."""

    overlapping: tuple[str, ...]
    """Origins of the documents that were skipped because they share text with an evaluation set."""

    split_by_prompt: bool
    """Whether prompts decided which documents are set aside."""

    sha256: str
    """Hash over the names and contents of the files, in order; it does not depend on where the files are."""


def load_corpus(
    paths: Sequence[Path], *, validation_share: float, seed: int, protected: ProtectedTexts | None = None
) -> Corpus:
    """Read documents from JSONL files and folders of sources, and split them.

    Args:
        paths: JSONL files of instructions or of MBPP, source files, folders of sources, and ``package:NAME`` for the
            sources of an installed Python package.
        validation_share: Share of the documents to set aside, for data without a split. They are chosen by a hash of
            their prompt, so that all answers to one prompt are in the same part, or of their text if they have none.
        seed: Seed of that choice.
        protected: Documents that share a run of words with these texts are skipped; None switches the check off.

    Raises:
        DataError: If a path is missing or malformed, or nothing is left to train on.
    """
    digest = hashlib.sha256()
    skipped: Counter[str] = Counter()
    read = [document for path in paths for document in _read(path, digest, skipped)]
    seen: set[str] = set()
    parts: dict[str, list[Document]] = {"training": [], "validation": []}
    overlapping = []
    for document in read:
        text = document.prompt + document.response
        if not document.response.strip():
            skipped["empty"] += 1
        elif text in seen:
            skipped["duplicate"] += 1
        elif protected is not None and protected.found_in(text):
            skipped["overlaps an evaluation set"] += 1
            overlapping.append(document.origin)
        else:
            drawn = "validation" if draw(document.prompt or text, seed) < validation_share else "training"
            parts[document.part or drawn].append(document)
        seen.add(text)
    if not parts["training"] and parts["validation"]:
        count = len(parts["validation"])
        raise DataError(
            f"No documents to train on in {', '.join(map(str, paths))}: all {count} are set aside for validation. Give "
            "more documents, another --seed, or --validation-share 0."
        )
    if not parts["training"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in skipped.items()) or "there are none"
        raise DataError(f"No documents to train on in {', '.join(map(str, paths))}: {reasons}.")
    return Corpus(
        training=tuple(parts["training"]),
        validation=tuple(parts["validation"]),
        skipped=dict(skipped),
        overlapping=tuple(overlapping),
        split_by_prompt=any(document.prompt and document.part is None for document in read),
        sha256=digest.hexdigest(),
    )


def _read(path: Path, digest: "hashlib._Hash", skipped: Counter[str]) -> list[Document]:
    if str(path).startswith(INSTALLED):
        path = _installed(str(path).removeprefix(INSTALLED))
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in SOURCE_SUFFIXES and file.is_file())
        if not files:
            raise DataError(f"{path} holds no source files ({', '.join(sorted(SOURCE_SUFFIXES))}).")
        return [document for file in files for document in _read_source(file, path.parent, digest, skipped)]
    if path.suffix in SOURCE_SUFFIXES and path.is_file():
        return _read_source(path, path.parent, digest, skipped)
    if is_jsonl(path):
        return _read_jsonl(path, digest, skipped)
    raise DataError(
        f"No training data at {path}: give a .jsonl or .jsonl.gz file, a source file or a folder of sources."
    )


def _installed(name: str) -> Path:
    """The folder of an installed package or the file of an installed module, found without importing it."""
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.origin or Path(spec.origin).suffix != ".py":
        raise DataError(f"{INSTALLED}{name}: this Python has no package or module of that name with Python sources.")
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def _read_source(file: Path, root: Path, digest: "hashlib._Hash", skipped: Counter[str]) -> list[Document]:
    """One file as a document, or nothing if it is not text."""
    origin = file.relative_to(root).as_posix()
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        skipped["not UTF-8 text"] += 1
        return []
    except OSError as error:
        raise DataError(f"Cannot read {file}: {why_unreadable(error)}.") from error
    add_to_digest(digest, origin, content)
    return [Document(origin=origin, prompt="", response=text, divisible=True)]


def _read_jsonl(file: Path, digest: "hashlib._Hash", skipped: Counter[str]) -> list[Document]:
    content, lines = read_lines(file)
    add_to_digest(digest, file.name, content)
    documents = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and (document := _parse(line, f"{file.name}:{number}", skipped)) is not None:
            documents.append(document)
    return documents


def _parse(line: str, origin: str, skipped: Counter[str]) -> Document | None:
    """Turn one line into a document; None for MBPP's test part."""
    record = parse_object(line, origin)
    if {"task_id", "text", "code"} <= record.keys():
        return _mbpp(record, origin, skipped)
    for asked, answered in INSTRUCTION_FIELDS:
        if isinstance(record.get(asked), str) and isinstance(record.get(answered), str):
            given = record.get("input") or ""
            question = f"{record[asked].strip()}\n\n{given}".strip()
            prompt = f"### Instruction:\n{question}\n\n### Response:\n"
            return Document(origin=origin, prompt=prompt, response=record[answered], divisible=False)
    if isinstance(record.get("prompt"), str) and isinstance(record.get("completion"), str):
        return Document(origin=origin, prompt=record["prompt"], response=record["completion"], divisible=False)
    known = (*INSTRUCTION_FIELDS, ("prompt", "completion"), ("task_id", "text", "code"))
    names = ", or ".join(" + ".join(fields) for fields in known)
    raise DataError(f"{origin} needs the text fields {names}; it has {', '.join(sorted(record)) or 'no fields'}.")


def _mbpp(record: Mapping[str, Any], origin: str, skipped: Counter[str]) -> Document | None:
    """The task and its tests in a docstring, then the solution."""
    task = record["task_id"]
    if task not in MBPP_TRAINING and task not in MBPP_VALIDATION:
        skipped["MBPP's test part or few-shot prompts"] += 1
        return None
    try:
        tests = "\n".join(record.get("test_list") or ())
        text, code = record["text"].strip(), record["code"].replace("\r\n", "\n")
    except (TypeError, AttributeError) as error:
        raise DataError(f"{origin} is not an MBPP task: {error}.") from error
    return Document(
        origin=origin,
        prompt=f'"""\n{text}\n{tests}\n"""\n',
        response=f"{code}\n",
        divisible=False,
        part="training" if task in MBPP_TRAINING else "validation",
    )
