"""The chunked losses equal the plain formula in value and in every gradient, and need little memory."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from cosec.training.alignment.settings import Divergence
from cosec.training.losses import fused_distillation
from cosec.training.losses.distillation import cross_entropy, divergence
from cosec.training.losses.fused_distillation import Mixture, Projected, distillation_losses, measure, top_tokens

POSITIONS, VOCAB = 23, 50
KINDS: tuple[Divergence, ...] = ("reverse-kl", "forward-kl", "skew-reverse-kl", "skew-forward-kl", "none")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_distillation, "TABLE_BYTES", 7 * 4 * VOCAB)


def models(*, bias: bool) -> tuple[Projected, Projected, torch.Tensor]:
    """A student with 56 entries, a wider teacher with 64, and targets among the 50 that they share."""
    torch.manual_seed(0)
    student = Projected(
        hidden=torch.randn(POSITIONS, 12, requires_grad=True),
        weight=torch.randn(56, 12, requires_grad=True),
        bias=torch.randn(56, requires_grad=True) if bias else None,
    )
    teacher = Projected(hidden=torch.randn(POSITIONS, 20), weight=torch.randn(64, 20), bias=None)
    return student, teacher, torch.randint(0, VOCAB, (POSITIONS,))


def plain(student: Projected, teacher: Projected, targets: torch.Tensor, mixture: Mixture) -> torch.Tensor:
    student_logits = torch.nn.functional.linear(student.hidden, student.weight, student.bias)[:, :VOCAB]
    text = cross_entropy(student_logits, targets).mean()
    if mixture.kind == "none":
        return text
    teacher_logits = (teacher.hidden @ teacher.weight.T)[:, :VOCAB]
    distance = divergence(student_logits, teacher_logits, kind=mixture.kind, skew=mixture.skew).mean()
    return mixture.weight * distance + (1 - mixture.weight) * text


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_value_and_gradients_equal_the_plain_formula(kind: Divergence, bias: bool) -> None:
    student, teacher, targets = models(bias=bias)
    mixture = Mixture(kind=kind, weight=0.3, skew=0.2)
    trained = [each for each in (student.hidden, student.weight, student.bias) if each is not None]
    total, text, distance = distillation_losses(student, teacher, targets, vocabulary=VOCAB, mixture=mixture)
    expected = plain(student, teacher, targets, mixture)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)
    for found, wanted in zip(
        torch.autograd.grad(2 * total, trained), torch.autograd.grad(2 * expected, trained), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert wanted.abs().max() > 1e-3
    if kind == "none":
        assert distance.isnan()
    else:
        assert total.item() == pytest.approx(0.3 * distance.item() + 0.7 * text.item(), rel=1e-5)


def coarse(log_probs: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """The kept tokens' log-probabilities and the log of the rest, the long way, for autograd."""
    outside = torch.ones_like(log_probs, dtype=torch.bool).scatter(-1, kept, False)
    tail = log_probs.masked_fill(~outside, -torch.inf).logsumexp(-1, keepdim=True)
    return torch.cat([log_probs.gather(-1, kept), tail], dim=-1)


