"""The loss of one packed example in alignment."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.alignment.teacher_cache import TeacherCache
from cosec.training.data.packing import PackedExample
from cosec.training.loop.sharding import decoder_layers, is_sharded, last_hidden_states, release
from cosec.training.losses.fused_distillation import Mixture, Projected, distillation_losses, measure
from cosec.training.losses.top_tokens import TopTokens
from cosec.training.objective import ExampleLoss


class Predictor:
    """A causal model, split into its body (hidden states) and its head (logits).

    Args:
        causal: A transformers causal language model, with or without an adapter.
        bfloat16_head: Whether a frozen head multiplies in bfloat16. One copy of it is kept.

    If the head is more than a linear map (soft-capped or scaled logits), the logits take the place of the hidden
    states.
    """

    def __init__(self, causal: Any, *, bfloat16_head: bool = False) -> None:
        self._causal = causal
        head = causal.get_output_embeddings()
        self.head: nn.Linear | None = head if isinstance(head, nn.Linear) and self._is_plain(head) else None
        self._head_copy: Tensor | None = None
        if bfloat16_head and self.head is not None and not self.head.weight.requires_grad:
            self._head_copy = None if is_sharded(self.head.weight) else self.head.weight.detach().bfloat16()

    def project(self, example: PackedExample) -> Projected:
        """Hidden states at the positions whose next token is learned, with the head."""
        device = self._causal.device
        inputs = model_inputs(example, device, self._causal.dtype)
        chosen = example.predicted.to(device)
        if self.head is None:
            logits = self._causal(**inputs).logits[0, :-1][chosen]
            return Projected(hidden=logits, weight=None, bias=None)
        hidden = last_hidden_states(self._causal, inputs, chosen)
        weight = self.head.weight if self._head_copy is None else self._head_copy
        return Projected(hidden=hidden, weight=weight, bias=self.head.bias)

    def release(self) -> None:
        """Free sharded weights that were gathered for a prediction without a backward pass."""
        release(self._causal)

    @torch.no_grad()
    def _is_plain(self, head: nn.Linear) -> bool:
        """Check on three tokens that logits are the head applied to the hidden states."""
        probe = torch.tensor([[0, 1, 0]], device=self._causal.device)
        inputs = {"input_ids": probe, "use_cache": False}
        hidden = last_hidden_states(self._causal, inputs, torch.ones_like(probe[0], dtype=torch.bool))
        logits = self._causal(**inputs).logits[0]
        plain = torch.allclose(head(hidden).float(), logits.float(), rtol=1e-3, atol=1e-3)
        self.release()
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentModels:
    """Student and teacher of a run."""

    student: Any
    """Causal language model, or a ``peft.PeftModel`` around one."""

    teacher: Any
    """Causal language model, frozen, on the student's device, or a filled ``TeacherCache``."""

    vocabulary: int
    """Number of entries that both share."""


class AlignmentObjective:
    """λ · divergence + (1 - λ) · cross-entropy over the response tokens of one example (paper IV-A).

    Args:
        models: Student and teacher.
        settings: Divergence, weight and precision.
    """

    def __init__(self, models: AlignmentModels, settings: AlignmentSettings) -> None:
        self._student_model, self._settings, self._vocabulary = models.student, settings, models.vocabulary
        peft = hasattr(models.student, "get_base_model")
        causal = models.student.get_base_model() if peft else models.student
        self._student = Predictor(causal, bfloat16_head=settings.precision == "bfloat16")
        stored = isinstance(models.teacher, TeacherCache)
        self._teacher = models.teacher if stored else Predictor(models.teacher)
        self._mixture = Mixture(kind=settings.divergence, weight=settings.kl_weight, skew=settings.skew)

    def parts(self, *, training: bool) -> tuple[str, ...]:
        """Cross-entropy and the chosen divergence; in validation both plain divergences too."""
        return ("ce", "kl") if training else ("ce", "kl", "reverse_kl", "forward_kl")

    def loss(self, example: PackedExample, *, training: bool, cache_key: str) -> ExampleLoss:
        """Compute the loss of ``example``; with ``training`` an adapter's dropout is on.

        Args:
            example: An example with at least one token to predict.
            training: False for validation.
            cache_key: Not used; a ``TeacherCache`` uses the example's own key.
        """
        _set_adapter_dropout(self._student_model, training)
        device = self._student_model.device
        targets = example.token_ids[1:][example.predicted].to(device)
        needs_teacher = not training or self._settings.divergence != "none"
        teacher = self._predict(example, training=training) if needs_teacher else None
        with self._autocast(device):
            student = self._student.project(example)
            total, text, distance = distillation_losses(
                student, teacher, targets, vocabulary=self._vocabulary, mixture=self._mixture
            )
            parts = {"ce": text, "kl": distance}
            if not training and teacher is not None:
                _, reverse, forward = measure(student, teacher, targets, vocabulary=self._vocabulary)
                parts |= {"reverse_kl": torch.tensor(reverse), "forward_kl": torch.tensor(forward)}
        if isinstance(self._teacher, Predictor):
            self._teacher.release()
        if not training:
            self._student.release()
        return ExampleLoss(total=total, parts=parts)

    @torch.no_grad()
    def _predict(self, example: PackedExample, *, training: bool) -> Projected | TopTokens:
        """The teacher's predictions, computed or read."""
        if isinstance(self._teacher, TeacherCache):
            return self._teacher.read("training" if training else "validation", example.key).to(
                self._student_model.device
            )
        return self._teacher.project(example)

    def _autocast(self, device: torch.device) -> Any:
        if self._settings.precision == "float32":
            return nullcontext()
        # Each weight is used once a pass, so copies of all of them would be kept for nothing.
        return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False)


def model_inputs(example: PackedExample, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Inputs of a transformers model for a row of documents that do not attend to each other.

    Returns:
        Token and position ids [1, tokens] and, for more than one document, an additive mask [1, 1, tokens, tokens].
    """
    inputs: dict[str, Any] = {"input_ids": example.token_ids.to(device).unsqueeze(0), "use_cache": False}
    document = example.document.to(device)
    if int(document[-1]) > 0:
        inputs["position_ids"] = example.position_ids.to(device).unsqueeze(0)
        visible = (document.unsqueeze(0) == document.unsqueeze(1)).tril()
        hidden = torch.zeros(visible.shape, dtype=dtype, device=device)
        inputs["attention_mask"] = hidden.masked_fill_(~visible, torch.finfo(dtype).min)[None, None]
    return inputs


def checkpoint_gradients(model: Any) -> None:
    """Keep only the layers' inputs for the backward pass. Results do not change; dropout stays off."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    # transformers renamed this; both take the arguments of torch's checkpoint first.
    enable = getattr(causal, "activation_checkpointing_enable", causal.gradient_checkpointing_enable)
    enable({"use_reentrant": False})
    for layer in decoder_layers(causal):
        # transformers checkpoints a layer only in training mode; its inner modules stay as they are.
        layer.training = True


def _set_adapter_dropout(model: Any, active: bool) -> None:
    for name, module in model.named_modules():
        if "lora_dropout" in name:
            module.train(active)
