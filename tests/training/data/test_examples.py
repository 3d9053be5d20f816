from dataclasses import replace

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from cosec.errors import ModelError
from cosec.training.data.examples import mark_changed_tokens, tokenize_pairs, window_around
from cosec.training.data.security_pairs import load_pairs
from tests.tiny import tiny_tokenizer
from tests.training.conftest import record

OFFSETS = [(0, 3), (3, 5), (5, 9), (9, 10)]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((3, 5), [False, True, False, False]),
        ((2, 6), [True, True, True, False]),
        ((9, 10), [False, False, False, True]),
        ((5, 5), [False, True, True, False]),
        ((7, 7), [False, False, True, False]),
        ((0, 0), [True, False, False, False]),
        ((10, 10), [False, False, False, True]),
    ],
    ids=["exact", "across", "last", "cut between tokens", "cut inside a token", "cut at the start", "cut at the end"],
)
def test_tokens_that_touch_a_span_are_marked(span: tuple[int, int], expected: list[bool]) -> None:
    assert mark_changed_tokens(OFFSETS, [span]) == expected


def test_a_short_function_is_kept_whole() -> None:
    assert window_around([False, True, False], max_tokens=3) == (0, 3)


def test_a_window_holds_the_change_with_more_room_before_it() -> None:
    changed = [False] * 100
    changed[50] = changed[52] = True
    start, end = window_around(changed, max_tokens=23)
    assert end - start == 23
    assert (50 - start, end - 53) == (15, 5)


@pytest.mark.parametrize(("place", "expected"), [(0, (0, 10)), (99, (90, 100))])
def test_a_window_stays_inside_the_function(place: int, expected: tuple[int, int]) -> None:
    changed = [index == place for index in range(100)]
    assert window_around(changed, max_tokens=10) == expected


def test_of_changes_far_apart_the_window_takes_the_larger() -> None:
    changed = [index in {5, 70, 71, 72} for index in range(100)]
    start, end = window_around(changed, max_tokens=10)
    assert sum(changed[start:end]) == 3


def test_a_change_longer_than_the_window_fills_it() -> None:
    changed = [20 <= index < 60 for index in range(100)]
    start, end = window_around(changed, max_tokens=10)
    assert sum(changed[start:end]) == 10


def test_tokens_spell_the_fixed_function_and_the_mask_spells_the_change(write_pairs) -> None:
    pairs = load_pairs([write_pairs("a.jsonl", [record(0)])], validation_share=0, seed=0).training
    tokenizer = tiny_tokenizer()
    (example,) = tokenize_pairs(pairs, tokenizer, max_tokens=1000)
    assert tokenizer.decode(example.token_ids) == pairs[0].after
    marked = tokenizer.decode(example.token_ids[example.changed])
    assert "?" in marked
    assert "def find" not in marked


def test_windows_are_cut_out_of_long_functions(write_pairs) -> None:
    long = "x = 1\n" * 100
    pair = record(0, func_src_before=long + "old\n" + long, func_src_after=long + "new()\n" + long)
    pairs = load_pairs([write_pairs("a.jsonl", [pair])], validation_share=0, seed=0).training
    tokenizer = tiny_tokenizer()
    (example,) = tokenize_pairs(pairs, tokenizer, max_tokens=32)
    assert len(example.token_ids) == len(example.changed) == 32
    assert "new()" in tokenizer.decode(example.token_ids)
    assert example.function_tokens > 200


def test_a_beginning_of_text_token_stays_in_front_of_the_window(write_pairs) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer()
    bos = tokenizer.bos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.bos_token_id)]
    )
    pairs = load_pairs([write_pairs("a.jsonl", [record(0)])], validation_share=0, seed=0).training
    (example,) = tokenize_pairs(pairs, tokenizer, max_tokens=12)
    assert example.token_ids[0] == tokenizer.bos_token_id
    assert not example.changed[0]
    assert len(example.token_ids) == 12
    assert tokenizer.bos_token_id not in example.token_ids[1:]


def test_a_slow_tokenizer_is_refused(write_pairs) -> None:
    class Slow:
        is_fast = False

    with pytest.raises(ModelError, match="fast tokenizer"):
        tokenize_pairs([], Slow(), max_tokens=10)  # type: ignore[arg-type]


def test_the_vulnerable_side_is_tokenized_where_it_is_asked_for(write_pairs) -> None:
    pairs = load_pairs([write_pairs("a.jsonl", [record(0)])], validation_share=0, seed=0).training
    tokenizer = tiny_tokenizer()
    (without,) = tokenize_pairs(pairs, tokenizer, max_tokens=1000)
    (example,) = tokenize_pairs(pairs, tokenizer, max_tokens=1000, with_rejected=True)
    assert without.rejected is None
    assert example.rejected is not None
    assert tokenizer.decode(example.rejected.token_ids) == pairs[0].before
    assert "+ name" in tokenizer.decode(example.rejected.token_ids[example.rejected.removed])


