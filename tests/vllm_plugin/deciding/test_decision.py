"""Decided tokens against each rule's law in closed form, without vLLM: the engine only feeds `propose` and `decide`."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cosec.decoding.rules import rule_for
from cosec.decoding.settings import decoding_settings
from cosec.errors import ModelError
from cosec.vllm_plugin.deciding import decision
from cosec.vllm_plugin.deciding.decision import NO_TOKEN, DraftedRows, accepted_count, propose
from tests.decoding.law import Vector, lossless_law, position_law
from tests.vllm_plugin.chi_square import p_value

VOCABULARY = 6
SAMPLING = {"temperature": 0.8, "top_p": 0.9}
DRAWS = 6_000
RULES: dict[str, dict[str, object]] = {
    "paper": {"threshold": 0.6},
    "warped": {"preset": "warped", "threshold": 0.6},
    "steer": {"name": "steer", "strength": 2.0},
    "gate": {"name": "gate", "strength": 0.02, "plausibility_floor": 0.1},
}


def scores(seed: int, rows: int = 3) -> Tensor:
    """Logits of one position after each of ``rows`` earlier tokens."""
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed))


SECURITY, TARGET = scores(1), scores(2)
BASE = SECURITY + 0.3 * scores(3)


def drafted(rule_settings: dict[str, object], k: int, draws: int, lengths: list[int] | None = None) -> DraftedRows:
    """Drafts of ``draws`` requests; the scores depend on the place in the draft only."""
    rule = rule_for(decoding_settings(rule_settings, SAMPLING))
    rules, keys = [rule] * draws, [row.to_bytes(16, "little") for row in range(draws)]
    columns = []
    for place in range(k):
        log_probs = SECURITY[place].log_softmax(-1).expand(draws, -1)
        columns.append(propose(rules, keys, [place] * draws, log_probs))
    return DraftedRows(
        rules=rules,
        keys=keys,
        first=[0] * draws,
        lengths=lengths or [k] * draws,
        token_ids=torch.stack([tokens for tokens, _ in columns], dim=1),
        proposal_probs=torch.stack([probs for _, probs in columns], dim=1),
        security_log_probs=SECURITY[:k].log_softmax(-1).expand(draws, -1, -1),
        base_log_probs=BASE[:k].log_softmax(-1).expand(draws, -1, -1),
    )


def decide(rows: DraftedRows, target_log_probs: Tensor) -> Tensor:
    """The decided tokens alone."""
    return decision.decide(rows, target_log_probs).token_ids


def target_scores(k: int, draws: int) -> Tensor:
    return TARGET[:k].log_softmax(-1).expand(draws, -1, -1)


def law(name: str, place: int) -> Vector:
    security, target, base = (one[place].double().numpy() for one in (SECURITY, TARGET, BASE))
    rule = RULES[name]
    if "name" in rule:
        return lossless_law(target, security, base, rule, **SAMPLING)
    preset = str(rule.get("preset", "paper"))
    return position_law(security, target, preset=preset, threshold=float(str(rule["threshold"])), **SAMPLING)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("k", [1, 3])
def test_every_emitted_token_follows_the_law(name: str, k: int) -> None:
    decided = decide(drafted(RULES[name], k, DRAWS), target_scores(k, DRAWS))
    for place in range(k):
        emitted = decided[:, place][decided[:, place] != NO_TOKEN]
        assert p_value(torch.bincount(emitted, minlength=VOCABULARY).numpy(), law(name, place)) > 0.001


def test_a_target_sample_instead_would_be_noticed() -> None:
    target = torch.distributions.Categorical(logits=TARGET[0])
    torch.manual_seed(0)
    counts = torch.bincount(target.sample((DRAWS,)), minlength=VOCABULARY)
    assert p_value(counts.numpy(), law("paper", 0)) < 1e-6


@pytest.mark.parametrize("name", RULES)
def test_no_token_follows_a_replaced_one_or_the_draft(name: str) -> None:
    rows = drafted(RULES[name], 3, 200)
    decided = decide(rows, target_scores(3, 200))
    assert decided.shape == (200, 3)
    for tokens, draft in zip(decided.tolist(), rows.token_ids.tolist(), strict=True):
        emitted = [token for token in tokens if token != NO_TOKEN]
        assert tokens == emitted + [NO_TOKEN] * (3 - len(emitted))
        assert emitted[:-1] == draft[: len(emitted) - 1]
        assert emitted, "every draft decides at least one token"


def test_padding_of_shorter_drafts_is_never_emitted() -> None:
    lengths = [1, 2, 3] * 50
    rows = drafted(RULES["gate"], 3, 150, lengths)
    whole = decide(drafted(RULES["gate"], 3, 150), target_scores(3, 150))
    decided = decide(rows, target_scores(3, 150))
    for row, length in enumerate(lengths):
        assert decided[row, length:].eq(NO_TOKEN).all()
        assert decided[row, :length].tolist() == whole[row, :length].tolist()


def test_each_row_follows_its_own_rule() -> None:
    one, other = drafted(RULES["paper"], 2, 40), drafted(RULES["steer"], 2, 40)
    # The proposal is the same under both rules, so only the decisions differ.
    mixed = DraftedRows(
        **{name: getattr(one, name) for name in DraftedRows.__slots__} | {"rules": one.rules[:20] + other.rules[20:]}
    )
    decided = decide(mixed, target_scores(2, 40))
    assert decided[:20].tolist() == decide(one, target_scores(2, 40))[:20].tolist()
    assert decided[20:].tolist() == decide(other, target_scores(2, 40))[20:].tolist()


def test_scores_that_are_not_finite_stop_the_step() -> None:
    broken = torch.full((1, VOCABULARY), math.nan)
    rule = rule_for(decoding_settings({}, SAMPLING))
    with pytest.raises(ModelError, match="security model"):
        propose([rule], [bytes(16)], [0], broken)
    with pytest.raises(ModelError, match="target model"):
        decide(drafted({}, 1, 1), broken.unsqueeze(0))


@pytest.mark.parametrize(
    ("given", "draft", "accepted"),
    [
        ([5, 6, 7], [5, 6, 7], 3),
        ([5, 6, 9], [5, 6, 7], 2),
        ([9], [5, 6, 7], 0),
        ([5], [5, 6, 7], 0),  # rejected, and drawn again
        ([5], [5], 1),
        ([], [5, 6], 0),
        ([5, 6], [NO_TOKEN, NO_TOKEN], 1),
    ],
)
def test_accepted_proposals_are_counted_without_a_bonus_token(
    given: list[int], draft: list[int], accepted: int
) -> None:
    assert accepted_count(given, draft) == accepted
