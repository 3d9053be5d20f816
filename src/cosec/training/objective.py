"""The loss of training examples of hardening.

The reference model is the same weights with the adapter or prefix switched off. It never changes, so its hidden states
and likelihoods are kept on disk after their first use.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from cosec.training.data.examples import RejectedFunction, TrainingExample
from cosec.training.losses.fused_security import MarkedLoss, fused_losses, fused_marked_loss
from cosec.training.losses.security import functional_loss, preference_loss, security_loss, unlikelihood_loss
from cosec.training.settings import HardeningSettings

_MARKED_LOSSES: Mapping[MarkedLoss, Callable[..., Tensor]] = {
    "security": security_loss,
    "unlikelihood": unlikelihood_loss,
}
"""The plain formulas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleLoss:
    """The loss of one example and what it is made of (scalars; only ``total`` is meant for ``backward``)."""

    total: Tensor
    parts: Mapping[str, Tensor]
    """Parts by the names that the objective's ``parts`` gives; NaN for a part that was not measured."""


class ReferenceCache:
    """What the reference model gives, one file per example; processes may share the folder.

    Args:
        folder: The folder of the files; those of an interrupted run are used.
        limit_bytes: Size that the folder may reach.
        processes: Number of processes that share it; each may fill an equal part of the room that is left.
    """

    def __init__(self, folder: Path, *, limit_bytes: int, processes: int = 1) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        stored = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        self._room = (limit_bytes - stored) // processes

    def get(self, key: str) -> Tensor | None:
        """The tensor stored under ``key``; None if there is none, or a file that was cut off by a power failure."""
        try:
            return load_file(self._folder / f"{key}.safetensors")["hidden"]
        except (OSError, SafetensorError):
            return None

    def put(self, key: str, hidden: Tensor) -> None:
        """Store a tensor unless the limit is reached; readers never see a partly written file."""
        self._room -= hidden.nbytes
        if self._room < 0:
            return
        partial = self._folder / f"{key}.{os.getpid()}.partial"
        save_file({"hidden": hidden.cpu().contiguous()}, partial)
        partial.replace(self._folder / f"{key}.safetensors")


