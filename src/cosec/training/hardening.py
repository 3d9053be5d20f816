"""Hardening, phase 2 of the method: train a LoRA adapter, or a prefix, on vulnerability-fix pairs.

After the first validation the output folder is a peft adapter at any time: the best one so far, with
``manifest.json``, ``curves.jsonl`` and ``curves.png``. ``checkpoints/`` holds what ``--resume`` needs. Until the end of
the first epoch the adapter is untrained, and loading it is an error.
"""

import hashlib
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from cosec.errors import DataError
from cosec.models.adapters import ADAPTER_WEIGHTS
from cosec.training.adapter_folder import write_adapter
from cosec.training.data.balancing import balance
from cosec.training.data.corpus import Corpus, Document
from cosec.training.data.examples import TrainingExample, tokenize_pairs
from cosec.training.data.offsets import beginning, without_beginning
from cosec.training.data.security_pairs import SecurityPair, load_pairs
from cosec.training.loop.checkpoint import CheckpointStore, RunState
from cosec.training.loop.curves import plots_available
from cosec.training.loop.fast_linear import speed_up
from cosec.training.loop.loop import Together, TrainingLoop
from cosec.training.loop.manifest import describe_data
from cosec.training.loop.progress import Progress, SilentProgress
from cosec.training.loop.run_folder import RunFolder, make_accelerator, prepare_folder
from cosec.training.objective import HardeningObjective, ReferenceCache
from cosec.training.prefix import attach_prefix
from cosec.training.settings import FREE_TO_CHANGE, HardeningSettings, TrainingSettings
from cosec.training.starting_adapter import StartingAdapter

