"""The settings of alignment. Defaults are the paper's Table IV; fields with another default say so."""

from collections.abc import Mapping, Set
from typing import Any, Literal

from pydantic import Field

from cosec.errors import SettingsError
from cosec.training.settings import TrainingSettings, read_recipe, validate_settings

Divergence = Literal["reverse-kl", "forward-kl", "skew-reverse-kl", "skew-forward-kl", "none"]
"""What is measured between student S and teacher T: ``reverse-kl`` is KL(S ‖ T) (the paper's), ``forward-kl``
KL(T ‖ S). The skewed ones put a mixture in the second place, which bounds them (DistiLLM, Ko et al. 2024):
KL(S ‖ skew·S + (1-skew)·T) and KL(T ‖ skew·T + (1-skew)·S). ``none`` trains on the text alone."""


StoredType = Literal["float16", "float32"]
"""Of the log-probabilities in a teacher's cache. float16 keeps 11 bits: a probability above 1/e is off by at most
0.03 %, one between e^-8 and e^-16 by at most 0.4 %."""


Sharding = Literal["none", "fsdp"]
"""How models are divided over processes: not at all, or by fully sharded data parallelism."""


class AlignmentSettings(TrainingSettings):
    """All settings of an alignment run."""

    divergence: Divergence = "reverse-kl"
    """Divergence minimised beside the cross-entropy: reverse-kl (paper), forward-kl (Table IX), their skewed forms, or
    none to train on the text alone."""

    kl_weight: float = Field(default=0.5, ge=0, le=1)
    """λ in λ · KL + (1 - λ) · CE; has no effect with --divergence none."""

    skew: float = Field(default=0.1, gt=0, lt=1)
    """Share of the first distribution in the mixture, for the skewed divergences."""

    teacher_top_k: int = Field(default=64, ge=1)
    """With --teacher-cache: number of the teacher's most likely tokens kept at each position."""

    teacher_stored_type: StoredType = "float16"
    """With --teacher-cache: type of the stored log-probabilities; float16 takes half the space."""

    train: Literal["full", "lora"] = "full"
    """Train all weights of the student, or a LoRA adapter that is merged into it when it is written."""

    max_tokens: int = Field(default=1024, ge=8)
    """Longest example; a longer response is skipped and counted, a longer source file is cut."""

    packing: bool = True
    """Pack several documents into an example without attention between them; otherwise one document per example."""

    validation_share: float = Field(default=0.05, ge=0, lt=1)
    """Share of the documents set aside for validation if the data have no split."""

    learning_rate: float = Field(default=1e-5, gt=0)
    """Peak learning rate of AdamW."""

    batch_size: int = Field(default=24, ge=1)
    """Examples per optimizer step, over all processes. Each runs by itself."""

    epochs: int = Field(default=3, ge=1)
    """Passes over the training examples."""

    gradient_checkpointing: bool = False
    """Keep only each layer's input and compute the rest again: less memory, about a third more time."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Type that the student computes in; its weights and the losses are float32."""

    sharding: Sharding = "none"
    """fsdp divides both models' weights, the gradients and AdamW's moments among the processes (torch's FSDP2), so that
    models fit which no single device can hold. Each layer's weights are sent at each use. With one process nothing is
    sharded."""

    log_every: int = Field(default=1, ge=1)
    """Steps between two points of the training curve."""


RECIPES = "align"
"""Folder of the alignment recipes in the package's ``recipes`` folder."""


def choose_alignment(
    recipe: str | None, flags: AlignmentSettings | None, models: Mapping[str, str | None]
) -> tuple[dict[str, str], AlignmentSettings]:
    """Combine a recipe with flags; only flags that were given override the recipe.

    Args:
        recipe: Name or file, or None.
        flags: The settings given as flags.
        models: ``teacher`` and ``student`` as given as flags, or None.

    Returns:
        The names of teacher and student, and the settings.

    Raises:
        SettingsError: If a model is named nowhere, or a setting is unknown, out of range or without effect beside the
            others.
    """
    entries = read_recipe(recipe, RECIPES) if recipe else {}
    names = {role: models[role] or entries.get(role) for role in ("teacher", "student")}
    for role, name in names.items():
        if not isinstance(name, str):
            raise SettingsError(f"No {role}: name it with --{role}, or in the recipe.")
    given: Mapping[str, Any] = flags.model_dump(include=flags.model_fields_set) if flags else {}
    chosen = {key: value for key, value in entries.items() if key not in names}
    settings = validate_settings(AlignmentSettings, {**chosen, **given})
    _refuse_unused({*chosen, *given}, settings)
    return {role: str(name) for role, name in names.items()}, settings


def _refuse_unused(named: Set[str], settings: AlignmentSettings) -> None:
    """Refuse what was set for another kind of run."""
    adapter = sorted(name for name in named if name.startswith("lora_"))
    if adapter and settings.train != "lora":
        raise SettingsError(f"{', '.join(adapter)}: an adapter is trained only with train = lora; set it, too.")
    if "skew" in named and not settings.divergence.startswith("skew-"):
        raise SettingsError(f"skew: the divergence {settings.divergence} has none; leave it out.")
