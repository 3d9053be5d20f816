import pytest
import torch

from cosec.training.losses import fused_security as fused_loss
from cosec.training.losses.fused_security import fused_losses, fused_marked_loss
from cosec.training.losses.security import functional_loss, security_loss, unlikelihood_loss

POSITIONS, HIDDEN, VOCAB = 23, 12, 50


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_loss, "CHUNK", 7)


def both_ways(changed, direction, reduction, *, bias: bool, upstream: tuple[float, float]):
    """Values and gradients from the fused pass and from the plain formulas."""
    torch.manual_seed(0)
    weight = torch.randn(VOCAB, HIDDEN)
    head_bias = torch.randn(VOCAB) if bias else None
    reference = torch.randn(POSITIONS, HIDDEN)
    start = reference + 0.3 * torch.randn(POSITIONS, HIDDEN)
    targets = torch.randint(0, VOCAB, (POSITIONS,))
    results = []
    for fused in (True, False):
        hidden = start.clone().requires_grad_()
        if fused:
            security, functional = fused_losses(
                hidden,
                reference,
                head_weight=weight,
                head_bias=head_bias,
                targets=targets,
                changed=changed,
                direction=direction,
                reduction=reduction,
            )
        else:
            student_logits = torch.nn.functional.linear(hidden, weight, head_bias)
            reference_logits = torch.nn.functional.linear(reference, weight, head_bias)
            security = security_loss(student_logits, targets, changed, reduction=reduction)
            functional = functional_loss(
                student_logits, reference_logits, changed, direction=direction, reduction=reduction
            )
        (upstream[0] * security + upstream[1] * functional).backward()
        results.append((security.detach(), functional.detach(), hidden.grad))
    return results


@pytest.mark.parametrize("direction", ["reverse", "forward"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("marked", ["some", "none", "all"])
def test_fused_losses_equal_the_plain_formulas_in_value_and_gradient(direction, reduction, marked) -> None:
    changed = {
        "some": torch.arange(POSITIONS) % 3 == 0,
        "none": torch.zeros(POSITIONS, dtype=torch.bool),
        "all": torch.ones(POSITIONS, dtype=torch.bool),
    }[marked]
    fused, plain = both_ways(changed, direction, reduction, bias=True, upstream=(0.5, 2.0))
    for found, expected in zip(fused, plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert plain[2].abs().max() > 0.01


def test_a_head_without_bias_works_too() -> None:
    fused, plain = both_ways(torch.arange(POSITIONS) < 5, "reverse", "mean", bias=False, upstream=(1.0, 1.0))
    torch.testing.assert_close(fused[2], plain[2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("marked", ["some", "none", "all"])
@pytest.mark.parametrize("kind", ["likelihood", "unlikelihood"])
def test_fused_losses_of_marked_tokens_equal_the_plain_formulas_in_value_and_gradient(kind, reduction, marked) -> None:
    removed = {
        "some": torch.arange(POSITIONS) % 3 == 0,
        "none": torch.zeros(POSITIONS, dtype=torch.bool),
        "all": torch.ones(POSITIONS, dtype=torch.bool),
    }[marked]
    torch.manual_seed(0)
    weight, bias = torch.randn(VOCAB, HIDDEN), torch.randn(VOCAB)
    start, targets = torch.randn(POSITIONS, HIDDEN), torch.randint(0, VOCAB, (POSITIONS,))
    fused, plain = start.clone().requires_grad_(), start.clone().requires_grad_()
    head = {"head_weight": weight, "head_bias": bias}
    logits = torch.nn.functional.linear(plain, weight, bias)
    if kind == "likelihood":
        found = fused_marked_loss("security", fused, **head, targets=targets, marked=removed, reduction=reduction)
        expected = security_loss(logits, targets, removed, reduction=reduction)
    else:
        found = fused_marked_loss("unlikelihood", fused, **head, targets=targets, marked=removed, reduction=reduction)
        expected = unlikelihood_loss(logits, targets, removed, reduction=reduction)
    (2 * found).backward()
    (2 * expected).backward()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(fused.grad, plain.grad, rtol=1e-4, atol=1e-5)
    assert (fused.grad.abs().sum() > 0) == (marked != "none")
