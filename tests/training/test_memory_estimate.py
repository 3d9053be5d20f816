"""The estimate against what is really allocated: weights exactly, activations as autograd saves them."""

import pytest
import torch

from cosec.models.families import lora_targets
from cosec.training.alignment_objective import checkpoint_gradients, model_inputs
from cosec.training.alignment_settings import AlignmentSettings
from cosec.training.memory_estimate import MemoryEstimate, estimate_memory
from cosec.training.packing import Piece, pack
from tests.tiny import ARCHITECTURES, tiny_model

TOKENS = 128


def estimate(architecture: str, **settings: object) -> MemoryEstimate:
    student, teacher = tiny_model(architecture, layers=4), tiny_model(architecture, layers=6)
    chosen = AlignmentSettings(**{"max_tokens": TOKENS, **settings})
    return estimate_memory(student, teacher, chosen, teacher_bytes=2, targets=lora_targets(student))


def saved_bytes(architecture: str, *, checkpointing: bool) -> int:
    """Bytes that autograd keeps between the forward and the backward pass of the student's body, weights apart."""
    student = tiny_model(architecture, layers=4)
    if checkpointing:
        checkpoint_gradients(student)
    (row,) = pack([Piece(token_ids=[1] * TOKENS, response=[True] * TOKENS, origin="a")], max_tokens=TOKENS, seed=0)
    weights = {parameter.data_ptr() for parameter in student.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        student.base_model(**model_inputs(row, torch.device("cpu"), torch.float32))
    return sum(kept.values())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_gradients_and_moments_are_counted_exactly(architecture: str) -> None:
    found = estimate(architecture)
    weights = sum(parameter.nbytes for parameter in tiny_model(architecture, layers=4).parameters())
    teacher = sum(parameter.numel() for parameter in tiny_model(architecture, layers=6).parameters())
    assert (found.student_weights, found.gradients, found.optimizer) == (weights, weights, 2 * weights)
    assert found.teacher_weights == 2 * teacher


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_activations_are_estimated_within_a_factor_of_two(architecture: str) -> None:
    ratio = estimate(architecture).activations / saved_bytes(architecture, checkpointing=False)
    assert 0.5 < ratio < 2


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_lora_and_checkpointing_need_less(architecture: str) -> None:
    full = estimate(architecture)
    assert estimate(architecture, train="lora").gradients < full.gradients / 2
    assert estimate(architecture, gradient_checkpointing=True).activations < full.activations / 2
    assert estimate(architecture, precision="bfloat16").activations == full.activations / 2


def test_the_adapter_is_counted_exactly() -> None:
    from peft import LoraConfig, get_peft_model

    student = tiny_model("llama", layers=4)
    found = estimate("llama", train="lora", lora_rank=4).gradients
    with pytest.warns(FutureWarning):  # peft asks transformers 5 by the old name
        adapted = get_peft_model(student, LoraConfig(r=4, target_modules=list(lora_targets(student))))
    assert found == sum(value.nbytes for value in adapted.parameters() if value.requires_grad)
