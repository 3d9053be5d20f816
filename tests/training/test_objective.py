from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cosec.training.data.examples import tokenize_pairs
from cosec.training.data.security_pairs import load_pairs
from cosec.training.hardening import attach_adapter
from cosec.training.losses.security import functional_loss
from cosec.training.objective import HardeningObjective, ReferenceCache
from cosec.training.settings import HardeningSettings
from tests.tiny import ARCHITECTURES
from tests.training.conftest import record
from tests.training.tiny_run import FAST, tiny_base


@pytest.fixture
def data(write_pairs: Any) -> Path:
    """Seven pairs to train on."""
    path: Path = write_pairs("a.jsonl", [record(number) for number in range(7)])
    return path


def noisy_objective(architecture: str, settings: HardeningSettings, cache: Any = None) -> HardeningObjective:
    """An objective whose adapter changes the model."""
    objective = HardeningObjective(
        attach_adapter(tiny_base(architecture), settings, torch.device("cpu")), settings, cache
    )
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in objective._model.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.1)
    return objective


def reference_objective(architecture: str, cache: ReferenceCache | None = None) -> HardeningObjective:
    model = attach_adapter(tiny_base(architecture), HardeningSettings(**FAST), torch.device("cpu"))
    return HardeningObjective(model, HardeningSettings(**FAST), cache)


def examples(data: Path) -> Sequence[Any]:
    pairs = load_pairs([data], validation_share=0, seed=0).training
    return tokenize_pairs(pairs, tiny_base().tokenizer, max_tokens=64)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_fused_loss_is_used_and_equals_the_one_from_full_logits(data, architecture: str) -> None:
    fused, plain = reference_objective(architecture), reference_objective(architecture)
    assert fused.fused
    plain._fused = False
    for example in examples(data)[:2]:
        found, expected = (each.loss(example, training=False, cache_key="") for each in (fused, plain))
        assert found.parts["security"].item() == pytest.approx(expected.parts["security"].item(), rel=1e-5)
        assert found.parts["functional"].item() == pytest.approx(expected.parts["functional"].item(), abs=1e-6)


def test_a_fresh_adapter_changes_nothing_so_the_functional_loss_begins_at_zero(data) -> None:
    loss = reference_objective("llama").loss(examples(data)[0], training=False, cache_key="")
    assert loss.parts["functional"].item() == pytest.approx(0, abs=1e-6)
    assert loss.parts["security"].item() > 1


def test_the_reference_is_computed_once_while_there_is_room(data, tmp_path, monkeypatch) -> None:
    example = examples(data)[0]
    for limit, expected_passes in ((2**20, 3), (10, 4)):
        counted = reference_objective("llama", ReferenceCache(tmp_path / str(limit), limit_bytes=limit))
        passes: list[int] = []
        states = counted._states
        monkeypatch.setattr(
            counted, "_states", lambda ids, states=states, passes=passes, **how: passes.append(1) or states(ids, **how)
        )
        first, second = (counted.loss(example, training=False, cache_key="a").total.item() for _ in range(2))
        assert first == second
        assert len(passes) == expected_passes


@pytest.mark.parametrize(("processes", "held"), [(1, 3), (2, 2)])
def test_the_limit_of_the_cache_holds_over_resumed_runs(tmp_path, processes: int, held: int) -> None:
    states = torch.zeros(1000)
    for run in range(3):
        cache = ReferenceCache(tmp_path, limit_bytes=int(3.5 * states.nbytes), processes=processes)
        for example in range(4):
            cache.put(f"{run}-{example}", states)
        assert len(list(tmp_path.iterdir())) == (held if run else 3 // processes)


@pytest.mark.parametrize("left", [0, 4, 60])
def test_a_reference_whose_file_was_cut_off_is_computed_again(data, tmp_path, left: int) -> None:
    objective = reference_objective("llama", ReferenceCache(tmp_path / "cache", limit_bytes=2**20))
    example = examples(data)[0]
    first = objective.loss(example, training=False, cache_key="a").total.item()
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:left])
    assert objective.loss(example, training=False, cache_key="a").total.item() == first
    assert file.read_bytes() == whole


def test_dropout_is_on_in_training_and_off_in_validation(data) -> None:
    loss = reference_objective("llama")
    with torch.no_grad():
        for name, value in loss._model.named_parameters():
            if "lora_B" in name:
                value.normal_()
    example = examples(data)[0]
    calm = {loss.loss(example, training=False, cache_key="").total.item() for _ in range(3)}
    noisy = {loss.loss(example, training=True, cache_key="").total.item() for _ in range(3)}
    assert (len(calm), len(noisy)) == (1, 3)


