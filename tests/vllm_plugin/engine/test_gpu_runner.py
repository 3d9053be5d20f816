"""The code for vLLM's V2 model runner, with stand-ins for the parts of that runner that need a GPU and Triton."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from cosec.vllm_plugin.deciding.decision import NO_TOKEN
from cosec.vllm_plugin.deciding.drafting import Drafting
from cosec.vllm_plugin.settings import PluginSettings
from tests.vllm_plugin.deciding.test_verification import VOCABULARY, drafting, kept, logits, params, run

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]

PROMPT = 2
"""Tokens of each prompt."""

SLOTS = {"a": 4, "b": 0, "c": 2}
"""Where the runner keeps each request."""


def runner(made: Drafting) -> Any:
    """A runner that keeps three requests; the hidden states are the scores."""
    return SimpleNamespace(
        speculator=SimpleNamespace(drafting=made),
        model=SimpleNamespace(compute_logits=lambda hidden: hidden),
        req_states=SimpleNamespace(
            prefill_len=SimpleNamespace(gpu=torch.full((5,), PROMPT)), req_id_to_index={"a": 4, "b": 0, "c": 2}
        ),
        sampler=SimpleNamespace(sampling_states=SimpleNamespace(max_num_logprobs=lambda slots: -1)),
    )


def batch(made: Drafting, lengths: dict[str, int]) -> tuple[Any, Tensor]:
    """A step as the runner lays it out, ``c`` being read up to its last token but one; and its hidden states."""
    tokens, positions, bounds, fed, rows = [], [], [0], [], []
    for name, length in lengths.items():
        last = PROMPT - 1 + {"a": 0, "b": 5, "c": -1}[name]
        tokens += [99, *kept(made, name)[:length]]
        positions += range(last, last + length + 1)
        bounds.append(len(tokens))
        fed.append(last + length + 1)
        rows.append(logits(100 + 10 * "abc".index(name), 4)[: length + 1])
    described = SimpleNamespace(
        req_ids=list(lengths),
        idx_mapping=torch.tensor([SLOTS[name] for name in lengths]),
        idx_mapping_np=[SLOTS[name] for name in lengths],
        cu_num_logits=torch.tensor([*bounds, 77]),
        cu_num_logits_np=torch.tensor(bounds).numpy(),
        logits_indices=torch.arange(len(tokens)),
        input_ids=torch.tensor([*tokens, 88]),
        positions=torch.tensor([*positions, 0]),
        seq_lens=torch.tensor([*fed, 0]),
    )
    return described, torch.cat(rows)


def test_a_step_gives_the_tokens_of_the_v1_runner() -> None:
    from cosec.vllm_plugin.engine import gpu_runner

    made, lengths = drafting(), {"b": 3, "a": 2, "c": 0}
    described, hidden = batch(made, lengths)
    output, given, taken_back = gpu_runner.sampled(runner(made), hidden, described)
    expected = run(made, lengths).token_ids
    assert output.sampled_token_ids.tolist() == expected.tolist()
    assert given.tolist() == (expected != NO_TOKEN).sum(-1).tolist()
    assert (given + taken_back).tolist() == [4, 3, 0]
    assert given.tolist()[2] == 0
    assert output.logprobs_tensors is None


def test_requests_are_entered_when_a_step_admits_them_and_forgotten_when_they_have_left() -> None:
    from cosec.vllm_plugin.engine import gpu_runner

    made, new = drafting(), SimpleNamespace(req_id="d", sampling_params=params(9), prompt_token_ids=[1, 2, 3])
    running = runner(made)
    del running.req_states.req_id_to_index["a"]
    gpu_runner.enter_requests(running, SimpleNamespace(scheduled_new_reqs=[new]))
    assert made.state("d").prompt_length == 3
    assert made.drafts.request_ids() == ["b", "c"]


class Model:
    """A security model and its base, whose hidden states are their scores."""

    def compute_logits(self, hidden: Tensor) -> Tensor:
        return hidden[:, :VOCABULARY]

    def base_logits(self, hidden: Tensor) -> Tensor:
        return hidden[:, VOCABULARY:]


def speculator(made: Drafting) -> Any:
    from cosec.vllm_plugin.engine.gpu_runner import SecuritySpeculator

    found = SecuritySpeculator.__new__(SecuritySpeculator)
    found.drafting, found.model, found._request_ids = made, Model(), None
    found.current_draft_step = torch.tensor(0)
    return found


def propose(found: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Tensor, Tensor]:
    """What the speculator drafts in two steps for ``a`` after its prompt and ``b`` after five tokens, and is fed."""
    from vllm.v1.worker.gpu.spec_decode.standalone_ar.speculator import StandaloneARSpeculator

    fed: list[Tensor] = []

    def two_steps(self: Any, *given: Any, **options: Any) -> Tensor:
        fed.append(given[7].flatten())
        drawn = []
        for step in range(2):
            self.current_draft_step.fill_(step)
            hidden = torch.cat([logits(10 + step, 3)[:2], logits(20 + step, 3)[:2]], dim=-1)
            positions = torch.tensor([PROMPT - 1, PROMPT + 4]) + step
            drawn.append(self.sample_draft(hidden, positions, None, None, None, self.current_draft_step, None))
        return torch.stack(drawn, dim=1)

    monkeypatch.setattr(StandaloneARSpeculator, "propose", two_steps)
    step = SimpleNamespace(req_ids=["a", "b"], idx_mapping=torch.tensor([SLOTS["a"], SLOTS["b"]]))
    last, ahead = torch.arange(5).reshape(5, 1), torch.arange(10, 15).reshape(1, 5)
    # The last token of a's prompt comes next; b was given a token.
    sampled, rejected = torch.tensor([0, 1]), torch.tensor([0, 0])
    return found.propose(step, None, None, None, None, sampled, rejected, last, ahead, None, None, **options), fed[0]


@pytest.mark.parametrize("rule", ["threshold", "steer"])
def test_drafts_are_those_of_the_v1_runner_and_are_kept(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = drafting(rule=rule)
    made = Drafting(PluginSettings(base="folder"), 0)
    for number, name in enumerate("ab"):
        made.enter(name, params(number, cosec_rule=rule), [1, 2])
    tokens, fed = propose(speculator(made), monkeypatch)
    assert tokens.tolist() == [kept(expected, name)[:2] for name in "ab"]
    found = made.drafts.take(["a", "b"], [0, 5], tokens.tolist())
    assert found.token_ids.tolist() == tokens.tolist()
    assert (found.base_log_probs is not None) == (rule == "steer")
    assert fed[SLOTS["a"]] == 10 + SLOTS["a"], "the last token of the prompt"
    assert fed[SLOTS["b"]] == SLOTS["b"], "the last token that was given"


def test_vllms_trial_runs_keep_no_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Drafting(PluginSettings(base="folder"), 0)
    tokens, _ = propose(speculator(made), monkeypatch, dummy_run=True)
    assert tokens.shape == (2, 2)
    assert len(made.drafts) == 0


def test_a_security_model_and_its_base_score_their_own_halves() -> None:
    from cosec.vllm_plugin.engine.drafter import SecurityWithBase

    class Scorer(torch.nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def compute_logits(self, hidden: Tensor) -> Tensor:
            return self.factor * hidden

    both = SecurityWithBase(Scorer(2.0), Scorer(5.0))
    hidden = torch.tensor([[1.0, 3.0, 7.0, 8.0]])
    assert both.compute_logits(hidden).tolist() == [[2.0, 6.0]]
    assert both.base_logits(hidden).tolist() == [[35.0, 40.0]]
