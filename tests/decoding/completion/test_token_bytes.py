"""The bytes of tokens, in each way that tokenizers spell them."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from cosec.decoding.completion.token_bytes import TokenBytes
from tests.decoding.completion.test_text import BYTES, CODE
from tests.tiny import tiny_tokenizer


@pytest.mark.parametrize("tokenizer", [BYTES, tiny_tokenizer("qwen2")], ids=["bytes", "merged"])
def test_the_bytes_of_all_tokens_spell_the_text(tokenizer: PreTrainedTokenizerFast) -> None:
    known = TokenBytes(tokenizer)
    assert b"".join(map(known.of, tokenizer(CODE).input_ids)).decode() == CODE


def test_a_special_token_has_a_name_but_adds_nothing() -> None:
    tokenizer = tiny_tokenizer("qwen2")
    known, token = TokenBytes(tokenizer), tokenizer.convert_tokens_to_ids("<|endoftext|>")
    assert (known.is_special(token), known.spelling(token), known.of(token)) == (True, b"<|endoftext|>", b"")
    assert known.spelling(10**6) == b""


def test_tokens_of_one_byte_and_spelled_spaces_are_read() -> None:
    vocabulary = {"<unk>": 0, "<0xC3>": 1, "<0xA9>": 2, "\u2581def": 3, "x": 4}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>"))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken("<s>", special=True)])
    known = TokenBytes(PreTrainedTokenizerFast(tokenizer_object=tokenizer))
    assert b"".join(map(known.of, [5, 3, 1, 2, 4])) == " def\N{LATIN SMALL LETTER E WITH ACUTE}x".encode()


def test_the_text_of_other_tokens_is_what_the_tokenizer_says() -> None:
    tokenizer = Tokenizer(models.WordLevel(vocab={"def": 0, "x": 1}, unk_token="x"))
    assert TokenBytes(PreTrainedTokenizerFast(tokenizer_object=tokenizer)).of(0) == b"def"