def test_a_fix_that_takes_nothing_away_has_no_rejected_tokens(write_pairs) -> None:
    pair = record(0, func_src_before="a = 1\nb = 2\n", func_src_after="a = 1\ncheck(a)\nb = 2\n")
    pairs = load_pairs([write_pairs("a.jsonl", [pair])], validation_share=0, seed=0).training
    (example,) = tokenize_pairs(pairs, tiny_tokenizer(), max_tokens=1000, with_rejected=True)
    assert example.rejected is None


def test_a_fix_is_compared_with_what_it_removed_or_else_with_the_first_token_that_goes_on_without_it(
    write_pairs,
) -> None:
    changes = {
        "replaces": ("run('a' + name)\n", "run('a', name)\n"),
        "adds": ("a = 1\n    b = 2\n    c = 3\n", "a = 1\n    check(a)\n    b = 2\n    c = 3\n"),
        "goes on": ("a = 1\n", "a = 1\nb = 2\n"),
    }
    records = [record(0, func_src_before=before, func_src_after=after) for before, after in changes.values()]
    pairs = load_pairs([write_pairs("a.jsonl", records)], validation_share=0, seed=0).training
    tokenizer = tiny_tokenizer()
    replaces, adds, goes_on = tokenize_pairs(pairs, tokenizer, max_tokens=1000, with_compared=True)
    assert replaces.rejected is not None
    assert torch.equal(replaces.rejected.compared, replaces.rejected.removed)
    assert "+" in tokenizer.decode(replaces.rejected.token_ids[replaces.rejected.compared])
    assert adds.rejected is not None
    assert not adds.rejected.removed.any()
    (index,) = adds.rejected.compared.nonzero().squeeze(-1).tolist()
    assert tokenizer.decode(adds.rejected.token_ids[index:]).lstrip().startswith("b = 2")
    assert goes_on.rejected is None


CHAT = (
    "{{ bos_token }}{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}[assistant] "
)


@pytest.mark.parametrize("template", [None, CHAT], ids=["plain", "chat"])
@pytest.mark.parametrize("adds_bos", [False, True], ids=["no prefix", "prefix"])
def test_an_instruction_comes_before_both_sides_and_is_never_the_change(write_pairs, template, adds_bos) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    if adds_bos:
        begin = tokenizer.bos_token
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, tokenizer.bos_token_id)]
        )
    path = write_pairs("a.jsonl", [record(0, instruction="Find a name.")])
    pair = load_pairs([path], validation_share=0, seed=0).training[0]
    (example,) = tokenize_pairs([pair], tokenizer, max_tokens=500, with_rejected=True)
    begin = tokenizer.bos_token if adds_bos or template else ""
    asked = "[user] Find a name.\n[assistant] " if template else "Find a name.\n\n"
    assert tokenizer.decode(example.token_ids) == f"{begin}{asked}```python\n{pair.after.rstrip()}\n```"
    assert "?" in tokenizer.decode(example.token_ids[example.changed])
    assert "name.\n" not in tokenizer.decode(example.token_ids[example.changed])
    assert example.rejected is not None
    assert tokenizer.decode(example.rejected.token_ids) == f"{begin}{asked}```python\n{pair.before.rstrip()}\n```"
    assert "+" in tokenizer.decode(example.rejected.token_ids[example.rejected.removed])


def test_every_token_of_a_changed_character_is_marked_and_none_of_its_neighbours(write_pairs) -> None:
    """The tokens of one character all cover that character."""
    before, after = 's = "z:)"\n', 's = "\u017e\N{GRINNING FACE}"\n'
    file = write_pairs("a.jsonl", [record(0, func_src_before=before, func_src_after=after, char_changes=None)])
    (pair,) = load_pairs([file], validation_share=0, seed=0).training
    tokenizer = tiny_tokenizer()
    for spans, expected in (
        (pair.spans, "\u017e\N{GRINNING FACE}"),
        (((5, 6),), "\u017e"),
        (((6, 7),), "\N{GRINNING FACE}"),
    ):
        (example,) = tokenize_pairs([replace(pair, spans=spans)], tokenizer, max_tokens=64)
        marked = example.token_ids[example.changed]
        assert len(marked) == len(expected.encode()), "one token a byte"
        assert tokenizer.decode(marked) == expected
