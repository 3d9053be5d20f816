from __future__ import annotations

import codecs
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from cosec.decoding.completion.text import TextStream
from tests.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer("llama")
PROMPT = TOKENIZER("def read(path):").input_ids


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, so that every character of more bytes is split."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: index for index, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


BYTES = byte_tokenizer()


def plain_cut(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """Read character by character; the first stop text to be complete ends the text."""
    for end in range(1, len(text) + 1):
        for one in sorted(stop, key=len, reverse=True):
            if text[:end].endswith(one):
                return text[: end - len(one)], True
    return text, False


def stream(
    token_ids: list[int],
    stop: tuple[str, ...] = (),
    sizes: list[int] | None = None,
    tokenizer: PreTrainedTokenizerFast = BYTES,
) -> tuple[list[str], TextStream]:
    """Feed tokens in portions of the given sizes; the released pieces, the last from ``finish``."""
    one = TextStream(tokenizer, stop)
    pieces, rest = [], list(token_ids)
    for size in sizes or itertools.repeat(1, len(token_ids)):
        pieces.append(one.feed(rest[:size]))
        rest = rest[size:]
    pieces.append(one.feed(rest))
    pieces.append(one.finish())
    return pieces, one


CODE = 'if (a < b) { s = "naïve 漢字 \N{PILE OF POO}"; }\n\treturn "\N{FAMILY}é"\n'


@pytest.mark.parametrize("tokenizer", [BYTES, TOKENIZER], ids=["bytes", "merged"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1_000])
def test_streaming_equals_decoding_at_once(tokenizer: PreTrainedTokenizerFast, size: int) -> None:
    token_ids = tokenizer(CODE).input_ids
    pieces, one = stream(token_ids, sizes=[size] * (len(token_ids) // size), tokenizer=tokenizer)
    assert "".join(pieces) == one.text == CODE == tokenizer.decode(token_ids)


@pytest.mark.parametrize("tokenizer", [BYTES, TOKENIZER], ids=["bytes", "merged"])
def test_no_half_character_is_ever_released(tokenizer: PreTrainedTokenizerFast) -> None:
    pieces, _ = stream(tokenizer(CODE).input_ids, tokenizer=tokenizer)
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(text=st.text(alphabet="ab \n漢é\N{PILE OF POO}", max_size=20), data=st.data())
def test_any_split_of_the_tokens_gives_the_same_text(text: str, data: st.DataObject) -> None:
    token_ids = BYTES(text).input_ids
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=20))
    pieces, one = stream(token_ids, sizes=sizes)
    assert "".join(pieces) == one.text == text


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    text=st.text(alphabet="abcé", max_size=16),
    stop=st.lists(st.text(alphabet="abcé", min_size=1, max_size=5), max_size=3),
    data=st.data(),
)
def test_stop_texts_cut_at_the_same_place_in_every_split(text: str, stop: list[str], data: st.DataObject) -> None:
    expected, stopped = plain_cut(text, tuple(stop))
    pieces, one = stream(BYTES(text).input_ids, tuple(stop), data.draw(st.lists(st.integers(1, 4), max_size=20)))
    assert "".join(pieces) == one.text == expected
    assert one.stopped == stopped


