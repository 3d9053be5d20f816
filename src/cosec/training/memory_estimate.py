"""How much memory an alignment run will need on each device, from the models' outlines alone.

Weights, gradients and AdamW's moments are counted exactly; activations are estimated from the widths of the student's
layers, without what a framework adds around them. No weights are loaded.
"""

from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from cosec.training.alignment_settings import AlignmentSettings
from cosec.training.fused_distillation import TABLE_BYTES

FLOAT32 = 4
MOMENTS = 2
"""Numbers that AdamW keeps for each trained weight."""

TABLES = 6
"""Tables of logits that exist at once, at most; see ``fused_distillation``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Bytes on one device; each of several processes holds all of it."""

    student_weights: int
    gradients: int
    optimizer: int
    teacher_weights: int
    activations: int
    losses: int
    """Chunks of logits and, where the head is trained, its gradient before it is added."""

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, field.name) for field in fields(self))


def estimate_memory(
    student: nn.Module, teacher: nn.Module, settings: AlignmentSettings, *, teacher_bytes: int, targets: tuple[str, ...]
) -> MemoryEstimate:
    """Estimate a run's memory.

    Args:
        student: Its outline (on the device ``meta``) or the model itself.
        teacher: The same.
        settings: Lengths, what is trained, precision.
        teacher_bytes: Bytes of one of the teacher's numbers.
        targets: The modules that an adapter would change.
    """
    config: Any = student.config
    weights = _count(student)
    full = settings.train == "full"
    trained = weights if full else _adapter_size(student, targets, settings.lora_rank)
    compute_bytes = FLOAT32 if settings.precision == "float32" else 2
    head = config.vocab_size * config.hidden_size * FLOAT32 if full else 0
    return MemoryEstimate(
        student_weights=FLOAT32 * (weights if full else weights + trained),
        gradients=FLOAT32 * trained,
        optimizer=FLOAT32 * MOMENTS * trained,
        teacher_weights=teacher_bytes * _count(teacher),
        activations=compute_bytes * _activations(config, settings),
        losses=TABLES * TABLE_BYTES + head,
    )


def _activations(config: Any, settings: AlignmentSettings) -> int:
    """Numbers kept for the backward pass of one example; with checkpointing, all layers' inputs and one whole layer."""
    hidden, tokens, layers = config.hidden_size, settings.max_tokens, config.num_hidden_layers
    feed_forward = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * hidden
    # Inputs of both branches and norms, queries, keys, values and their mix; gate, up and their product.
    layer = tokens * (9 * hidden + 3 * feed_forward)
    if getattr(config, "_attn_implementation", "") == "eager":
        layer += 2 * tokens * tokens * config.num_attention_heads
    if settings.gradient_checkpointing:
        return int(layers * tokens * hidden + layer)
    return int(layers * layer)


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _adapter_size(model: nn.Module, targets: tuple[str, ...], rank: int) -> int:
    return sum(
        rank * (module.in_features + module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and any(name == target or name.endswith(f".{target}") for target in targets)
    )
