"""What the security model reads, and what it keeps of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from cosec.decoding.blackbox.reading import Checked, ContextFull, SecurityReader
from cosec.decoding.blackbox.text_tokens import segments
from cosec.decoding.prompt_cache import LongestBeginning, WholePrompts
from cosec.decoding.rules.gate import divergence_of
from cosec.decoding.settings import decoding_settings

SETTINGS = decoding_settings({"name": "gate", "strength": 1e9, "plausibility_floor": 0.0}, {})
LONG = "def read(path):\n    with open(path) as file:\n        return file.read()\n\n\n"
OTHER = "int main(int argc, char **argv) {\n    char name[64];\n"


@pytest.fixture
def keeping(reader: SecurityReader) -> Iterator[SecurityReader]:
    reader.keep_prompts(WholePrompts())
    yield reader
    reader.keep_prompts(WholePrompts())


def ids(reader: SecurityReader, text: str) -> tuple[int, ...]:
    return tuple(reader.pair.tokenizer(text).input_ids)


def checked(reader: SecurityReader, prompt: str, text: str = "import os\n") -> Checked:
    return reader.open(ids(reader, prompt), 0, SETTINGS).check(text, final=True)


def test_a_known_prompt_is_not_read_again_and_gives_the_same_scores(keeping: SecurityReader, passes: list[int]) -> None:
    first, other = checked(keeping, LONG), checked(keeping, OTHER)
    del passes[:]
    again = checked(keeping, LONG), checked(keeping, OTHER)
    assert again == (first, other)
    assert passes == [len(first.records), len(other.records)]


def test_a_longer_prompt_is_read_from_where_a_known_one_ends_if_parts_may_be_used(
    keeping: SecurityReader, passes: list[int]
) -> None:
    keeping.keep_prompts(LongestBeginning(), 1000)
    checked(keeping, LONG)
    del passes[:]
    longer = checked(keeping, LONG + OTHER)
    known = len(ids(keeping, LONG)) - 1
    assert passes[0] == len(ids(keeping, LONG + OTHER)) - 1 - known
    keeping.keep_prompts(WholePrompts())
    whole = checked(keeping, LONG + OTHER)
    assert [one.token_id for one in longer.records] == [one.token_id for one in whole.records]
    assert [one.divergence for one in longer.records] == pytest.approx([one.divergence for one in whole.records])


def test_samples_of_one_prompt_share_it_where_nothing_is_kept(keeping: SecurityReader, passes: list[int]) -> None:
    keeping.keep_prompts(WholePrompts(), 0)
    checked(keeping, LONG)
    del passes[:]
    found = checked(keeping, LONG)
    assert passes == [len(found.records)]


@pytest.mark.parametrize("kind", ["kl", "js", "argmax"])
def test_the_divergences_of_a_text_are_those_of_the_two_models(keeping: SecurityReader, kind: str) -> None:
    prompt, text = ids(keeping, LONG), "import os\nimport re\n"
    settings = decoding_settings({"name": "gate", "strength": 1e9, "plausibility_floor": 0.0, "divergence": kind}, {})
    found = keeping.open(prompt, 0, settings).check(text, final=True)
    tokens = [record.token_id for record in found.records]
    rows = keeping.pair.security_and_base().prefill([prompt[:-1], prompt[:-1]])
    with torch.inference_mode():
        security, base = rows.advance(torch.tensor([[prompt[-1], *tokens[:-1]]] * 2)).log_softmax(dim=-1)
        expected = divergence_of(security, base, settings.rule.divergence)  # type: ignore[union-attr]
    assert [one.divergence for one in found.records] == pytest.approx(expected.tolist(), abs=1e-6)
    assert [one.security_log_prob for one in found.records] == pytest.approx(
        security.gather(-1, torch.tensor(tokens).unsqueeze(-1)).squeeze(-1).tolist(), abs=1e-5
    )


def test_a_text_may_fill_the_context_to_its_last_token(reader: SecurityReader) -> None:
    text = "import os\nimport re\n"
    count = sum(len(reader.tokens.encode(part)) for part in segments(text))
    fitting = (5,) * (reader.pair.context_length - count)
    found = reader.open(fitting, 0, SETTINGS).check(text, final=True, target_ended=True)
    assert (len(found.records), found.ended) == (count, True)
    with pytest.raises(ContextFull, match="longer than the security model's context"):
        reader.open((*fitting, 5), 0, SETTINGS).check(text, final=True)
