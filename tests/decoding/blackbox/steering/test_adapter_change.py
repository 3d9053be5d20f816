"""The change of a text against its closed form, from passes over whole sequences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cosec.decoding.blackbox.reading import ContextFull, SecurityReader
from cosec.decoding.blackbox.steering.adapter_change import AdapterChange
from cosec.decoding.blackbox.text_tokens import segments
from tests.decoding.law import raw

PROMPT = "def read(path"


@torch.inference_mode()
def predicted(reader: SecurityReader, tokens: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """What the security model and its base predict after some tokens, each from a pass of its own."""
    both = reader.pair.security_and_base().prefill([(), ()]).advance(torch.tensor([tokens, tokens]))[:, -1]
    return raw(both[0].double().numpy()), raw(both[1].double().numpy())


def change(reader: SecurityReader, text: str, *, ends: bool = False) -> float:
    """``log security - log base`` of a completion, from the definition."""
    prompt = list(reader.pair.tokenizer(PROMPT).input_ids)
    tokens = [token for part in segments(text) for token, _ in reader.tokens.encode(part)]
    spelled = [reader.tokens.bytes.spelling(token) for token in range(reader.pair.vocabulary_size)]
    added = reader.pair.tokenizer.added_tokens_decoder
    total = 0.0
    for place, token in enumerate(tokens):
        counted = [token]
        if place == len(tokens) - 1 and not ends:
            begun = spelled[token]
            counted = [one for one, spelling in enumerate(spelled) if spelling.startswith(begun) and one not in added]
        security, base = predicted(reader, [*prompt, *tokens[:place]])
        total += np.log(security[counted].sum()) - np.log(base[counted].sum())
    if ends:
        stops = sorted(reader.pair.stop_token_ids)
        security, base = predicted(reader, [*prompt, *tokens])
        total += np.log(security[stops].sum()) - np.log(base[stops].sum())
    return float(total)


def opened(reader: SecurityReader) -> AdapterChange:
    return AdapterChange(reader, tuple(reader.pair.tokenizer(PROMPT).input_ids))


def test_the_change_is_that_of_the_definition_wherever_the_text_is_joined(reader: SecurityReader) -> None:
    growing, text = opened(reader), ""
    for piece in (", na", "me):\n", "    wi", "th("):
        then = [piece, piece + "x(y", "", " é", "\n"]
        expected = [change(reader, text + one) - change(reader, text) for one in then]
        ended = change(reader, text, ends=True) - change(reader, text)
        found = growing.of([*(one.encode() for one in then), None])
        assert found == pytest.approx([*expected, ended], abs=2e-4)
        assert any(abs(one) > 0.05 for one in found)
        assert growing.add(piece.encode()) == piece
        text += piece
    assert reader.pair.tokenizer.decode(growing.tokens) == text


def test_a_part_of_a_character_changes_nothing_until_it_is_whole(reader: SecurityReader) -> None:
    growing, (first, second) = opened(reader), (bytes([byte]) for byte in "é".encode())
    assert growing.of([first]) == [0.0]
    assert growing.add(first) == ""
    assert growing.of([second]) == pytest.approx([change(reader, "é")], abs=2e-4)
    assert growing.add(second) == "é"


def test_bytes_that_are_no_character_are_replaced(reader: SecurityReader) -> None:
    growing = opened(reader)
    assert growing.add(b"\xffa\xc3") == "\N{REPLACEMENT CHARACTER}a"
    assert reader.pair.tokenizer.decode(growing.tokens) == "\N{REPLACEMENT CHARACTER}a"


def test_a_text_longer_than_the_context_is_refused(reader: SecurityReader) -> None:
    with pytest.raises(ContextFull, match="longer than the security model's context"):
        opened(reader).of([b"~^@ " * 60])


def test_a_text_may_fill_the_context_to_its_last_token(reader: SecurityReader) -> None:
    text = "import os\nimport re\n"
    count = sum(len(reader.tokens.encode(part)) for part in segments(text))
    fitting = (5,) * (reader.pair.context_length - count)
    assert all(map(np.isfinite, AdapterChange(reader, fitting).of([text.encode(), None])))
    with pytest.raises(ContextFull, match="longer than the security model's context"):
        AdapterChange(reader, (*fitting, 5)).of([text.encode()])
