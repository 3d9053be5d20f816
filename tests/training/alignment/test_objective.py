"""The objective equals the plain formula on full logits, for every architecture, packed or not, checkpointed or not."""

from typing import Any

import pytest
import torch

from cosec.training.alignment.objective import AlignmentModels, AlignmentObjective, Predictor, checkpoint_gradients
from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.data.packing import PackedExample, Piece, pack
from cosec.training.losses.distillation import cross_entropy, divergence
from tests.tiny import ARCHITECTURES, VOCABULARY_SIZE, tiny_model


def pieces() -> list[Piece]:
    stream = torch.Generator().manual_seed(0)
    return [
        Piece(
            token_ids=torch.randint(0, VOCABULARY_SIZE, (length,), generator=stream).tolist(),
            response=[False] * prompt + [True] * (length - prompt),
            origin=str(length),
        )
        for length, prompt in ((9, 3), (14, 5), (6, 0))
    ]


def packed() -> PackedExample:
    (row,) = pack(pieces(), max_tokens=64, seed=0)
    return row


def models(architecture: str) -> AlignmentModels:
    """A student of two layers and a wider, deeper teacher whose head is padded further."""
    return AlignmentModels(
        student=tiny_model(architecture, seed=1, head_width=328),
        teacher=tiny_model(architecture, seed=2, layers=3, hidden=64, head_width=336).requires_grad_(False),
        vocabulary=VOCABULARY_SIZE,
    )


def plain_loss(pair: AlignmentModels, settings: AlignmentSettings) -> torch.Tensor:
    """Each document by itself, full logits, one mean over all learned tokens."""
    texts, distances = [], []
    for piece in pieces():
        token_ids = torch.tensor([piece.token_ids])
        chosen = torch.tensor(piece.response[1:])
        student, teacher = (
            model(token_ids).logits[0, :-1][chosen][:, :VOCABULARY_SIZE] for model in (pair.student, pair.teacher)
        )
        texts.append(cross_entropy(student, token_ids[0, 1:][chosen]))
        distances.append(divergence(student, teacher, kind=settings.divergence))
    return settings.kl_weight * torch.cat(distances).mean() + (1 - settings.kl_weight) * torch.cat(texts).mean()


def gradients(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_row_gives_the_loss_and_gradients_of_its_documents_apart(
    architecture: str, checkpointing: bool
) -> None:
    settings = AlignmentSettings(divergence="reverse-kl", kl_weight=0.3)
    apart, together = models(architecture), models(architecture)
    expected = plain_loss(apart, settings)
    expected.backward()
    if checkpointing:
        checkpoint_gradients(together.student)
    loss = AlignmentObjective(together, settings).loss(packed(), training=True, cache_key="")
    loss.total.backward()
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-5)
    found, wanted = gradients(together.student), gradients(apart.student)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-5, msg=name)
    assert not gradients(together.teacher)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradient_checkpointing_runs_the_layers_again(architecture: str) -> None:
    counts = []
    for checkpointing in (False, True):
        pair = models(architecture)
        if checkpointing:
            checkpoint_gradients(pair.student)
        passes: list[int] = []
        layers = next(each for each in pair.student.base_model.children() if isinstance(each, torch.nn.ModuleList))
        inner = next(module for name, module in layers[0].named_modules() if name.endswith("mlp"))
        inner.register_forward_pre_hook(lambda *_, passes=passes: passes.append(1))
        objective = AlignmentObjective(pair, AlignmentSettings())
        passes.clear()  # the probe of the head
        objective.loss(packed(), training=True, cache_key="").total.backward()
        counts.append(len(passes))
    assert counts == [1, 2]


def test_the_divergence_is_from_the_student_to_the_teacher_and_not_back() -> None:
    pair = models("llama")
    swapped = AlignmentModels(student=pair.teacher, teacher=pair.student, vocabulary=pair.vocabulary)
    values = [
        AlignmentObjective(each, AlignmentSettings()).loss(packed(), training=False, cache_key="").parts
        for each in (pair, swapped)
    ]
    assert values[0]["kl"].item() == pytest.approx(values[0]["reverse_kl"].item(), rel=1e-5)
    assert values[0]["reverse_kl"].item() == pytest.approx(values[1]["forward_kl"].item(), rel=1e-5)
    assert abs(values[0]["reverse_kl"].item() - values[1]["reverse_kl"].item()) > 0.01


def test_without_divergence_the_teacher_is_left_alone_in_training_and_measured_in_validation() -> None:
    pair = models("llama")
    objective = AlignmentObjective(pair, AlignmentSettings(divergence="none"))
    passes: list[int] = []
    pair.teacher.base_model.register_forward_hook(lambda *_: passes.append(1))
    training = objective.loss(packed(), training=True, cache_key="")
    assert not passes
    assert training.parts["kl"].isnan()
    assert training.total.item() == training.parts["ce"].item()
    validation = objective.loss(packed(), training=False, cache_key="")
    assert validation.parts["reverse_kl"].item() > 0
    assert set(objective.parts(training=False)) == validation.parts.keys()


def test_a_head_that_is_more_than_linear_falls_back_to_full_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = AlignmentSettings()
    expected = AlignmentObjective(models("llama"), settings).loss(packed(), training=True, cache_key="")
    monkeypatch.setattr(Predictor, "_is_plain", lambda self, head: False)
    found = AlignmentObjective(models("llama"), settings).loss(packed(), training=True, cache_key="")
    assert found.total.item() == pytest.approx(expected.total.item(), rel=1e-6)


def test_bfloat16_computes_nearly_the_same_and_keeps_float32_gradients() -> None:
    exact, rough = models("llama"), models("llama")
    losses = [
        AlignmentObjective(pair, AlignmentSettings(precision=precision)).loss(packed(), training=True, cache_key="")
        for pair, precision in ((exact, "float32"), (rough, "bfloat16"))
    ]
    losses[1].total.backward()
    assert losses[1].total.item() == pytest.approx(losses[0].total.item(), rel=0.05)
    assert {gradient.dtype for gradient in gradients(rough.student).values()} == {torch.float32}


def test_in_bfloat16_a_frozen_head_multiplies_in_bfloat16_and_a_trained_one_keeps_its_weights() -> None:
    model = tiny_model("llama", seed=1)
    assert Predictor(model, bfloat16_head=True).project(packed()).weight is model.get_output_embeddings().weight
    model.requires_grad_(False)
    exact = Predictor(model).project(packed())
    copied = Predictor(model, bfloat16_head=True).project(packed())
    assert exact.weight is not None
    assert copied.weight is not None
    assert torch.equal(copied.weight, exact.weight.bfloat16())
    assert torch.equal(copied.hidden, exact.hidden)
