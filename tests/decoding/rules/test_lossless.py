"""Every rule with a law of its own, against that law in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.lanes import Lanes, ThreeModelLanes, TwoModelLanes
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.gate import GateRule, divergence_of
from cosec.decoding.rules.lossless import flattened
from cosec.decoding.rules.schema import GateSettings
from cosec.decoding.rules.steer import steered
from cosec.decoding.sampling import TokenDistribution
from cosec.decoding.settings import DecodingSettings, SamplingSettings, decoding_settings
from cosec.decoding.trace import TokenRecord
from cosec.runtime import TorchTokenModel
from tests.decoding.engine.test_law import DRAWS_AND_LENGTHS, PROMPT, VOCABULARY, p_value
from tests.decoding.law import Vector, divergence, law_at, logits_after, lossless_law
from tests.decoding.scripted import HalvesModel, ScriptedModel, random_table
from tests.devices import DEVICES
from tests.models.lora import attached
from tests.tiny import VOCABULARY_SIZE, tiny_model

SECURITY = random_table(VOCABULARY, 2, seed=21)
BASE = SECURITY + random_table(VOCABULARY, 2, seed=121, scale=0.3)
TARGET = random_table(VOCABULARY, 2, seed=221)
SAMPLING = {"temperature": 0.8, "top_p": 0.9}
RULES: dict[str, dict[str, object]] = {
    "speculative": {"name": "speculative"},
    "steer": {"name": "steer", "strength": 2.0},
    "steer against": {"name": "steer", "strength": 1.0, "against": "anti-expert"},
    "steer floor": {"name": "steer", "strength": 2.0, "security_floor": 0.5},
    "gate": {"name": "gate", "strength": 0.02, "plausibility_floor": 0.1},
    "gate steered": {"name": "gate", "strength": 0.02, "decision": "steered", "steering_strength": 1.5},
    "gate js": {"name": "gate", "strength": 0.005, "divergence": "js", "plausibility_floor": 0.3},
    "gate argmax": {"name": "gate", "strength": 0.0, "divergence": "argmax"},
}


def lanes(security: Tensor = SECURITY, base: Tensor = BASE, target: Tensor = TARGET) -> TwoModelLanes:
    return TwoModelLanes(HalvesModel(security, base), ScriptedModel(target), "trailing half")


def settings(rule: dict[str, object], **sampling: object) -> DecodingSettings:
    return decoding_settings(rule, {**SAMPLING, "max_new_tokens": 3, "seed": 5, **sampling})


def decode(batch: Lanes, chosen: DecodingSettings, samples: Sequence[int]) -> list[list[TokenRecord]]:
    requests = [
        SequenceRequest(prompt_ids=tuple(PROMPT), sample_index=i, max_new_tokens=chosen.sampling.max_new_tokens)
        for i in samples
    ]
    run = Run(batch, rule_for(chosen), chosen, requests)
    texts: list[list[TokenRecord]] = [[] for _ in requests]
    while emissions := run.step():
        for emission in emissions:
            texts[emission.sequence].extend(emission.records)
    return texts


def draw(chosen: DecodingSettings, draws: int, device: str = "cpu") -> Tensor:
    texts: list[list[int]] = []
    tables = [table.to(device) for table in (SECURITY, BASE, TARGET)]
    for start in range(0, draws, 2_000):
        batch = decode(lanes(*tables), chosen, range(start, start + 2_000))
        texts.extend([record.token_id for record in text] for text in batch)
    return torch.tensor(texts)


def expected(depth: int, rule: dict[str, object], **sampling: float) -> Vector:
    @cache
    def law(prefix: tuple[int, ...]) -> Vector:
        views = (logits_after(table, list(prefix)) for table in (TARGET, SECURITY, BASE))
        return lossless_law(*views, rule, **{**SAMPLING, **sampling})

    return law_at(depth, PROMPT, lambda prefix: law(tuple(prefix)))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["speculative", "steer", "steer against", "steer floor", "gate"])
@pytest.mark.parametrize(("draws", "draft_length"), DRAWS_AND_LENGTHS)
def test_emitted_tokens_follow_the_closed_form_at_the_first_and_third_position(
    draws: int, name: str, draft_length: int, device: str
) -> None:
    tokens = draw(settings(RULES[name], draft_length=draft_length), draws, device=device)
    assert p_value(tokens[:, 0], expected(0, RULES[name])) > 0.01
    assert p_value(tokens[:, 2], expected(2, RULES[name])) > 0.01


@pytest.mark.parametrize("name", ["gate steered", "gate js", "gate argmax"])
def test_other_ways_to_gate_act_as_their_closed_form_says(name: str) -> None:
    tokens = draw(settings(RULES[name], draft_length=2), 10_000)
    assert p_value(tokens[:, 2], expected(2, RULES[name])) > 0.01


@pytest.mark.parametrize("name", ["speculative", "steer", "gate", "gate steered"])
@pytest.mark.parametrize("cut", [{"top_k": 3}, {"min_p": 0.3}])
def test_top_k_and_min_p_enter_the_law_wherever_top_p_does(cut: dict[str, float], name: str) -> None:
    tokens = draw(settings(RULES[name], draft_length=3, **cut), 4_000)
    assert p_value(tokens[:, 2], expected(2, RULES[name], **cut)) > 0.01
    assert p_value(tokens[:, 2], expected(2, RULES[name])) < 1e-4, "the draws tell whether there is a cut"


def test_the_closed_forms_tell_the_rules_apart() -> None:
    """A law test could pass for the wrong reason if the scripted models made two rules agree."""
    laws = [expected(2, rule) for rule in RULES.values()]
    for index, one in enumerate(laws):
        for other in laws[index + 1 :]:
            assert np.abs(one - other).max() > 0.005


def test_a_residual_that_is_the_law_itself_breaks_the_law_and_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TokenDistribution, "beyond", lambda self, other, size: self)
    tokens = draw(settings(RULES["steer"], draft_length=1), 6_000)
    assert p_value(tokens[:, 0], expected(0, RULES["steer"])) < 1e-6


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_the_draft_length_and_the_batch_never_change_the_text(name: str, temperature: float) -> None:
    sampling = {"temperature": temperature, "max_new_tokens": 12}
    texts = {
        length: decode(lanes(), settings(RULES[name], draft_length=length, **sampling), range(6))
        for length in (1, 2, 5, "auto")
    }
    plain = [[record.token_id for record in text] for text in texts[1]]
    for length, others in texts.items():
        assert [[record.token_id for record in text] for text in others] == plain, f"draft length {length}"
    alone = decode(lanes(), settings(RULES[name], draft_length=3, **sampling), [4])
    assert [record.token_id for record in alone[0]] == plain[4]


@pytest.mark.parametrize("name", ["speculative", "steer", "gate", "gate steered", "gate js"])
def test_an_adapter_of_zeros_leaves_every_position_to_the_target(name: str) -> None:
    tables = {"security": SECURITY, "base": SECURITY}
    chosen = settings(RULES[name], draft_length=2)
    at = Position(
        target_log_probs=TARGET.flatten(0, 1).log_softmax(-1),
        security_log_probs=SECURITY.flatten(0, 1).log_softmax(-1),
        base_log_probs=SECURITY.flatten(0, 1).log_softmax(-1),
    )
    rule = rule_for(chosen)
    target = rule_for(settings(RULES["speculative"])).law(at)
    torch.testing.assert_close(rule.law(at).dense(VOCABULARY), target.dense(VOCABULARY), rtol=1e-6, atol=1e-7)
    texts = decode(lanes(**tables), chosen, range(50))
    assert not any(record.gated for text in texts for record in text)


def test_at_ungated_positions_the_law_is_the_targets_to_the_last_bit() -> None:
    at = Position(
        target_log_probs=TARGET.flatten(0, 1).log_softmax(-1),
        security_log_probs=SECURITY.flatten(0, 1).log_softmax(-1),
        base_log_probs=BASE.flatten(0, 1).log_softmax(-1),
    )
    chosen = settings(RULES["gate"])
    rule = rule_for(chosen)
    assert isinstance(rule, GateRule)
    gated = rule.divergence(at) > 0.02
    assert 5 < int(gated.sum()) < len(gated) - 5
    law = rule.law(at).dense(VOCABULARY)
    target = rule_for(settings(RULES["speculative"])).law(at).dense(VOCABULARY)
    assert torch.equal(law[~gated], target[~gated])
    assert float(((law - target)[gated].abs().amax(-1) > 0.01).float().mean()) > 0.5


def test_a_decision_without_a_plausible_token_is_the_targets() -> None:
    target = torch.tensor([[0.0, -20.0, -20.0, 0.0]]).log_softmax(-1)
    security = torch.tensor([[-20.0, 9.0, 8.0, -20.0]]).log_softmax(-1)
    at = Position(target_log_probs=target, security_log_probs=security, base_log_probs=target)
    rule = GateRule(GateSettings(strength=0.1, plausibility_floor=0.02), SamplingSettings(temperature=1.0, top_p=0.9))
    torch.testing.assert_close(rule.law(at).dense(4), torch.tensor([[0.5, 0.0, 0.0, 0.5]]))


def test_temperature_zero_takes_the_most_likely_token_of_each_law() -> None:
    for name, table in (("speculative", TARGET), ("steer", TARGET + 2.0 * (SECURITY - BASE))):
        # The change of the logits is the change of the log-probabilities up to a constant of the row.
        for text in decode(lanes(), settings(RULES[name], temperature=0.0, max_new_tokens=6), [0]):
            prefix = list(PROMPT)
            for record in text:
                assert record.token_id == int(np.argmax(logits_after(table, prefix)))
                prefix.append(record.token_id)


@pytest.mark.parametrize("name", ["steer", "gate"])
@pytest.mark.parametrize("draft_length", [1, 4])
def test_a_base_with_a_pass_of_its_own_gives_the_same_texts(name: str, draft_length: int) -> None:
    chosen = settings(RULES[name], draft_length=draft_length, max_new_tokens=9)
    three = ThreeModelLanes(ScriptedModel(SECURITY), ScriptedModel(TARGET), ScriptedModel(BASE))
    assert decode(three, chosen, range(30)) == decode(lanes(), chosen, range(30))


def test_a_base_with_a_pass_of_its_own_joins_forks_and_leaves_with_the_others() -> None:
    def scores(batch: Lanes) -> Tensor:
        scored = batch.advance(torch.tensor([3] * 3), 2, lambda log_probs, index: log_probs.argmax(dim=-1))
        assert scored.base_log_probs is not None
        return torch.stack([scored.target_log_probs, scored.base_log_probs])

    model, switch, _ = attached("llama")
    target = TorchTokenModel(tiny_model("llama", seed=7), VOCABULARY_SIZE)
    security, base, both = (
        TorchTokenModel(model, VOCABULARY_SIZE, switch, use) for use in ("on", "off", "leading half")
    )
    found = []
    for empty in (ThreeModelLanes(security, target, base), TwoModelLanes(both, target, "trailing half")):
        batch, other = empty.prefill([[1, 2], [4]]), empty.prefill([[5, 1, 2]])
        other.feed([1])
        batch.join([other, other.fork(2)])
        batch.select([3, 0, 2])
        first = scores(batch)
        batch.rollback([1, 0, 2])
        found.append((first, scores(batch)))
    assert all(torch.allclose(*both, atol=1e-4) for both in zip(*found, strict=True))


def test_records_name_the_decisions_and_how_strong_the_adapter_spoke() -> None:
    texts = decode(lanes(), settings(RULES["gate"], draft_length=3, max_new_tokens=8), range(20))
    seen = set()
    for text in texts:
        prefix = list(PROMPT)
        for record in text:
            security, base = (logits_after(table, prefix) for table in (SECURITY, BASE))
            change = divergence(security, base, "kl")
            assert record.divergence == pytest.approx(change, rel=1e-4, abs=1e-6)
            assert record.gated == (change > 0.02)
            seen.add(record.gated)
            prefix.append(record.token_id)
    assert seen == {True, False}
    assert decode(lanes(), settings(RULES["steer"]), [0])[0][0].gated is None


def test_a_token_that_security_or_base_excludes_is_not_moved() -> None:
    inf = math.inf
    at = Position(
        target_log_probs=torch.tensor([[0.4, 0.3, 0.3]]).log(),
        security_log_probs=torch.tensor([[-inf, -inf, 0.0]]),
        base_log_probs=torch.tensor([[-inf, -1.0, -1.0]]),
    )
    moved = steered(at, 2.0).exp()[0]
    assert bool(moved.isfinite().all())
    assert float(moved[0] / moved[1]) == pytest.approx(4 / 3)
    assert float(moved[2] / moved[1]) == pytest.approx(math.exp(2.0))


def test_below_the_floor_the_adapter_lowers_tokens_and_does_not_raise_them() -> None:
    at = Position(
        target_log_probs=torch.tensor([[0.4, 0.2, 0.2, 0.2]]).log(),
        security_log_probs=torch.tensor([[0.6, 0.35, 0.04, 0.01]]).log(),
        base_log_probs=torch.tensor([[0.3, 0.6, 0.01, 0.09]]).log(),
    )
    change = (steered(at, 2.0, floor=0.1) - at.target_log_probs)[0]
    assert change.tolist() == pytest.approx([2 * math.log(2), 2 * math.log(0.35 / 0.6), 0.0, 2 * math.log(1 / 9)])


@pytest.mark.parametrize("floor", [0.0, 0.3])
@pytest.mark.parametrize("strength", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("excluded", [False, True])
def test_steering_is_the_same_with_the_target_as_base_and_with_its_equal(
    strength: float, excluded: bool, floor: float
) -> None:
    scores = torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(0))
    if excluded:
        scores[0, :, :2] = scores[1, :, 1:3] = -math.inf
    target, security = scores.log_softmax(-1)
    itself = Position(target_log_probs=target, security_log_probs=security, base_log_probs=target)
    equal = Position(target_log_probs=target, security_log_probs=security, base_log_probs=target.clone())
    laws = [steered(at, strength, floor).softmax(-1) for at in (itself, equal)]
    assert bool(laws[0].isfinite().all())
    assert torch.allclose(*laws, atol=1e-6)


@pytest.mark.parametrize(
    "rule", [{"name": "speculative"}, {"name": "steer", "strength": 2.0}, {"name": "gate", "strength": 5.1}]
)
@pytest.mark.parametrize("top_p", [0.6, 1.0])
def test_what_the_verdict_worked_out_gives_the_same_residual_as_working_it_out_again(
    rule: dict[str, object], top_p: float
) -> None:
    rows, generator = 6, torch.Generator().manual_seed(3)
    target, security = (2.0 * torch.randn(2, rows, 1, 900, generator=generator)).log_softmax(-1)
    chosen = rule_for(settings(rule, temperature=0.7, top_p=top_p))
    proposal = chosen.proposal(security[:, 0])
    tokens = proposal.sample(torch.rand(rows, generator=generator))
    draft = Draft(
        token_ids=tokens.unsqueeze(1),
        security_log_probs=security,
        proposal_probs=proposal.prob_of(tokens).unsqueeze(1),
        base_log_probs=target,
        chances=torch.zeros(rows, 1),
    )
    law, beside = chosen.verify(draft, target).law, chosen.verify(replace(draft, proposals=proposal), target).law
    assert law is not None
    assert beside is not None
    assert torch.equal(beside.dense(900), law.dense(900))
    some = [4, 1]
    at = flattened(draft, target).of_rows(some)
    again = chosen.fallback(at).dense(900)
    known = chosen.fallback(replace(at, law=law.of_rows(some), proposal=proposal.of_rows(some))).dense(900)
    assert torch.equal(known, again)
    other = chosen.fallback(replace(at, law=law.of_rows([1, 4]), proposal=proposal.of_rows(some))).dense(900)
    assert not torch.allclose(other, again), "what is handed over is used"


def test_places_and_rows_keep_the_base_that_is_the_target() -> None:
    target, other = torch.zeros(2, 3, 5), torch.ones(2, 3, 5)
    for base, same in ((target, True), (other, False)):
        draft = Draft(
            token_ids=torch.zeros(2, 3, dtype=torch.long),
            security_log_probs=other,
            proposal_probs=torch.ones(2, 3),
            base_log_probs=base,
        )
        at = flattened(draft, target)
        for place in (at, at.of_rows([1, 0])):
            assert (place.base_log_probs is place.target_log_probs) is same
            assert place.base_log_probs is not None
            assert bool((place.base_log_probs == float(not same)).all())


@pytest.mark.parametrize("kind", ["kl", "js"])
def test_a_divergence_survives_excluded_tokens_and_is_never_negative(kind: str) -> None:
    same = torch.tensor([[0.0, -math.inf, -2.0]]).log_softmax(-1)
    assert float(divergence_of(same, same, kind)) == 0.0  # type: ignore[arg-type]
    other = torch.tensor([[0.0, -3.0, -2.0]]).log_softmax(-1)
    assert 0 < float(divergence_of(same, other, kind)) < 1  # type: ignore[arg-type]
