"""Documents as tokens, packed into examples without running into each other.

An example holds several documents in one row. Each document begins at position 0 and attends only to itself, and its
first token is not predicted from the previous document. The loss of an example therefore equals the loss of its
documents taken separately.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from cosec.errors import DataError
from cosec.training.data.corpus import Document
from cosec.training.data.offsets import beginning, require_offsets, without_beginning


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedExample:
    """Some documents in one row."""

    token_ids: Tensor
    """int64[tokens]."""

    document: Tensor
    """int64[tokens]: index of the document that a token belongs to, starting at 0."""

    response: Tensor
    """bool[tokens]: the token is learned."""

    key: int
    """Index among the examples of its split."""

    origin: str
    """The places its documents were read from."""

    @property
    def predicted(self) -> Tensor:
        """bool[tokens - 1]: the token after this one is learned, and from its own document."""
        return self.response[1:] & (self.document[1:] == self.document[:-1])

    @property
    def position_ids(self) -> Tensor:
        """int64[tokens]: position of each token in its document."""
        places = torch.arange(len(self.document))
        starts = torch.searchsorted(self.document, self.document, right=False)
        return places - starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One document, or a part of a long one, as tokens."""

    token_ids: list[int]
    response: list[bool]
    origin: str


def tokenize(
    documents: Sequence[Document], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int
) -> tuple[list[Piece], int]:
    """Tokenize documents; long source files are cut into pieces, long responses are skipped.

    Args:
        documents: The documents of one split.
        tokenizer: A fast tokenizer. A beginning-of-text token that it adds by itself starts each document, and its
            end-of-text token, which is learned, ends it. If the prompt spells the first, it is not added again.
        max_tokens: Length of the longest piece.

    Returns:
        The pieces, and the number of documents that were skipped because they are longer than ``max_tokens``.

    Raises:
        ModelError: If the tokenizer cannot tell which characters a token covers.
    """
    require_offsets(tokenizer)
    start = beginning(tokenizer)
    end = [tokenizer.eos_token_id] if isinstance(tokenizer.eos_token_id, int) else []
    pieces, too_long = [], 0
    for document in documents:
        prompt = without_beginning(document.prompt, tokenizer, start)
        encoding = tokenizer(
            prompt + document.response, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        token_ids = [*start, *encoding["input_ids"], *end]
        learned = [last > len(prompt) for _, last in encoding["offset_mapping"]]
        response = [*([False] * len(start)), *learned, *([True] * len(end))]
        if len(token_ids) > max_tokens and not document.divisible:
            too_long += 1
            continue
        for first in range(0, len(token_ids), max_tokens):
            piece = slice(first, first + max_tokens)
            if any(response[piece][1:]):
                pieces.append(Piece(token_ids=token_ids[piece], response=response[piece], origin=document.origin))
    return pieces, too_long


def pack(pieces: Sequence[Piece], *, max_tokens: int, seed: int, together: bool = True) -> list[PackedExample]:
    """Shuffle the pieces and fill examples with them, one after the other.

    Args:
        pieces: Each at most ``max_tokens`` long.
        max_tokens: Length of the longest example.
        seed: Seed of the shuffle.
        together: False makes each piece an example of its own.

    Raises:
        DataError: If a piece is too long.
    """
    order = list(pieces)
    random.Random(f"packing/{seed}").shuffle(order)
    rows: list[list[Piece]] = []
    room = 0
    for piece in order:
        if len(piece.token_ids) > max_tokens:
            raise DataError(f"{piece.origin} has {len(piece.token_ids)} tokens, more than {max_tokens}.")
        if not together or len(piece.token_ids) > room:
            rows.append([])
            room = max_tokens
        rows[-1].append(piece)
        room -= len(piece.token_ids)
    return [_example(row, key) for key, row in enumerate(rows)]


def _example(row: Sequence[Piece], key: int) -> PackedExample:
    more = f" and {len(row) - 1} more" if len(row) > 1 else ""
    return PackedExample(
        token_ids=torch.tensor([token for piece in row for token in piece.token_ids], dtype=torch.int64),
        document=torch.tensor([index for index, piece in enumerate(row) for _ in piece.token_ids], dtype=torch.int64),
        response=torch.tensor([learned for piece in row for learned in piece.response], dtype=torch.bool),
        key=key,
        origin=row[0].origin + more,
    )
