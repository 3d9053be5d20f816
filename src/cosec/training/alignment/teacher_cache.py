"""The teacher's distributions on disk: one pass of the teacher serves all epochs, students and divergences.

For each predicted token of a run's examples the folder holds the teacher's most likely next tokens (ids in 32 bits,
log-probabilities in float16 or float32) and the log of the mass of all others (float32), in flat files that are mapped
into memory. ``cache.json`` says what they were computed from; other data or another teacher are refused. Completed
examples are marked, so an interrupted pass continues where it stopped.
"""

import errno
import json
import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from cosec.errors import TrainingError
from cosec.files import USUAL, why_unreadable, write_atomically
from cosec.training.alignment.settings import StoredType
from cosec.training.data.packing import PackedExample
from cosec.training.loop.checkpoint import difference_between, writing
from cosec.training.losses.top_tokens import TopTokens

FORMAT = 1
"""Version of the cache files; a cache of another version is not used."""

Part = Literal["training", "validation"]
"""The part of the data that a prediction belongs to."""

Place = tuple[Part, int]
"""Part of an example, and its index there."""

MARK_EVERY = 32
"""Examples whose values are written before they are marked as done."""

REMEDY = "Make room and run the same command again; stored distributions are kept."
"""What to do after a failed write."""


class TeacherCache:
    """The stored distributions for the examples of one run.

    Args:
        folder: Folder of the files; it is created if it does not exist.
        examples: The examples of each part, in the order of the stored distributions.
        made_from: Teacher, data and settings, by names that an error can show; other values are refused.
        top_k: Number of tokens kept at each position.
        stored_type: Type of their log-probabilities.

    Raises:
        TrainingError: If the folder holds the distributions of other data or of another teacher, or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        examples: Mapping[Part, Sequence[PackedExample]],
        made_from: Mapping[str, Any],
        *,
        top_k: int,
        stored_type: StoredType,
    ) -> None:
        self._folder, self._examples = folder, {part: rows for part, rows in examples.items() if rows}
        self._top_k, self._stored_type = top_k, stored_type
        self.made_from = {
            "format": FORMAT,
            **made_from,
            "top_k": top_k,
            "stored_type": stored_type,
            "examples": digest_examples(examples),
        }
        self._starts = {part: _starts(rows) for part, rows in self._examples.items()}
        self._check()
        self._files = {part: self._open(part) for part in self._examples}

    def missing(self) -> list[Place]:
        """The examples without stored distributions."""
        return [
            (part, index)
            for part, files in self._files.items()
            for index in range(len(files["done"]))
            if not files["done"][index]
        ]

    def example(self, place: Place) -> PackedExample:
        """The example at a place that ``missing`` gave."""
        part, index = place
        return self._examples[part][index]

    def fill(
        self,
        places: Sequence[Place],
        distributions: Callable[[PackedExample], TopTokens],
        *,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        """Compute and store what is missing.

        Args:
            places: Places from ``missing``; processes that fill one folder take different ones.
            distributions: The teacher's top tokens at the predicted positions of an example.
            on_done: Called after each example.

        Raises:
            TrainingError: If a distribution is not finite.
        """
        waiting: list[Place] = []
        for part, index in places:
            found = distributions(self._examples[part][index])
            if not (found.log_probs.isfinite().all() and found.tail.isfinite().all()):
                raise TrainingError(f"The teacher's prediction on {self._examples[part][index].origin} is not finite.")
            files, rows = self._files[part], self._rows(part, index)
            files["token_ids"][rows] = found.token_ids.cpu().numpy()
            files["log_probs"][rows] = found.log_probs.cpu().numpy()
            files["tail"][rows] = found.tail.cpu().numpy()
            waiting.append((part, index))
            if len(waiting) == MARK_EVERY:
                self._mark(waiting)
            on_done()
        self._mark(waiting)

    def read(self, part: Part, index: int) -> TopTokens:
        """The distributions at the predicted positions of an example.

        Raises:
            TrainingError: If they have not been computed.
        """
        files, rows = self._files[part], self._rows(part, index)
        if not files["done"][index]:
            raise TrainingError(f"{self._folder} has no distributions for example {index} of {part}; fill it first.")
        return TopTokens(
            token_ids=torch.from_numpy(files["token_ids"][rows].astype(np.int64)),
            log_probs=torch.from_numpy(files["log_probs"][rows].astype(np.float32)),
            tail=torch.from_numpy(np.array(files["tail"][rows])),
        )

    def _mark(self, waiting: list[Place]) -> None:
        """Write the values to disk, then mark them as complete."""
        with writing(self._folder, REMEDY):
            for part, files in self._files.items():
                for name in ("token_ids", "log_probs", "tail"):
                    files[name].flush()
                files["done"][[index for its_part, index in waiting if its_part == part]] = 1
                files["done"].flush()
        waiting.clear()

    def _rows(self, part: Part, index: int) -> slice:
        return slice(int(self._starts[part][index]), int(self._starts[part][index + 1]))

    def _check(self) -> None:
        """Record the inputs of the folder, or compare them with the recorded ones."""
        record = self._folder / "cache.json"
        if record.is_file():
            try:
                found = json.loads(record.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                why = why_unreadable(error)
                raise TrainingError(f"Cannot read {record} ({why}); delete the folder to compute it again.") from error
            difference = difference_between(found, self.made_from)
            if difference:
                raise TrainingError(
                    f"{self._folder} holds the teacher's distributions for another run: {difference}; use another"
                    " --teacher-cache."
                )
        elif self._folder.exists() and any(self._folder.iterdir()):
            raise TrainingError(f"{self._folder} is in use by something else; choose another --teacher-cache.")
        else:
            with writing(record, REMEDY):
                write_atomically(record, json.dumps(self.made_from, indent=2) + "\n", mode=USUAL)

    def _open(self, part: Part) -> dict[str, np.memmap[Any, Any]]:
        """Map the files of one part; new ones are full of zeros, and have their room on the disk from the start."""
        positions, examples = int(self._starts[part][-1]), len(self._examples[part])
        shapes: dict[str, tuple[str, tuple[int, ...]]] = {
            "token_ids": ("uint32", (positions, self._top_k)),
            "log_probs": (self._stored_type, (positions, self._top_k)),
            "tail": ("float32", (positions,)),
            "done": ("uint8", (examples,)),
        }
        return {name: self._map(f"{part}.{name}", kind, shape) for name, (kind, shape) in shapes.items()}

    def _map(self, name: str, kind: str, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        file = self._folder / name
        with writing(file, REMEDY):
            with file.open("ab") as opened:
                # Several processes may do this at once; all want the same length.
                opened.truncate(size)
                _take_room(opened.fileno(), size)
            return np.memmap(file, dtype=kind, mode="r+", shape=shape)


def digest_examples(examples: Mapping[Part, Sequence[PackedExample]]) -> str:
    """One hash over the tokens of all examples, which document they belong to, and which of them are learned."""
    digest = sha256()
    for part, rows in examples.items():
        digest.update(f"{part} {len(rows)}".encode())
        for row in rows:
            digest.update(f"{len(row.token_ids)}".encode())
            for values in (row.token_ids, row.document, row.response):
                digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def _starts(rows: Sequence[PackedExample]) -> NDArray[np.int64]:
    """First position of each example, and behind the last one's end."""
    return np.cumsum([0, *(int(row.predicted.sum()) for row in rows)], dtype=np.int64)


def _take_room(descriptor: int, size: int) -> None:
    """Take a file's room on the disk now, because a full disk kills whoever writes to a mapped file later.

    Raises:
        OSError: If the disk is too full. Where the file system cannot tell, nothing happens.
    """
    if not size or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
