"""The V2 model runner's view of a step gives what the V1 runner's gives for the same requests."""

from __future__ import annotations

import torch

from cosec.vllm_plugin.deciding.decision import NO_TOKEN
from cosec.vllm_plugin.deciding.flat_batch import counts, flat_step, flat_tokens, next_tokens
from cosec.vllm_plugin.deciding.verification import Step, verify
from tests.vllm_plugin.deciding.test_verification import drafting, kept, logits

PROMPT = 7
"""Tokens of each prompt."""


def described(lengths: dict[str, int]) -> tuple[Step, Step]:
    """The same step in the words of both runners: ``a`` and ``c`` begin, ``b`` has five tokens."""
    made, first = drafting(), {"a": 0, "b": 5, "c": 0}
    drafts = [kept(made, name)[:length] for name, length in lengths.items()]
    due = [bool(length) for length in lengths.values()]
    plain = Step(request_ids=list(lengths), first=[first[name] for name in lengths], drafted=drafts, due=due)
    bounds, tokens, positions, fed = [0], [], [], []
    for name, draft in zip(lengths, drafts, strict=True):
        # A request without a draft is at its prompt's last token but one.
        last = PROMPT - 1 + first[name] if draft else PROMPT - 2
        tokens += [99, *draft]
        positions += range(last, last + len(draft) + 1)
        bounds.append(len(tokens))
        fed.append(last + len(draft) + 1)
    flat = flat_step(
        list(lengths),
        prompt_lengths=[PROMPT] * len(lengths),
        known_lengths=[PROMPT] * len(lengths),
        bounds=bounds,
        tokens=tokens,
        positions=positions,
        sequence_lengths=fed,
    )
    return plain, flat


def test_a_step_is_the_same_in_both_descriptions() -> None:
    for lengths in ({"a": 3, "b": 3, "c": 3}, {"b": 2, "a": 1}, {"c": 3}):
        plain, flat = described(lengths)
        assert flat == plain


def test_a_prompt_in_the_middle_is_not_due() -> None:
    _, flat = described({"a": 0, "b": 3})
    assert flat.due == [False, True]
    assert flat.drafted[0] == []


def test_a_request_read_again_after_a_preemption_continues_where_it_was() -> None:
    flat = flat_step(
        ["b"],
        prompt_lengths=[PROMPT],
        known_lengths=[PROMPT + 5],
        bounds=[0, 3],
        tokens=[4, 1, 2],
        positions=[PROMPT + 4, PROMPT + 5, PROMPT + 6],
        sequence_lengths=[PROMPT + 7],
    )
    assert (flat.first, flat.drafted, flat.due) == ([5], [[1, 2]], [True])


def test_numbers_of_given_and_taken_back_tokens_add_up_to_the_rows() -> None:
    _, flat = described({"a": 3, "b": 2, "c": 0})
    scores = torch.cat([logits(1, 4), logits(2, 3), logits(3, 1)])
    verified = verify(flat, drafting(), scores, with_scores=False)
    given, taken_back = counts(verified.token_ids, flat)
    assert given.tolist() == (verified.token_ids != NO_TOKEN).sum(dim=-1).tolist()
    assert (given + taken_back).tolist() == [4, 3, 0]
    assert given[2] == 0


def test_each_scored_row_has_its_token() -> None:
    _, flat = described({"a": 3, "b": 2, "c": 0})
    token_ids = torch.tensor([[5, 6, 7, -1], [8, -1, -1, -1], [-1, -1, -1, -1]])
    assert flat_tokens(token_ids, flat).tolist() == [5, 6, 7, 0, 8, 0, 0, 0]


def test_the_drafter_goes_on_from_the_last_token_or_the_prompts_next() -> None:
    last, known = torch.tensor([10, 11, 12, 13]), torch.tensor([20, 21, 22, 23], dtype=torch.int32)
    fed = next_tokens(last, known, torch.tensor([3, 1]), torch.tensor([2, 0]))
    assert fed.tolist() == [10, 21, 12, 13]
    assert last.tolist() == [10, 11, 12, 13]