def with_rejected(data: Path) -> Sequence[Any]:
    pairs = load_pairs([data], validation_share=0, seed=0).training
    return tokenize_pairs(pairs, tiny_base().tokenizer, max_tokens=64, with_rejected=True, with_compared=True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("fused", [True, False])
def test_examples_that_run_together_lose_what_they_lose_apart(data, architecture: str, fused: bool) -> None:
    settings = HardeningSettings(**FAST, unlikelihood=0.5, preference=0.5)
    objective = noisy_objective(architecture, settings)
    objective._fused = fused
    chosen = [*with_rejected(data)[:3], examples(data)[3]]
    chosen[0] = replace(chosen[0], token_ids=chosen[0].token_ids[:-5], changed=chosen[0].changed[:-5])
    together = objective.losses(chosen, training=False, cache_keys=list("abcd"))
    for example, found in zip(chosen, together, strict=True):
        alone = objective.loss(example, training=False, cache_key="")
        assert found.total.item() == pytest.approx(alone.total.item(), rel=1e-4)
        assert found.parts.keys() == {"security", "functional", "unlikelihood", "preference"}
    assert together[0].parts["unlikelihood"] > 0
    assert together[3].parts["unlikelihood"] == 0


def trained_values(objective: HardeningObjective) -> list[torch.Tensor]:
    return [value for value in objective._model.parameters() if value.requires_grad]


def log_likelihood(model: Any, token_ids: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
    """Of each marked token, from the model's own logits."""
    log_probs = model(input_ids=token_ids[None], use_cache=False).logits[0, :-1].log_softmax(-1)
    return log_probs.gather(-1, token_ids[1:, None]).squeeze(-1)[marked[1:]]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_preference_compares_both_sides_with_the_model_before_training(data, architecture: str, reduction) -> None:
    beta = 0.7
    settings = HardeningSettings(**FAST, preference=0.5, preference_beta=beta, reduction=reduction)
    objective = noisy_objective(architecture, settings)
    assert objective.fused
    example = with_rejected(data)[0]
    model, rejected = objective._model, example.rejected
    sides = ((example.token_ids, example.changed), (rejected.token_ids, rejected.compared))
    reduce = torch.mean if reduction == "mean" else torch.sum
    trained = [reduce(log_likelihood(model, *side)) for side in sides]
    with model.disable_adapter(), torch.no_grad():
        before = [reduce(log_likelihood(model, *side)) for side in sides]
    margin = (trained[0] - before[0]) - (trained[1] - before[1])
    expected = -torch.nn.functional.logsigmoid(beta * margin)
    found = objective.loss(example, training=False, cache_key="")
    assert found.parts["preference"].item() == pytest.approx(expected.item(), rel=1e-4)
    parts = {name: value.item() for name, value in found.parts.items()}
    assert found.total.item() == pytest.approx(parts["security"] + parts["functional"] + 0.5 * parts["preference"])
    trainable = trained_values(objective)
    plain = noisy_objective(architecture, HardeningSettings(**FAST, reduction=reduction))
    without = torch.autograd.grad(
        plain.loss(example, training=False, cache_key="").total,
        [value for value in plain._model.parameters() if value.requires_grad],
    )
    wanted = torch.autograd.grad(0.5 * expected, trainable, allow_unused=True)
    for gradient, rest, added in zip(torch.autograd.grad(found.total, trainable), without, wanted, strict=True):
        torch.testing.assert_close(gradient, rest + added, rtol=1e-3, atol=1e-5)


def test_the_reference_of_a_preference_is_computed_once_and_read_back(data, tmp_path, monkeypatch) -> None:
    settings = HardeningSettings(**FAST, preference=1)
    objective = noisy_objective("llama", settings, ReferenceCache(tmp_path / "cache", limit_bytes=2**20))
    passes: list[int] = []
    states = objective._states
    monkeypatch.setattr(objective, "_states", lambda rows, **how: passes.append(len(rows)) or states(rows, **how))
    first, second = (objective.loss(with_rejected(data)[0], training=False, cache_key="a") for _ in range(2))
    assert passes == [1, 1, 2, 2]
    assert first.parts["preference"] == second.parts["preference"]


def test_a_pair_without_a_side_to_compare_adds_no_preference(data) -> None:
    objective = noisy_objective("llama", HardeningSettings(**FAST, preference=1, unlikelihood=1))
    nothing = examples(data)[0]
    found = objective.losses([nothing, with_rejected(data)[1]], training=False, cache_keys=["a", "b"])
    assert found[0].parts["preference"] == found[0].parts["unlikelihood"] == 0
    assert found[1].parts["preference"] > 0


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("direction", ["reverse", "forward"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_functional_loss_is_the_one_that_the_settings_name(
    data, fused: bool, direction: str, reduction: str
) -> None:
    settings = HardeningSettings(**{**FAST, "kl_direction": direction, "reduction": reduction})
    objective = noisy_objective("llama", settings)
    objective._fused = fused
    example, model = examples(data)[0], objective._model
    with torch.no_grad():
        found = objective.loss(example, training=False, cache_key="").parts["functional"]
        student = model(input_ids=example.token_ids[None]).logits[0, :-1]
        with model.disable_adapter():
            reference = model(input_ids=example.token_ids[None]).logits[0, :-1]
    expected = functional_loss(student, reference, example.changed[1:], direction=direction, reduction=reduction)
    assert expected > 1e-4
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)
