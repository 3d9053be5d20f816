"""The settings of training: one object gives the flags, the TOML recipe and the run's manifest.

This module has the settings that all phases share and those of hardening; `cosec.training.alignment.settings` has those
of alignment. The defaults are the paper's Table IV; fields on which the paper contradicts itself say so.
"""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosec.errors import SettingsError
from cosec.files import why_unreadable

Method = Literal["cosec-plus", "cosec", "lora", "prefix"]
"""How a security model is trained: by CoSec+, by CoSec, by LoRA on the target itself, or by a prefix, as in SVEN."""

KlDirection = Literal["reverse", "forward"]
"""``reverse``: the student's probabilities weigh the difference (CoSec+). ``forward``: the reference's do (CoSec)."""

Side = Literal["fixed", "vulnerable"]
"""Of a pair: what an adapter is to write, or what an anti-expert, whose opposite `steer` follows, is to write."""

Reduction = Literal["mean", "sum"]
"""Over the positions that take part. The paper prints sums; its code takes means."""


class TrainingSettings(BaseModel):
    """Settings that all phases of training share."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_tokens: int = Field(default=1024, ge=8)
    """Longest example, in tokens."""

    lora_rank: int = Field(default=8, ge=1)
    """Rank of the adapter."""

    lora_alpha: float = Field(default=16, gt=0)
    """Scale of the adapter; its output is multiplied by alpha / rank."""

    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout before the adapter (Table IV; the paper's text says 0.1). The frozen weights run without dropout."""

    lora_targets: tuple[str, ...] = ()
    """Module names to adapt; empty means those of the model's family."""

    learning_rate: float = Field(default=5e-5, gt=0)
    """Peak learning rate of AdamW."""

    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Learning rate after the warm-up: a linear or cosine decay to zero at the last step, or constant."""

    warmup_steps: int = Field(default=50, ge=0)
    """Optimizer steps of linear warm-up."""

    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's weight decay. The paper's Table IV prints 16, a misprint; this is AdamW's usual value."""

    adam_epsilon: float = Field(default=1e-8, gt=0)
    """AdamW's epsilon."""

    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""

    batch_size: int = Field(default=2, ge=1)
    """Examples per optimizer step, over all processes. Each runs by itself."""

    epochs: int = Field(default=8, ge=1)
    """Passes over the training examples."""

    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps at the latest."""

    patience: int = Field(default=0, ge=0)
    """Stop after this many epochs without a lower validation loss; 0 runs all epochs, as the paper does."""

    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seed of the split, the order, the adapter's start and the dropout."""

    log_every: int = Field(default=10, ge=1)
    """Steps between two points of the training curve."""

    checkpoint_minutes: float = Field(default=10, gt=0)
    """Time between checkpoints inside an epoch."""


FREE_TO_CHANGE = ("checkpoint_minutes", "reference_cache_mib", "patience", "log_every", "sharding")
"""Settings that a resumed run may change, because the weights do not depend on them."""


