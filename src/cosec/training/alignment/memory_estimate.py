"""How much memory an alignment run will need on each device, from the models' outlines alone.

Weights, gradients and AdamW's moments are counted exactly; activations, and what is gathered of divided weights, are
estimated from the sizes of the layers, without what a framework adds around them. No weights are loaded.
"""

from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from cosec.models.internals import attention_of
from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.loop.sharding import decoder_layers
from cosec.training.losses.fused_distillation import TABLE_BYTES

FLOAT32 = 4
"""Bytes of a float32 number."""

BFLOAT16 = 2
"""Bytes of a bfloat16 number."""

MOMENTS = 2
"""Numbers that AdamW keeps for each trained weight."""

TABLES = 6
"""Tables of logits that exist at once, at most; see ``fused_distillation``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Bytes on one device, one process to each."""

    student_weights: int
    gradients: int
    optimizer: int
    teacher_weights: int
    activations: int
    cast_weights: int
    """With --precision bfloat16, copies of the layers' weights: of all, or with checkpointing of one."""

    gathered_weights: int
    """Where weights are divided: those that are whole at one time, with their gradients."""

    losses: int
    """Chunks of logits; of a trained head its gradient before it is added, of a frozen one its copy in bfloat16."""

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, field.name) for field in fields(self))


def estimate_memory(
    student: nn.Module,
    teacher: nn.Module,
    settings: AlignmentSettings,
    *,
    teacher_bytes: int,
    targets: tuple[str, ...],
    processes: int = 1,
) -> MemoryEstimate:
    """Estimate a run's memory.

    Args:
        student: Its outline (on the device ``meta``) or the model itself.
        teacher: The same.
        settings: Lengths, what is trained, precision.
        teacher_bytes: Bytes of one of the teacher's numbers.
        targets: The modules that an adapter would change.
        processes: How many there are, each on a device of its own.
    """
    config: Any = student.config
    parts = processes if settings.sharding == "fsdp" else 1
    full = settings.train == "full"
    weights = _held(student, parts)
    trained = weights if full else _held_of_adapter(student, targets, settings.lora_rank, parts)
    casts = settings.precision == "bfloat16"
    layer_copies = 1 if settings.gradient_checkpointing else len(decoder_layers(student))
    copied = BFLOAT16 if casts and parts == 1 else 0
    head = config.vocab_size * config.hidden_size * (FLOAT32 if full else copied)
    return MemoryEstimate(
        student_weights=FLOAT32 * (weights if full else weights + trained),
        gradients=FLOAT32 * trained,
        optimizer=FLOAT32 * MOMENTS * trained,
        teacher_weights=teacher_bytes * _held(teacher, parts),
        activations=(BFLOAT16 if casts else FLOAT32) * _activations(config, settings),
        cast_weights=BFLOAT16 * layer_copies * _sizes(student)[1] if casts else 0,
        gathered_weights=_gathered(_sizes(student), _sizes(teacher), teacher_bytes, full) if parts > 1 else 0,
        losses=TABLES * TABLE_BYTES + head,
    )


def _activations(config: Any, settings: AlignmentSettings) -> int:
    """Numbers kept for the backward pass of one example; with checkpointing, all layers' inputs and one whole layer."""
    hidden, tokens, layers = config.hidden_size, settings.max_tokens, config.num_hidden_layers
    feed_forward = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * hidden
    # Inputs of both branches and norms, queries, keys, values and their mix; gate, up and their product.
    layer = tokens * (9 * hidden + 3 * feed_forward)
    if attention_of(config) == "eager":
        layer += 2 * tokens * tokens * config.num_attention_heads
    if settings.gradient_checkpointing:
        return int(layers * tokens * hidden + layer)
    return int(layers * layer)


def _gathered(student: tuple[int, int], teacher: tuple[int, int], teacher_bytes: int, full: bool) -> int:
    """Bytes at the worst moment, from the sizes of root and layer.

    A layer is there with the next one, which comes through a buffer of its size; a group's gradient is copied before it
    is divided. The teacher's root is there until the losses are computed, the student's until the end of the step.
    """
    root, layer = (FLOAT32 * size for size in student)
    teacher_root, teacher_layer = (teacher_bytes * size for size in teacher)
    teaching = teacher_root + max(teacher_root, 3 * teacher_layer)
    predicting = teacher_root + root + max(root, 3 * layer)
    learning = root + 3 * layer + (root + 2 * layer if full else 0)
    return max(teaching, predicting, learning)


def _sizes(model: nn.Module) -> tuple[int, int]:
    """Weights outside of the layers, and of the largest layer."""
    layers = [_held(layer, 1) for layer in decoder_layers(model)]
    return _held(model, 1) - sum(layers), max(layers)


def _held(model: nn.Module, parts: int) -> int:
    """Weights of the largest of ``parts`` slices: each tensor is cut along its first axis."""
    return sum(-(-len(each) // parts) * each[0].numel() for each in model.parameters())


def _held_of_adapter(model: nn.Module, targets: tuple[str, ...], rank: int, parts: int) -> int:
    return sum(
        -(-rank // parts) * module.in_features + -(-module.out_features // parts) * rank
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and any(name == target or name.endswith(f".{target}") for target in targets)
    )
