"""Vocabularies: whether two models' probabilities can be compared, and over which tokens.

They can if every token id means the same text in both models and both split text into tokens in the same way. The
number of logits does not matter: heads are padded for speed (Qwen2.5-Coder has 151 936 or 152 064 logits for 151 665
tokens), and logits beyond the tokenizer's last id belong to no token.
"""

from __future__ import annotations

import filecmp
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import VocabularyMismatch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from cosec.models.loading.load import LoadedModel
    from cosec.models.loading.quantised import GgufModel

_ADDED_TOKEN_ENTRIES = ("content", "single_word", "lstrip", "rstrip", "normalized")
"""Properties of an added token that decide where it is found in a text."""

_REMEDY = "Choose a security model of the target's own family."


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedVocabulary:
    """The tokens that two models share."""

    size: int
    """Number of logits of each model that belong to tokens; the ids 0 to size - 1 mean the same text in both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The tokens of one model."""

    name: str
    """What messages call the model."""

    folder: Path
    """The folder with its ``tokenizer.json``."""

    tokenizer: PreTrainedTokenizerFast
    head_width: int
    """Number of logits, with padding."""


def shared_vocabulary(target: LoadedModel | GgufModel, security: LoadedModel | GgufModel) -> SharedVocabulary:
    """Check that the probabilities of two loaded models can be compared token by token.

    Raises:
        VocabularyMismatch: If they cannot; the message names the first difference.
    """
    return compare(_vocabulary_of(target), _vocabulary_of(security))


def compare(target: Vocabulary, security: Vocabulary) -> SharedVocabulary:
    """Check that the probabilities of two models can be compared token by token; needs no weights.

    Raises:
        VocabularyMismatch: If they cannot; the message names the first difference.
    """
    if not _same_file(target, security):
        token_ids = (target.tokenizer.get_vocab(), security.tokenizer.get_vocab())
        if token_ids[0] != token_ids[1]:
            raise VocabularyMismatch(_first_token_difference(target, security, *token_ids))
        _compare_cutting(target, security)
    size = max(target.tokenizer.get_vocab().values()) + 1
    for model in (target, security):
        if model.head_width < size:
            raise VocabularyMismatch(
                f"{model.name!r} predicts {model.head_width} tokens, but its tokenizer has {size}: "
                "tokenizer and weights do not belong together."
            )
    return SharedVocabulary(size=size)


def _vocabulary_of(loaded: LoadedModel | GgufModel) -> Vocabulary:
    from cosec.models.loading.quantised import GgufModel
    from cosec.models.loading.quick_tokenizer import QuickTokenizer

    if isinstance(loaded, GgufModel):
        tokenizer = loaded.tokenizer
        folder = tokenizer.kept if isinstance(tokenizer, QuickTokenizer) else loaded.path
        return Vocabulary(name=loaded.name, folder=folder, tokenizer=tokenizer, head_width=loaded.head_width)
    head = loaded.model.get_output_embeddings()  # type: ignore[no-untyped-call]
    # A head that was packed for decoding has no ``weight``.
    width = getattr(head, "out_features", loaded.model.config.vocab_size)
    return Vocabulary(name=loaded.name, folder=loaded.path, tokenizer=loaded.tokenizer, head_width=width)


def _same_file(target: Vocabulary, security: Vocabulary) -> bool:
    """Tell quickly whether both tokenizers come from equal files, so that nothing else need be compared."""
    if type(target.tokenizer) is not type(security.tokenizer) or len(target.tokenizer) != len(security.tokenizer):
        return False
    files = [model.folder / "tokenizer.json" for model in (target, security)]
    return all(file.is_file() for file in files) and filecmp.cmp(files[0], files[1], shallow=False)


def _first_token_difference(
    target: Vocabulary, security: Vocabulary, target_ids: Mapping[str, int], security_ids: Mapping[str, int]
) -> str:
    target_tokens, security_tokens = (
        {index: token for token, index in ids.items()} for ids in (target_ids, security_ids)
    )
    different = min(
        (
            index
            for index in target_tokens.keys() | security_tokens.keys()
            if target_tokens.get(index) != security_tokens.get(index)
        ),
        default=None,
    )
    counts = f"({len(target_ids)} and {len(security_ids)} tokens)"
    if different is None:
        # Two tokens share an id, so the vocabularies differ although their inverses agree.
        token = min(target_ids.items() ^ security_ids.items())[0]
        return f"{target.name!r} and {security.name!r} disagree about the token {token!r} {counts}. {_REMEDY}"

    def shown(tokens: Mapping[int, str]) -> str:
        return repr(tokens[different]) if different in tokens else "nothing"

    return (
        f"Token {different} means {shown(target_tokens)} to {target.name!r} and {shown(security_tokens)} to "
        f"{security.name!r} {counts}. {_REMEDY}"
    )


def _compare_cutting(target: Vocabulary, security: Vocabulary) -> None:
    """Compare how two tokenizers with the same tokens split text."""
    written = [model.tokenizer.backend_tokenizer.to_str() for model in (target, security)]
    if written[0] == written[1]:
        return
    ours, theirs = (json.loads(text) for text in written)
    merges = [content["model"].pop("merges", []) for content in (ours, theirs)]
    for content in (ours, theirs):
        content["model"].pop("vocab", None)
    names = f"{target.name!r} and {security.name!r}"
    if merges[0] != merges[1]:
        pairs = zip(*merges, strict=False)
        rank = next((rank for rank, (one, other) in enumerate(pairs) if one != other), min(map(len, merges)))
        shown = [repr(merge[rank]) if rank < len(merge) else "nothing" for merge in merges]
        raise VocabularyMismatch(
            f"{names} have the same tokens but build them differently: merge {rank} is {shown[0]} and {shown[1]}. "
            f"{_REMEDY}"
        )
    added = [_added_tokens(content) for content in (ours, theirs)]
    if added[0] != added[1]:
        index = min(index for index in added[0].keys() | added[1].keys() if added[0].get(index) != added[1].get(index))
        raise VocabularyMismatch(
            f"{names} treat the special token {index} differently: {added[0].get(index)} and {added[1].get(index)}. "
            f"{_REMEDY}"
        )
    for part in ("normalizer", "pre_tokenizer", "model"):
        if ours[part] != theirs[part]:
            raise VocabularyMismatch(
                f"{names} have the same tokens but split text differently: their {part.replace('_', '-')}s are "
                f"{json.dumps(ours[part])} and {json.dumps(theirs[part])}. {_REMEDY}"
            )


def _added_tokens(content: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    return {token["id"]: {entry: token[entry] for entry in _ADDED_TOKEN_ENTRIES} for token in content["added_tokens"]}