class HardeningSettings(TrainingSettings):
    """All settings of a hardening run."""

    method: Method = "cosec-plus"
    """Name of the training method, which is recorded; the settings below define what the method does.
    The recipe of the same name holds its settings: cosec-plus (reverse KL, balanced), cosec (forward KL, not
    balanced), lora (like cosec-plus, but --base is the target model itself, which is then used alone, without
    co-decoding), prefix (beyond the paper: virtual tokens are trained in place of an adapter, as in SVEN)."""

    prefix_tokens: int = Field(default=8, ge=1)
    """Virtual tokens of a prefix, for ``prefix`` alone; they take as much of the model's context."""

    kl_direction: KlDirection = "reverse"
    """Divergence that keeps the unchanged tokens as they were: reverse is KL(student || reference)."""

    reduction: Reduction = "mean"
    """How the losses of one example's tokens are put together. The paper prints sums; its code takes means."""

    functional_weight: float = Field(default=1, ge=0)
    """Weight of the loss that keeps the unchanged tokens as they were, beside that of the changed tokens, which is 1
    (paper: 1)."""

    side: Side = "fixed"
    """Side of each pair that is learned. An adapter trained on the vulnerable side is an anti-expert."""

    unlikelihood: float = Field(default=0, ge=0)
    """Weight of a loss that makes the removed tokens of the vulnerable function unlikely (Welleck et al., 2020);
    0 leaves the vulnerable function out, as the paper does."""

    preference: float = Field(default=0, ge=0)
    """Weight of a preference loss that compares the changed tokens of both sides of a pair with the model before
    training (DPO, Rafailov et al., 2023); 0 leaves it out, as the paper does."""

    preference_beta: float = Field(default=2.0, gt=0)
    """DPO's beta: factor of the difference in log-likelihood between the two sides, in nats. With
    ``reduction = "sum"`` the differences are larger, and 0.1 is usual."""

    examples_per_pass: int = Field(default=1, ge=1)
    """Examples of a batch that go through the model together, padded to the longest; more is faster on a GPU."""

    cwe_floor: int = Field(default=60, ge=0)
    """Repeat the examples of a CWE up to this many (paper: n = 60); 0 switches it off."""

    language_floor: int = Field(default=10, ge=0)
    """Inside each CWE, repeat the examples of a language up to this many (paper: k = 10); 0 switches it off."""

    max_tokens: int = Field(default=1024, ge=8)
    """Longest piece of a function; of a longer one the window around its change is kept."""

    validation_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the commits set aside for validation when the data bring no val/ folder."""

    batch_size: int = Field(default=2, ge=1)
    """Examples per optimizer step, over all processes (paper: batch 1 x accumulation 2). Each runs by itself."""

    epochs: int = Field(default=8, ge=1)
    """Passes over the balanced training pairs."""

    reference_cache_mib: int = Field(default=4096, ge=0)
    """Room on disk for the hidden states of the model before training, which are the same in every epoch."""


SomeSettings = TypeVar("SomeSettings", bound=BaseModel)
"""The type of the settings that are read."""


def shipped_recipes(folder: str = ".") -> dict[str, Path]:
    """The recipes that come with the package, by name.

    Args:
        folder: Below ``recipes/``: ``.`` has those of security training, ``align`` those of alignment.
    """
    place = Path(str(files("cosec"))) / "data" / "recipes" / folder
    return {file.stem: file for file in sorted(place.glob("*.toml"), key=lambda file: file.stem)}


def read_recipe(name_or_file: str, folder: str = ".") -> dict[str, Any]:
    """Read the settings of a shipped recipe (by name) or of a TOML file.

    Args:
        name_or_file: What the user wrote.
        folder: As for ``shipped_recipes``.

    Raises:
        SettingsError: If there is no such recipe or the file is not TOML.
    """
    shipped = shipped_recipes(folder)
    file = shipped.get(name_or_file, Path(name_or_file))
    if not file.is_file():
        names = f"shipped are {', '.join(shipped)}, or " if shipped else ""
        raise SettingsError(f"No recipe {name_or_file!r}; {names}give a .toml file.")
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Cannot read the recipe {file}: {why_unreadable(error)}.") from error


def make_settings(recipe: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> HardeningSettings:
    """Build the settings of security training from a recipe and from what was set by hand, which wins.

    Raises:
        SettingsError: If a setting is unknown, out of range or not one of the method; says which and, for a misspelt
            one, what was probably meant.
    """
    entries = {**recipe, **(overrides or {})}
    settings = validate_settings(HardeningSettings, entries)
    unused = [name for name in entries if name.startswith("lora_" if settings.method == "prefix" else "prefix_")]
    if unused:
        raise SettingsError(f"The method {settings.method} has no {', '.join(unused)}; leave it out.")
    return settings


def validate_settings(kind: type[SomeSettings], entries: Mapping[str, Any]) -> SomeSettings:
    """Build settings of one kind.

    Raises:
        SettingsError: As ``make_settings``.
    """
    try:
        return kind.model_validate(dict(entries))
    except ValidationError as error:
        raise SettingsError(" ".join(_explain(problem, kind) for problem in error.errors())) from None


def _explain(problem: Any, kind: type[BaseModel]) -> str:
    """One problem in one sentence."""
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] != "extra_forbidden":
        return f"Setting {name}: {problem['msg']} (found {problem['input']!r})."
    close = get_close_matches(name, kind.model_fields, n=1)
    return f"Unknown setting {name!r}." + (f" Did you mean {close[0]!r}?" if close else "")


def choose_settings(recipe: str | None, flags: HardeningSettings | None) -> HardeningSettings:
    """Combine a recipe with flags; only flags that were given override the recipe.

    Args:
        recipe: Name or file, or None for the recipe of the method.
        flags: The settings given as flags.

    Raises:
        SettingsError: If ``--method`` contradicts the recipe, or a setting is unknown or out of range.
    """
    given: Mapping[str, Any] = flags.model_dump(include=flags.model_fields_set) if flags else {}
    method = given.get("method")
    entries = read_recipe(recipe or method or "cosec-plus")
    if recipe and method and entries.get("method", method) != method:
        raise SettingsError(
            f"--method {method} contradicts the recipe {recipe}, which is for {entries['method']}; give one of them."
        )
    return make_settings(entries, given)