def test_a_token_that_holds_two_stop_texts_is_cut_at_the_one_that_is_complete_first() -> None:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {char: index for index, char in enumerate([*alphabet, "ab", "abc", "abcd", "abcde"])}
    merges = [("a", "b"), ("ab", "c"), ("abc", "d"), ("abcd", "e")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    merged = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    assert len(merged("abcde").input_ids) == 1
    stop = ("abcde", "c")
    for one in (merged, BYTES):
        pieces, done = stream(one("x abcde y").input_ids, stop, tokenizer=one)
        assert "".join(pieces) == done.text == "x ab"


def test_a_stop_text_across_token_borders_is_found_and_never_shown() -> None:
    pieces, one = stream(BYTES("return 1\n\ndef next():").input_ids, ("\n\ndef",))
    assert "".join(pieces) == one.text == "return 1"
    assert one.stopped


def test_of_several_stop_texts_the_earliest_wins() -> None:
    for stop in (("\n", "#"), ("#", "\n")):
        _, one = stream(BYTES("a = 1  # why\nb").input_ids, stop)
        assert one.text == "a = 1  "


def test_nothing_is_released_after_a_stop() -> None:
    one = TextStream(BYTES, ("stop",))
    assert one.feed(BYTES("go stop more").input_ids) == "go "
    assert one.feed(BYTES("even more").input_ids) == ""
    assert one.finish() == ""
    assert one.text == "go "


def test_text_that_may_become_a_stop_is_held_back_and_released_when_it_does_not() -> None:
    one = TextStream(BYTES, ("END.",))
    released = [one.feed([token]) for token in BYTES("aENDb").input_ids]
    assert released == ["a", "", "", "", "ENDb"]


def test_held_back_text_is_released_at_the_end() -> None:
    one = TextStream(BYTES, ("END.",))
    assert one.feed(BYTES("aEND").input_ids) == "a"
    assert one.finish() == "END"
    assert one.text == "aEND"
    assert not one.stopped


def test_a_text_is_never_cut_inside_a_character_and_the_bytes_are_kept() -> None:
    half = BYTES("\N{PILE OF POO}").input_ids[:2]
    pieces, one = stream([*BYTES("a").input_ids, *half])
    assert pieces == ["a", "", "", "", ""]
    assert (one.text, one.incomplete) == ("a", "\N{PILE OF POO}".encode()[:2])
    _, whole = stream(BYTES("a\N{PILE OF POO}").input_ids)
    assert (whole.text, whole.incomplete) == ("a\N{PILE OF POO}", b"")


def test_a_replacement_character_of_the_text_itself_is_kept_at_the_end() -> None:
    _, one = stream(BYTES("a\N{REPLACEMENT CHARACTER}").input_ids)
    assert (one.text, one.incomplete) == ("a\N{REPLACEMENT CHARACTER}", b"")


@settings(deadline=None, derandomize=True, max_examples=100)
@given(raw=st.lists(st.sampled_from([0x61, 0x20, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x80, 0xFF]), max_size=12))
def test_invalid_bytes_stream_to_what_decoding_at_once_gives_up_to_an_incomplete_character(raw: list[int]) -> None:
    letters = {byte: BYTES.backend_tokenizer.token_to_id(char) for byte, char in _byte_letters().items()}
    token_ids = [letters[byte] for byte in raw]
    pieces, one = stream(token_ids)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    assert "".join(pieces) == one.text == decoder.decode(bytes(raw))
    assert one.incomplete == decoder.getstate()[0]
    assert one.text + one.incomplete.decode(errors="replace") == BYTES.decode(token_ids)


def _byte_letters() -> dict[int, str]:
    """The letter with which byte-level tokenizers write each byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def fallback_tokenizer() -> PreTrainedTokenizerFast:
    """Spells spaces as in SentencePiece, and other characters byte by byte."""
    vocabulary = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}, "\u2581def": 257, "x": 258}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>"))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_a_broken_character_after_tokens_of_one_byte_is_replaced_and_the_text_goes_on() -> None:
    newline, half, rest = 0x0A + 1, 0xE6 + 1, [257, 258]
    pieces, one = stream([258, newline, half, *rest], tokenizer=fallback_tokenizer())
    assert "".join(pieces) == one.text == "x\n\N{REPLACEMENT CHARACTER} defx"


def test_the_space_that_a_text_begins_with_is_kept() -> None:
    _, one = stream([257], tokenizer=fallback_tokenizer())
    assert one.text == " def"


def test_special_tokens_leave_no_text() -> None:
    end = TOKENIZER.convert_tokens_to_ids("<|endoftext|>")
    middle = TOKENIZER(" value").input_ids
    pieces, one = stream([*middle, end, *middle, end], tokenizer=TOKENIZER)
    assert "".join(pieces) == one.text == " value value"


def test_a_stop_text_counts_only_if_it_is_complete_while_stopping() -> None:
    one = TextStream(BYTES, ("ab", "b"))
    released = [one.feed([token], stopping=place > 1) for place, token in enumerate(BYTES("abab").input_ids)]
    assert (released, one.text, one.stop_text) == (["", "ab", "", ""], "ab", "ab")
    across = TextStream(BYTES, ("ab",))
    pieces = [across.feed([token], stopping=place > 0) for place, token in enumerate(BYTES("abc").input_ids)]
    assert ("".join(pieces), across.stop_text) == ("", "ab"), "it ends after the minimum, so it stops"