class HardeningObjective:
    """Security loss plus weighted functional loss (paper Eq. 8) for a causal model with a peft adapter or prefix.

    Args:
        model: A ``peft.PeftModel`` around a causal language model.
        settings: Direction and reduction of the losses.
        cache: Storage for what the reference gives; None computes it every time.
    """

    def __init__(self, model: Any, settings: HardeningSettings, cache: ReferenceCache | None = None) -> None:
        self._model = model
        self._settings = settings
        self._cache = cache
        self._causal = model.get_base_model()
        self._body, self._head = self._causal.base_model, self._causal.get_output_embeddings()
        self._has_prefix: bool = model.active_peft_config.is_prompt_learning
        self._dropouts = [module for name, module in model.named_modules() if "lora_dropout" in name]
        self._fused = self._head_is_plain()
        weights = {"unlikelihood": settings.unlikelihood, "preference": settings.preference}
        self._weights = {name: weight for name, weight in weights.items() if weight}

    def parts(self, *, training: bool) -> tuple[str, ...]:
        """Names of the losses; the same in training and validation."""
        return ("security", "functional", *self._weights)

    @property
    def fused(self) -> bool:
        """Whether the model's logits are its frozen linear head applied to its body, so that the fused loss holds."""
        return self._fused

    def loss(self, example: TrainingExample, *, training: bool, cache_key: str) -> ExampleLoss:
        """Compute the loss of ``example``; with ``training`` the adapter's dropout is on.

        Args:
            example: An example of at least two tokens.
            training: False for validation.
            cache_key: Name of the example in the cache.
        """
        return self.losses([example], training=training, cache_keys=[cache_key])[0]

    def losses(
        self, examples: Sequence[TrainingExample], *, training: bool, cache_keys: Sequence[str]
    ) -> list[ExampleLoss]:
        """Compute the losses of some examples, which go through the model together.

        Args:
            examples: Examples of at least two tokens each.
            training: False for validation.
            cache_keys: Name of each example in the cache.
        """
        self._model.eval()
        references = self._reference_states([example.token_ids for example in examples], cache_keys)
        baselines = self._baselines(examples, cache_keys)
        for module in self._dropouts:  # the frozen layers always run in evaluation mode
            module.train(training)
        rejected = [example.rejected if self._weights else None for example in examples]
        rows = [example.token_ids for example in examples] + [one.token_ids for one in rejected if one is not None]
        states = self._states(rows)
        of_rejected = iter(states[len(examples) :])
        vulnerable = [None if one is None else next(of_rejected) for one in rejected]
        return [
            self._example_loss(*each)
            for each in zip(examples, states[: len(examples)], references, vulnerable, baselines, strict=True)
        ]

    def _example_loss(
        self,
        example: TrainingExample,
        student: Tensor,
        reference: Tensor,
        vulnerable: Tensor | None,
        baseline: Tensor | None,
    ) -> ExampleLoss:
        """The loss of one example from states.

        Args:
            example: The example.
            student: States of the model being trained on the fixed function.
            reference: States of the reference model on the fixed function.
            vulnerable: States of the model being trained on the vulnerable function, if that is used.
            baseline: Negative log likelihood of the compared tokens under the reference model, if there are any.
        """
        reference = reference.to(student.device)
        security, functional = self._pair_losses(student, reference, example)
        added = dict.fromkeys(self._weights, torch.zeros_like(security))
        if vulnerable is not None and example.rejected is not None:
            rejected = example.rejected
            if "unlikelihood" in added:
                added["unlikelihood"] = self._marked_loss(
                    "unlikelihood", vulnerable, rejected.token_ids, rejected.removed
                )
            if baseline is not None:
                added["preference"] = preference_loss(
                    security,
                    self._marked_loss("security", reference, example.token_ids, example.changed),
                    self._marked_loss("security", vulnerable, rejected.token_ids, rejected.compared),
                    baseline.to(student.device),
                    beta=self._settings.preference_beta,
                )
        total = security + self._settings.functional_weight * functional
        for name, value in added.items():
            total = total + self._weights[name] * value
        parts = {"security": security, "functional": functional, **added}
        return ExampleLoss(total=total, parts={name: value.detach() for name, value in parts.items()})

    def _pair_losses(self, student: Tensor, reference: Tensor, example: TrainingExample) -> tuple[Tensor, Tensor]:
        """Security and functional loss of one example."""
        targets, changed = example.token_ids[1:].to(student.device), example.changed[1:].to(student.device)
        kl_direction, reduction = self._settings.kl_direction, self._settings.reduction
        if self._fused:
            return fused_losses(
                student,
                reference,
                head_weight=self._head.weight,
                head_bias=self._head.bias,
                targets=targets,
                changed=changed,
                direction=kl_direction,
                reduction=reduction,
            )
        return (
            security_loss(student, targets, changed, reduction=reduction),
            functional_loss(student, reference, changed, direction=kl_direction, reduction=reduction),
        )

    def _marked_loss(self, kind: MarkedLoss, states: Tensor, token_ids: Tensor, marked: Tensor) -> Tensor:
        """A loss of the marked tokens; ``security`` is their negative log likelihood."""
        targets, marked = token_ids[1:].to(states.device), marked[1:].to(states.device)
        reduction = self._settings.reduction
        if not self._fused:
            return _MARKED_LOSSES[kind](states, targets, marked, reduction=reduction)
        return fused_marked_loss(
            kind,
            states,
            head_weight=self._head.weight,
            head_bias=self._head.bias,
            targets=targets,
            marked=marked,
            reduction=reduction,
        )

    def _states(self, rows: Sequence[Tensor], *, trained: bool = True) -> list[Tensor]:
        """Float[positions, width] of each row: hidden states if the loss is fused, else logits; one a predicted token.

        Rows are padded on the right, which no causal model sees at the positions before.

        Args:
            rows: The tokens of each row.
            trained: False for the reference model.
        """
        inputs: dict[str, Any] = {
            "input_ids": pad_sequence(list(rows), batch_first=True).to(self._model.device),
            "use_cache": False,
        }
        if trained and self._has_prefix:
            inputs["past_key_values"] = self._model.get_prompt(len(rows))
        with nullcontext() if trained else self._model.disable_adapter():
            states = self._body(**inputs).last_hidden_state if self._fused else self._causal(**inputs).logits
        return [state[: len(row) - 1] for state, row in zip(states, rows, strict=True)]

    @torch.no_grad()
    def _reference_states(self, rows: Sequence[Tensor], cache_keys: Sequence[str]) -> list[Tensor]:
        """The states of the model without its adapter, read from the cache if possible."""
        cache = self._cache if self._fused else None
        stored = [None if cache is None else cache.get(key) for key in cache_keys]
        if any(states is None for states in stored):
            computed = self._states(rows, trained=False)
            for key, states, known in zip(cache_keys, computed, stored, strict=True):
                if cache is not None and known is None:
                    cache.put(key, states)
            return computed
        return [states for states in stored if states is not None]

    @torch.no_grad()
    def _baselines(self, examples: Sequence[TrainingExample], cache_keys: Sequence[str]) -> list[Tensor | None]:
        """Negative log likelihood of each example's compared tokens under the reference; None without a preference."""
        found: list[Tensor | None] = [None] * len(examples)
        missing: list[tuple[int, RejectedFunction]] = []
        for index, example in enumerate(examples):
            rejected = example.rejected if "preference" in self._weights else None
            if rejected is None or not (rejected.compared[1:].any() and example.changed[1:].any()):
                continue
            found[index] = self._cache.get(f"{cache_keys[index]}-vulnerable") if self._cache else None
            if found[index] is None:
                missing.append((index, rejected))
        if missing:
            states = self._states([rejected.token_ids for _, rejected in missing], trained=False)
            for (index, rejected), state in zip(missing, states, strict=True):
                likelihood = self._marked_loss("security", state, rejected.token_ids, rejected.compared)
                found[index] = likelihood
                if self._cache:
                    self._cache.put(f"{cache_keys[index]}-vulnerable", likelihood)
        return found

    @torch.no_grad()
    def _head_is_plain(self) -> bool:
        """Check on two tokens that the head is frozen, linear and the only thing between body and logits."""
        self._fused = True
        if not isinstance(self._head, nn.Linear) or self._head.weight.requires_grad:
            return False
        probe = torch.tensor([[0, 1, 0]], device=self._model.device)
        self._model.eval()
        logits = self._model(input_ids=probe, use_cache=False).logits[0, :-1]
        return torch.allclose(self._head(self._states([probe[0]])[0]).float(), logits.float(), rtol=1e-3, atol=1e-3)
