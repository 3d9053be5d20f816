"""The loss of training examples of hardening.

The reference model is the same weights with the adapter switched off. It never changes, so its hidden states are
kept on disk after their first use.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from cosec.training.data.examples import RejectedFunction, TrainingExample
from cosec.training.losses.fused_security import fused_losses, fused_unlikelihood
from cosec.training.losses.security import functional_loss, security_loss, unlikelihood_loss
from cosec.training.settings import HardeningSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleLoss:
    """The loss of one example and what it is made of (scalars; only ``total`` is meant for ``backward``)."""

    total: Tensor
    parts: Mapping[str, Tensor]
    """Parts by the names that the objective's ``parts`` gives; NaN for a part that was not measured."""


class ReferenceCache:
    """Hidden states of the reference model, one file per example; processes may share the folder."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self._folder = folder
        self._room = limit_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> Tensor | None:
        """The stored states of ``key``, or None."""
        file = self._folder / f"{key}.safetensors"
        return load_file(file)["hidden"] if file.is_file() else None

    def put(self, key: str, hidden: Tensor) -> None:
        """Store ``hidden`` unless the limit is reached; readers never see a partly written file."""
        self._room -= hidden.nbytes
        if self._room < 0:
            return
        partial = self._folder / f"{key}.{os.getpid()}.partial"
        save_file({"hidden": hidden.cpu().contiguous()}, partial)
        partial.replace(self._folder / f"{key}.safetensors")


class HardeningObjective:
    """Security loss plus functional loss of one example (paper Eq. 8) for a causal model with a peft adapter.

    Args:
        model: A ``peft.PeftModel`` around a causal language model.
        settings: Direction and reduction of the losses.
        cache: Storage for the reference's hidden states; None computes them every time.
    """

    def __init__(self, model: Any, settings: HardeningSettings, cache: ReferenceCache | None = None) -> None:
        self._model = model
        self._settings = settings
        self._cache = cache
        causal = model.get_base_model()
        self._body, self._head = causal.base_model, causal.get_output_embeddings()
        self._dropouts = [module for name, module in model.named_modules() if "lora_dropout" in name]
        self._fused = self._head_is_plain()

    def parts(self, *, training: bool) -> tuple[str, ...]:
        """Names of the losses; the same in training and validation."""
        return ("security", "functional", *(("unlikelihood",) if self._settings.unlikelihood else ()))

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
        device = self._model.device
        self._model.eval()
        references = self._reference_states([example.token_ids for example in examples], cache_keys)
        rejected = [example.rejected if self._settings.unlikelihood else None for example in examples]
        for module in self._dropouts:  # the frozen layers always run in evaluation mode
            module.train(training)
        rows = [example.token_ids for example in examples] + [one.token_ids for one in rejected if one is not None]
        students = iter(self._states(rows))
        found = [
            self._pair_losses(next(students), reference.to(device), example.token_ids.to(device), example.changed)
            for example, reference in zip(examples, references, strict=True)
        ]
        unlikely = [None if one is None else self._unlikelihood(next(students), one) for one in rejected]
        return [self._together(*pair, one) for pair, one in zip(found, unlikely, strict=True)]

    def _together(self, security: Tensor, functional: Tensor, unlikelihood: Tensor | None) -> ExampleLoss:
        total, parts = security + functional, {"security": security.detach(), "functional": functional.detach()}
        if self._settings.unlikelihood:
            added = torch.zeros_like(security) if unlikelihood is None else unlikelihood
            total, parts["unlikelihood"] = total + self._settings.unlikelihood * added, added.detach()
        return ExampleLoss(total=total, parts=parts)

    def _pair_losses(
        self, student: Tensor, reference: Tensor, token_ids: Tensor, changed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Security and functional loss of one example."""
        targets, changed = token_ids[1:], changed[1:].to(token_ids.device)
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

    def _unlikelihood(self, student: Tensor, rejected: RejectedFunction) -> Tensor:
        targets, removed = rejected.token_ids[1:].to(student.device), rejected.removed[1:].to(student.device)
        reduction = self._settings.reduction
        if not self._fused:
            return unlikelihood_loss(student, targets, removed, reduction=reduction)
        return fused_unlikelihood(
            student,
            head_weight=self._head.weight,
            head_bias=self._head.bias,
            targets=targets,
            removed=removed,
            reduction=reduction,
        )

    def _states(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """Float[positions, width] of each row: hidden states if the loss is fused, else logits; one a predicted token.

        Rows are padded on the right, which no causal model sees at the positions before.
        """
        padded = pad_sequence(list(rows), batch_first=True).to(self._model.device)
        if self._fused:
            states = self._body(input_ids=padded, use_cache=False).last_hidden_state
        else:
            states = self._model(input_ids=padded, use_cache=False).logits
        return [state[: len(row) - 1] for state, row in zip(states, rows, strict=True)]

    @torch.no_grad()
    def _reference_states(self, rows: Sequence[Tensor], cache_keys: Sequence[str]) -> list[Tensor]:
        """The states of the model without its adapter, read from the cache if possible."""
        cache = self._cache if self._fused else None
        stored = [None if cache is None else cache.get(key) for key in cache_keys]
        if any(states is None for states in stored):
            with self._model.disable_adapter():
                computed = self._states(rows)
            for key, states, known in zip(cache_keys, computed, stored, strict=True):
                if cache is not None and known is None:
                    cache.put(key, states)
            return computed
        return [states for states in stored if states is not None]

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
