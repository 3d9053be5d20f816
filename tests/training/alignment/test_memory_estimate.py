"""The estimate against what is really allocated: weights exactly, activations as autograd saves them."""

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from cosec.models.families import lora_targets
from cosec.training.alignment.memory_estimate import MemoryEstimate, estimate_memory
from cosec.training.alignment.objective import model_inputs
from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.data.packing import Piece, pack
from tests.tiny import ARCHITECTURES, tiny_model

TOKENS = 128


def estimate(architecture: str, processes: int = 1, **settings: object) -> MemoryEstimate:
    student, teacher = tiny_model(architecture, layers=4), tiny_model(architecture, layers=6)
    chosen = AlignmentSettings(**{"max_tokens": TOKENS, **settings})
    targets = lora_targets(student)
    return estimate_memory(student, teacher, chosen, teacher_bytes=2, targets=targets, processes=processes)


def saved_bytes(architecture: str, *, bfloat16: bool = False) -> int:
    """Bytes that autograd keeps between the forward and the backward pass of the student's body, weights apart."""
    student = tiny_model(architecture, layers=4)
    (row,) = pack([Piece(token_ids=[1] * TOKENS, response=[True] * TOKENS, origin="a")], max_tokens=TOKENS, seed=0)
    weights = {parameter.data_ptr() for parameter in student.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    precision = torch.autocast("cpu", torch.bfloat16, enabled=bfloat16, cache_enabled=False)
    with precision, torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
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
    ratio = estimate(architecture).activations / saved_bytes(architecture)
    assert 0.5 < ratio < 2


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_in_bfloat16_the_copies_of_the_weights_are_counted_too(architecture: str) -> None:
    found = estimate(architecture, precision="bfloat16")
    assert found.cast_weights > found.student_weights / 8
    assert 0.5 < (found.activations + found.cast_weights) / saved_bytes(architecture, bfloat16=True) < 2
    assert estimate(architecture, precision="bfloat16", gradient_checkpointing=True).cast_weights == (
        found.cast_weights / 4
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_lora_and_checkpointing_need_less(architecture: str) -> None:
    full = estimate(architecture)
    assert estimate(architecture, train="lora").gradients < full.gradients / 2
    assert estimate(architecture, gradient_checkpointing=True).activations < full.activations / 2
    in_bfloat16 = estimate(architecture, precision="bfloat16", max_tokens=2 * TOKENS)
    assert in_bfloat16.activations == estimate(architecture, max_tokens=2 * TOKENS).activations / 2


def test_the_adapter_is_counted_exactly() -> None:
    from peft import LoraConfig, get_peft_model

    student = tiny_model("llama", layers=4)
    found = estimate("llama", train="lora", lora_rank=4).gradients
    with pytest.warns(FutureWarning):  # peft asks transformers 5 by the old name
        adapted = get_peft_model(student, LoraConfig(r=4, target_modules=list(lora_targets(student))))
    assert found == sum(value.nbytes for value in adapted.parameters() if value.requires_grad)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("processes", [2, 3, 16])
def test_divided_weights_gradients_and_moments_are_counted_exactly(architecture: str, processes: int) -> None:
    found = estimate(architecture, processes, sharding="fsdp")
    weights = sum(value.chunk(processes)[0].nbytes for value in tiny_model(architecture, layers=4).parameters())
    teacher = sum(value.chunk(processes)[0].numel() for value in tiny_model(architecture, layers=6).parameters())
    assert (found.student_weights, found.gradients, found.optimizer) == (weights, weights, 2 * weights)
    assert found.teacher_weights == 2 * teacher
    assert found.gathered_weights > 0


def test_several_processes_hold_less_each_only_where_weights_are_divided() -> None:
    assert estimate("llama", 4) == estimate("llama", 1) == estimate("llama", 1, sharding="fsdp")
    assert estimate("llama", 4, sharding="fsdp", train="lora").gradients < estimate("llama", train="lora").gradients


def test_a_pair_too_large_for_24_gib_fits_on_four_such_devices() -> None:
    common = {"vocab_size": 152_064, "tie_word_embeddings": False}
    large = Qwen2Config(hidden_size=5120, intermediate_size=13824, num_hidden_layers=48, **common)
    small = Qwen2Config(hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, **common)
    for config, heads in ((large, 40), (small, 12)):
        config.num_attention_heads, config.num_key_value_heads = heads, 8 if heads == 40 else 2
    with torch.device("meta"):
        student, teacher = (Qwen2ForCausalLM(config) for config in (small, large))
    settings = AlignmentSettings(gradient_checkpointing=True, precision="bfloat16", sharding="fsdp")
    one, four = (
        estimate_memory(student, teacher, settings, teacher_bytes=2, targets=(), processes=count).total / 2**30
        for count in (1, 4)
    )
    assert one > 48
    assert four < 24