CACHE_FOLDER = "reference-cache"
"""Name of a folder inside the output folder, present while a run is in progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """The loaded model to train, and how the adapter refers to it."""

    model: PreTrainedModel
    """The frozen model; ``harden`` inserts the adapter."""

    tokenizer: PreTrainedTokenizerBase
    name: str
    """Name for records: an embedded name, a hub id, or a folder or GGUF file."""

    sha256: str
    """Fingerprint of its weights."""

    lora_targets: tuple[str, ...]
    """Names of the modules to adapt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardeningResult:
    """How a run ended."""

    folder: Path
    state: RunState
    interrupted: bool
    """True after Ctrl-C or SIGTERM: the folder holds the best adapter so far and a checkpoint to resume from."""

    curves_drawn: bool
    """False if matplotlib is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedExamples:
    """The examples of a run."""

    training: list[TrainingExample]
    """The examples of one epoch: the originals, their repeats, then the functional texts."""

    validation: list[TrainingExample]
    sha256: str
    """Hash of the files that were read."""

    record: Mapping[str, Any]
    """Counts and hash for the manifest."""


def harden(
    base: BaseModel,
    data: Sequence[Path],
    settings: HardeningSettings,
    out: Path,
    *,
    texts: Corpus | None = None,
    start: StartingAdapter | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> HardeningResult:
    """Train an adapter on vulnerability fixes and keep the one with the lowest validation loss.

    Args:
        base: The model to train.
        data: Files or folders of security pairs.
        settings: The training settings.
        out: Folder of the adapter; it must not hold a run unless ``resume`` is set.
        texts: Code on which the model stays as it was: the functional loss counts at all of its tokens.
        start: The adapter to train on from; the settings must have its shape. None starts a fresh one.
        resume: Continue from the newest checkpoint in ``out``; the weights become those of an uninterrupted run.
        progress: Receives the events of the run.

    Raises:
        AdapterError: If ``start`` does not fit the base.
        DataError: If the pairs cannot be read.
        TrainingError: If training cannot go on, or ``out`` holds another run.
    """
    if start is not None:
        start.check_base(base.sha256)
    accelerator = make_accelerator()
    examples = prepare_examples(base.tokenizer, data, settings, texts)
    store = CheckpointStore(out, _identity(base, examples.sha256, settings, start))
    _prepare(out, store, accelerator, resume=resume)
    model = _attach(base, settings, accelerator.device, start)
    objective = HardeningObjective(model, settings, _reference_cache(out, settings, accelerator))
    run_folder = RunFolder(
        out,
        write_weights=lambda folder: write_adapter(model, base.name, folder) if folder else None,
        weights=(ADAPTER_WEIGHTS, "adapter"),
        facts=_facts(base, settings, start),
        data=examples.record,
        settings=settings,
        store=store,
        panels=("loss", *objective.parts(training=True)),
        accelerator=accelerator,
    )
    loop = TrainingLoop(
        objective=objective,
        together=_together(objective, settings),
        parameters={name: value for name, value in model.named_parameters() if value.requires_grad},
        training=examples.training,
        validation=examples.validation,
        settings=settings,
        store=store,
        accelerator=accelerator,
        progress=progress or SilentProgress(),
        on_validated=run_folder.publish,
    )
    return _run(loop, run_folder, out, accelerator, resume=resume)


def _prepare(out: Path, store: CheckpointStore, accelerator: Accelerator, *, resume: bool) -> None:
    prepare_folder(out, store, accelerator, resume=resume)
    if not resume:
        _remove_cache(out, accelerator)
    accelerator.wait_for_everyone()


def _run(
    loop: TrainingLoop[TrainingExample], run_folder: RunFolder, out: Path, accelerator: Accelerator, *, resume: bool
) -> HardeningResult:
    outcome = loop.run(resume=resume)
    run_folder.close(outcome.state, interrupted=outcome.interrupted)
    if not outcome.interrupted:
        _remove_cache(out, accelerator)
    drawn = plots_available()
    return HardeningResult(folder=out, state=outcome.state, interrupted=outcome.interrupted, curves_drawn=drawn)


def _facts(base: BaseModel, settings: HardeningSettings, start: StartingAdapter | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"base_model": {"name": base.name, "sha256": base.sha256}, "method": settings.method}
    if start is not None:
        facts["started_from"] = {"name": start.name, "adapter_sha256": start.sha256}
    return facts


def _attach(base: BaseModel, settings: HardeningSettings, device: torch.device, start: StartingAdapter | None) -> Any:
    if settings.method == "prefix":
        with _quiet_peft():
            model = attach_prefix(base.model, base.tokenizer, settings.prefix_tokens).to(device)
    else:
        model = attach_adapter(base, settings, device)
        if start is not None:
            start.copy_into(model)
    speed_up(model)
    return model


def _remove_cache(out: Path, accelerator: Accelerator) -> None:
    if accelerator.is_main_process:
        shutil.rmtree(out / CACHE_FOLDER, ignore_errors=True)


def _together(objective: HardeningObjective, settings: HardeningSettings) -> Together[TrainingExample] | None:
    count = settings.examples_per_pass
    return Together(objective.losses, count) if count > 1 else None


def prepare_examples(
    tokenizer: PreTrainedTokenizerBase,
    data: Sequence[Path],
    settings: HardeningSettings,
    texts: Corpus | None = None,
) -> PreparedExamples:
    """Read, split, tokenize and balance the pairs, and add the functional texts to the training examples.

    Raises:
        DataError: If the pairs cannot be read, or the side to learn is always too short.
        ModelError: If the tokenizer cannot tell which characters a token covers.
    """
    pairs = load_pairs(data, validation_share=settings.validation_share, seed=settings.seed)
    training_pairs, validation_pairs = pairs.training, pairs.validation
    if settings.side == "vulnerable":
        training_pairs = tuple(pair.reversed() for pair in training_pairs)
        validation_pairs = tuple(pair.reversed() for pair in validation_pairs)
    distinct, validation = (_tokenized(part, tokenizer, settings) for part in (training_pairs, validation_pairs))
    if not distinct:
        raise DataError(
            f"No usable training pairs in {', '.join(map(str, data))}: the side to learn has at most one token."
        )
    training = balance(
        distinct, cwe_floor=settings.cwe_floor, language_floor=settings.language_floor, seed=settings.seed
    )
    record = describe_data(pairs, training, len(distinct))
    record["skipped_too_short"] = len(training_pairs) + len(validation_pairs) - len(distinct) - len(validation)
    sha256 = pairs.sha256
    if texts is not None:
        kept = [piece for one in texts.training for piece in _without_change(one, tokenizer, settings.max_tokens)]
        learned = _tokenized(kept, tokenizer, settings)
        training += [replace(one, key=one.key + len(training_pairs)) for one in learned]
        too_short = len(kept) - len(learned)
        pieces = {"pieces": len(kept)} if len(kept) != len(texts.training) else {}
        record["functional_texts"] = {
            "sha256": texts.sha256,
            "texts": len(texts.training),
            **pieces,
            "skipped": {**texts.skipped, **({"too short": too_short} if too_short else {})},
        }
        digested = " ".join([sha256, texts.sha256, *pieces])
        sha256 = hashlib.sha256(digested.encode()).hexdigest()
    return PreparedExamples(training=training, validation=validation, sha256=sha256, record=record)


def _tokenized(
    pairs: Sequence[SecurityPair], tokenizer: PreTrainedTokenizerBase, settings: HardeningSettings
) -> list[TrainingExample]:
    """Pairs as tokens, without those that have fewer than two, of which none is predicted."""
    examples = tokenize_pairs(
        pairs,
        tokenizer,
        max_tokens=settings.max_tokens,
        with_rejected=settings.unlikelihood > 0,
        with_compared=settings.preference > 0,
    )
    return [example for example in examples if len(example.token_ids) > 1]


def _without_change(document: Document, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> Iterator[SecurityPair]:
    """A text, in pieces of at most ``max_tokens`` tokens, as pairs of equal sides, which have only unchanged ones."""
    start = beginning(tokenizer)
    text, room = without_beginning(document.prompt, tokenizer, start) + document.response, max_tokens - len(start)
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    starts = [0, *(offsets[token][0] for token in range(room, len(offsets), room)), len(text)]
    for first, last in pairwise(starts):
        piece = text[first:last]
        yield SecurityPair(
            origin=document.origin,
            function_name="",
            cwe="none",
            language="",
            commit=document.origin,
            before=piece,
            after=piece,
            spans=(),
        )


def attach_adapter(base: BaseModel, settings: TrainingSettings, device: torch.device) -> Any:
    """Put a fresh LoRA adapter, which changes nothing yet, into the model; the same seed gives the same start.

    Returns:
        The ``peft.PeftModel``; only the adapter's weights are trainable.
    """
    torch.manual_seed(settings.seed)
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.lora_targets or base.lora_targets),
        task_type="CAUSAL_LM",
    )
    with _quiet_peft():
        return get_peft_model(base.model, config).to(device)


@contextmanager
def _quiet_peft() -> Iterator[None]:
    """Ignore that peft asks transformers 5 for an attribute by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        yield


def _identity(
    base: BaseModel, data_sha256: str, settings: HardeningSettings, start: StartingAdapter | None
) -> dict[str, Any]:
    """Everything that must be equal for a run to continue another."""
    unused = set() if settings.preference else {"preference", "preference_beta"}  # older checkpoints lack these
    unused |= set() if settings.method == "prefix" else {"prefix_tokens"}
    unused |= set() if settings.functional_weight != 1 else {"functional_weight"}
    chosen = settings.model_dump(mode="json", exclude={*FREE_TO_CHANGE, *unused})
    started = {"start": start.sha256} if start else {}
    kind = {} if base.model.dtype == torch.float32 else {"dtype": str(base.model.dtype)}
    return {"base model": base.sha256, "data": data_sha256, **kind, **started, **chosen}


def _reference_cache(out: Path, settings: HardeningSettings, accelerator: Accelerator) -> ReferenceCache:
    """The cache that all processes share."""
    limit = settings.reference_cache_mib * 2**20
    return ReferenceCache(out / CACHE_FOLDER, limit_bytes=limit, processes=accelerator.num_processes)