@pytest.mark.parametrize("count", [1, 8, VOCAB - 1])
@pytest.mark.parametrize("kind", KINDS)
def test_with_the_teachers_top_tokens_the_tail_is_one_outcome_in_value_and_gradients(
    kind: Divergence, count: int
) -> None:
    student, teacher, targets = models(bias=True)
    stored = top_tokens(teacher, vocabulary=VOCAB, count=count)
    mixture = Mixture(kind=kind, weight=0.3, skew=0.2)
    trained = [student.hidden, student.weight, student.bias]
    total, _, _ = distillation_losses(student, stored, targets, vocabulary=VOCAB, mixture=mixture)
    student_logits = torch.nn.functional.linear(student.hidden, student.weight, student.bias)[:, :VOCAB]
    expected = cross_entropy(student_logits, targets).mean()
    if kind != "none":
        teacher_log_probs = (teacher.hidden @ teacher.weight.T)[:, :VOCAB].log_softmax(-1)
        pair = [coarse(each, stored.token_ids) for each in (student_logits.log_softmax(-1), teacher_log_probs)]
        expected = 0.7 * expected + 0.3 * divergence(*pair, kind=kind, skew=0.2).mean()
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)
    for found, wanted in zip(
        torch.autograd.grad(2 * total, trained), torch.autograd.grad(2 * expected, trained), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert wanted.abs().max() > 1e-3


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
def test_top_tokens_give_a_lower_bound_that_rises_to_the_exact_divergence(kind: Divergence) -> None:
    student, teacher, targets = models(bias=False)
    mixture = Mixture(kind=kind, weight=1.0)

    def distance(seen: object) -> float:
        return float(distillation_losses(student, seen, targets, vocabulary=VOCAB, mixture=mixture)[2])

    bounds = [distance(top_tokens(teacher, vocabulary=VOCAB, count=count)) for count in (1, 4, 16, VOCAB - 1)]
    assert bounds == sorted(bounds)
    assert bounds[0] < bounds[1] < distance(teacher)
    assert bounds[-1] == pytest.approx(distance(teacher), rel=1e-4)


def test_measuring_against_top_tokens_gives_the_same_bounds() -> None:
    student, teacher, targets = models(bias=False)
    stored = top_tokens(teacher, vocabulary=VOCAB, count=6)
    text, reverse, forward = measure(student, stored, targets, vocabulary=VOCAB)
    for kind, found in (("reverse-kl", reverse), ("forward-kl", forward)):
        mixture = Mixture(kind=kind, weight=0.5)
        _, expected_text, distance = distillation_losses(student, stored, targets, vocabulary=VOCAB, mixture=mixture)
        assert found == pytest.approx(distance.item(), rel=1e-5)
        assert text == pytest.approx(expected_text.item(), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_models_that_exclude_each_other_give_finite_values_and_slopes(kind: Divergence) -> None:
    student = Projected(hidden=torch.full((1, 1), 200.0, requires_grad=True), weight=torch.eye(2)[:, :1], bias=None)
    teacher = Projected(hidden=torch.full((1, 1), 200.0), weight=torch.eye(2)[:, 1:], bias=None)
    total, *_ = distillation_losses(
        student, teacher, torch.tensor([1]), vocabulary=2, mixture=Mixture(kind=kind, weight=0.5)
    )
    total.backward()
    assert total.isfinite()
    assert student.hidden.grad is not None
    assert student.hidden.grad.isfinite().all()


def test_logits_without_a_head_give_the_same_loss_and_their_own_gradient() -> None:
    student, teacher, targets = models(bias=True)
    mixture = Mixture(kind="reverse-kl", weight=0.5)
    logits = torch.nn.functional.linear(student.hidden, student.weight, student.bias).detach().requires_grad_()
    bare = Projected(hidden=logits, weight=None, bias=None)
    total, *_ = distillation_losses(bare, teacher, targets, vocabulary=VOCAB, mixture=mixture)
    total.backward()
    expected = plain(student, teacher, targets, mixture)
    assert total.item() == pytest.approx(expected.item(), rel=1e-6)
    (by_hidden,) = torch.autograd.grad(expected, student.hidden)
    torch.testing.assert_close(logits.grad @ student.weight, by_hidden)


def test_a_frozen_head_gets_no_gradient() -> None:
    student, teacher, targets = models(bias=False)
    frozen = replace(student, weight=student.weight.detach())
    total, *_ = distillation_losses(
        frozen, teacher, targets, vocabulary=VOCAB, mixture=Mixture(kind="reverse-kl", weight=0.5)
    )
    total.backward()
    assert frozen.weight.grad is None
    assert frozen.hidden.grad is not None


def test_swapping_student_and_teacher_changes_the_loss() -> None:
    student, teacher, targets = models(bias=False)
    mixture = Mixture(kind="reverse-kl", weight=1.0)
    values = [
        distillation_losses(first, second, targets, vocabulary=VOCAB, mixture=mixture)[0].item()
        for first, second in ((student, teacher), (teacher, student))
    ]
    assert abs(values[0] - values[1]) > 0.1


def test_padding_of_either_head_plays_no_part() -> None:
    student, teacher, targets = models(bias=False)
    mixture = Mixture(kind="reverse-kl", weight=0.5)
    before = distillation_losses(student, teacher, targets, vocabulary=VOCAB, mixture=mixture)[0].item()
    with torch.no_grad():
        student.weight[VOCAB:] += 9
        teacher.weight[VOCAB:] -= 9
    total, *_ = distillation_losses(student, teacher, targets, vocabulary=VOCAB, mixture=mixture)
    assert total.item() == before
    total.backward()
    assert student.weight.grad is not None
    assert not student.weight.grad[VOCAB:].any()


def test_measure_gives_the_cross_entropy_and_both_divergences() -> None:
    student, teacher, targets = models(bias=True)
    text, reverse, forward = measure(student, teacher, targets, vocabulary=VOCAB)
    for kind, value in (("reverse-kl", reverse), ("forward-kl", forward)):
        mixture = Mixture(kind=kind, weight=1.0)
        assert value == pytest.approx(plain(student, teacher, targets, mixture).item(), rel=1e-5)
    assert text == pytest.approx(plain(student, teacher, targets, Mixture(kind="none", weight=0)).item(), rel=1e-5)


MEMORY_PROGRAM = """
import resource, sys, torch
from cosec.training.losses.fused_distillation import Mixture, Projected, distillation_losses
VOCABULARY = 151_936
first, second = torch.randn(VOCABULARY, 64, requires_grad=True), torch.randn(VOCABULARY, 96)
def step(kind, positions):
    student = Projected(hidden=torch.randn(1024, 64)[:positions].requires_grad_(), weight=first, bias=None)
    teacher = Projected(hidden=torch.randn(1024, 96)[:positions], weight=second, bias=None)
    targets = torch.randint(0, VOCABULARY, (positions,))
    mixture = Mixture(kind=kind, weight=0.5)
    total, *_ = distillation_losses(student, teacher, targets, vocabulary=VOCABULARY, mixture=mixture)
    total.backward()
    first.grad = None
step("reverse-kl", 1)  # loads what the libraries load at first use; its head gradient is freed again
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
step(sys.argv[1], int(sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize(
    ("kind", "positions"),
    [
        ("skew-forward-kl", 512),
        pytest.param("skew-forward-kl", 1024, marks=pytest.mark.slow),
        pytest.param("reverse-kl", 1024, marks=pytest.mark.slow),
    ],
)
def test_the_peak_stays_below_300_mb(kind: Divergence, positions: int) -> None:
    # The plain formula needs 311 MB for one table of 512 positions and 151 936 entries, and several tables.
    command = [sys.executable, "-c", MEMORY_PROGRAM, kind, str(positions)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(finished.stdout) < 300


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["reverse-kl", "skew-forward-kl"])
@pytest.mark.parametrize("vocabulary", [49_152, 151_936])
def test_the_peak_on_a_gpu_stays_below_300_mb_too(
    vocabulary: int, kind: Divergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real size of a chunk
    random = {"device": "cuda", "generator": torch.Generator("cuda").manual_seed(0)}
    student = Projected(
        hidden=torch.randn(1024, 64, **random).requires_grad_(),
        weight=torch.randn(vocabulary, 64, **random).requires_grad_(),
        bias=None,
    )
    teacher = Projected(hidden=torch.randn(1024, 96, **random), weight=torch.randn(vocabulary, 96, **random), bias=None)
    targets = torch.randint(0, vocabulary, (1024,), **random)
    mixture = Mixture(kind=kind, weight=0.5)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    total, *_ = distillation_losses(student, teacher, targets, vocabulary=vocabulary, mixture=mixture)
    total.backward()
    assert torch.cuda.max_memory_allocated() - before < 300e6


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_head_in_bfloat16_gives_the_same_up_to_its_rounding(kind: Divergence) -> None:
    student, teacher, targets = models(bias=False)
    assert student.weight is not None
    frozen, mixture = student.weight.detach(), Mixture(kind=kind, weight=0.3, skew=0.2)
    totals, slopes = [], []
    for weight in (frozen, frozen.bfloat16()):
        one = replace(student, weight=weight)
        total, *_ = distillation_losses(one, teacher, targets, vocabulary=VOCAB, mixture=mixture)
        totals.append(total)
        slopes.append(torch.autograd.grad(total, student.hidden)[0])
    assert totals[0].dtype == totals[1].dtype == slopes[1].dtype == torch.float32
    torch.testing.assert_close(*totals, rtol=1e-2, atol=1e-2)
    assert torch.cosine_similarity(*(slope.flatten() for slope in slopes), dim=0) > 0.999
