"""Two models are compared only where every token means the same in both."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from cosec.errors import VocabularyMismatch
from cosec.models.loading.load import load_model
from cosec.models.vocabulary import SharedVocabulary, Vocabulary, compare, shared_vocabulary
from tests.tiny import VOCABULARY_SIZE, save_tiny, tiny_tokenizer

Content = dict[str, Any]


def vocabulary(
    name: str, folder: Path, change: Callable[[Content], object] | None = None, width: int = 320
) -> Vocabulary:
    """Write the tiny tokenizer, changed in its JSON, and read it back."""
    from tokenizers import Tokenizer

    content = json.loads(tiny_tokenizer("qwen2").backend_tokenizer.to_str())
    if change is not None:
        change(content)
    text = json.dumps(content)
    (folder / name).mkdir()
    (folder / name / "tokenizer.json").write_text(text)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(text))
    return Vocabulary(name=name, folder=folder / name, tokenizer=tokenizer, head_width=width)


def test_padded_heads_are_cut_to_the_tokens_that_both_know(tmp_path: Path) -> None:
    target = vocabulary("target", tmp_path, width=384)
    security = vocabulary("security", tmp_path, width=336)
    assert compare(target, security) == SharedVocabulary(size=VOCABULARY_SIZE)


def test_loaded_models_with_heads_of_different_width_share_their_tokens(tmp_path: Path) -> None:
    wide = load_model(str(save_tiny("qwen2", tmp_path / "wide", head_width=384)))
    narrow = load_model(str(save_tiny("qwen2", tmp_path / "narrow", head_width=336)))
    assert shared_vocabulary(wide, narrow).size == VOCABULARY_SIZE


def test_the_same_tokenizer_written_differently_agrees(tmp_path: Path) -> None:
    target, security = vocabulary("target", tmp_path), vocabulary("security", tmp_path)
    file = security.folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()), indent=1))
    assert compare(target, security).size == VOCABULARY_SIZE


def swap_two_tokens(content: Content) -> None:
    token_ids = content["model"]["vocab"]
    at = {index: token for token, index in token_ids.items()}
    token_ids[at[300]], token_ids[at[301]] = 301, 300


def drop_last_token(content: Content) -> None:
    content["model"]["vocab"].popitem()
    content["model"]["merges"].pop()


def swap_two_merges(content: Content) -> None:
    merges = content["model"]["merges"]
    merges[2], merges[3] = merges[3], merges[2]


def strip_around_special_token(content: Content) -> None:
    content["added_tokens"][1]["lstrip"] = True


def split_digits(content: Content) -> None:
    first = {"type": "Digits", "individual_digits": True}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [first, content["pre_tokenizer"]]}


def normalize(content: Content) -> None:
    content["normalizer"] = {"type": "NFKC"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap_two_tokens, r"Token 300 means '.+' to 'target' and '.+' to 'security' \(320 and 320 tokens\)"),
        (drop_last_token, r"Token 319 means '.+' to 'target' and nothing to 'security' \(320 and 319 tokens\)"),
        (swap_two_merges, r"merge 2 is"),
        (strip_around_special_token, r"special token 1 differently.*im_start"),
        (split_digits, r"pre-tokenizers are .*Digits"),
        (normalize, r"normalizers are null and .*NFKC"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_first_difference_is_named(change: Callable[[Content], object], message: str, tmp_path: Path) -> None:
    with pytest.raises(VocabularyMismatch, match=message) as raised:
        compare(vocabulary("target", tmp_path), vocabulary("security", tmp_path, change))
    assert "family" in str(raised.value), "the message ends with a remedy"


def test_models_of_different_families_are_refused(tmp_path: Path) -> None:
    target = load_model(str(save_tiny("llama", tmp_path / "llama")))
    security = load_model(str(save_tiny("qwen2", tmp_path / "qwen2")))
    with pytest.raises(VocabularyMismatch, match=r"Token 1 means '.*fim.*' to .* and '<\|im_start\|>' to"):
        shared_vocabulary(target, security)


def test_a_head_narrower_than_its_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VocabularyMismatch, match="'security' predicts 300 tokens, but its tokenizer has 320"):
        compare(vocabulary("target", tmp_path), vocabulary("security", tmp_path, width=300))
