"""A pair of models that is ready for decoding, and the lanes made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from transformers import PreTrainedTokenizerFast

from cosec.decoding.engine.lanes import Lanes, PairedLanes, TargetLane, TwoModelLanes
from cosec.decoding.rules.rule_file import own_rule
from cosec.decoding.rules.schema import Contrast, rules_without_base
from cosec.errors import ModelError, SettingsError
from cosec.models.adapters import is_adapter
from cosec.models.description import cache_values_per_token
from cosec.models.loading.load import ModelPair, resolve_model, resolve_security
from cosec.models.vocabulary import shared_vocabulary
from cosec.runtime import AdapterSwitch, TorchTokenModel, attach_adapter, prepare_for_decoding


def carried_rule(target: str, security: str) -> Mapping[str, object]:
    """Read the rule that a security model carries, before any weights are loaded.

    Args:
        target: The model to harden, as for ``load_pair``.
        security: Its security model or adapter, as for ``load_pair``.

    Returns:
        The rule's name and settings; empty if it carries none.

    Raises:
        ModelError: If one of the models does not exist.
        SettingsError: If the adapter's ``rule.toml`` is not a rule.
    """
    try:
        folder = resolve_security(target, security)
    except ModelError:
        resolve_model(target)  # if the target does not exist either, that is the message to show
        raise
    return own_rule(folder) if folder is not None and is_adapter(folder) else {}


class PreparedPair:
    """A pair of models whose vocabularies match, with the adapter attached and the weights packed.

    All batches of the pair share these weights, which can be used for inference only.

    Args:
        pair: The loaded models.

    Raises:
        VocabularyMismatch: If the two models' tokens do not mean the same.
        SettingsError: If the adapter's ``rule.toml`` is not a rule.
    """

    def __init__(self, pair: ModelPair) -> None:
        self.pair = pair
        self.tokenizer: PreTrainedTokenizerFast = pair.target.tokenizer
        self.stop_token_ids = pair.target.stop_token_ids
        self.context_length = pair.target.context_length
        self.own_rule: Mapping[str, object] = {} if pair.adapter is None else own_rule(pair.adapter.path)
        """Name and settings of the rule that the adapter carries; empty stands for the paper's rule."""
        self._switch: AdapterSwitch | None = None
        self._vocabulary_size = len(pair.target.tokenizer)
        if pair.security is not None:
            self._vocabulary_size = shared_vocabulary(pair.target, pair.security).size
            self.context_length = min(self.context_length, pair.security.context_length)
        if pair.adapter is not None:
            base = pair.target if pair.security is None else pair.security
            anti = None if pair.anti_expert is None else (pair.anti_expert.weights, pair.anti_expert.scales)
            self._switch = attach_adapter(base.model, pair.adapter.weights, pair.adapter.scales, anti)
        for loaded in (pair.target, pair.security):
            if loaded is not None:
                prepare_for_decoding(loaded.model)

    @property
    def shared_weights(self) -> bool:
        """Whether the security model is an adapter on the target's weights."""
        return self._switch is not None and self.pair.security is None

    @property
    def has_security(self) -> bool:
        """Whether the pair has a security model."""
        return self._switch is not None or self.pair.security is not None

    @property
    def has_base(self) -> bool:
        """Whether the security model is an adapter; rules can then compare it with its own base."""
        return self._switch is not None

    @property
    def has_anti_expert(self) -> bool:
        """Whether an anti-expert was loaded beside the adapter."""
        return self.pair.anti_expert is not None

    def check_contrast(self, contrast: Contrast) -> None:
        """Check that the pair has what a rule compares the security model with.

        Raises:
            SettingsError: If it has no such model.
        """
        if contrast == "base" and not self.has_base:
            raise SettingsError(
                "This rule compares the security model with its own base, and the security model is a whole model: "
                f"give a LoRA adapter with --security, or choose --rule {rules_without_base()}."
            )
        if contrast == "anti-expert" and not self.has_anti_expert:
            raise SettingsError(
                "Steering against an anti-expert needs one: name with --anti-expert an adapter that "
                "`cosec tune --side vulnerable` trained, or steer against the base."
            )

    @property
    def cache_bytes_per_token(self) -> int | None:
        """Bytes that one token of a hardened completion takes in all key-value caches.

        None if a model's configuration does not tell.
        """
        loaded = [one for one in (self.pair.target, self.pair.security) if one is not None]
        if self._switch is not None:  # the adapter's rows, beside those of its base
            loaded += [loaded[-1]] * (2 if self.has_anti_expert and self.pair.security is None else 1)
        total = 0
        for one in loaded:
            values = cache_values_per_token(one.model.config.to_dict())
            if values is None:
                return None
            total += values * one.model.dtype.itemsize
        return total

    def target_model(self) -> TorchTokenModel:
        """The target model, with its logits cut to the vocabulary that both models share."""
        return TorchTokenModel(self.pair.target.model, self._vocabulary_size)

    def target_lane(self) -> TargetLane:
        """Lanes of the target alone."""
        return TargetLane(self.target_model())

    def security_lane(self) -> TargetLane:
        """Lanes of the security model alone, for comparison.

        Raises:
            SettingsError: If there is no security model.
        """
        if not self.has_security:
            raise SettingsError("There is no security model to run alone: name one with --security.")
        loaded = self.pair.target if self.pair.security is None else self.pair.security
        return TargetLane(
            TorchTokenModel(loaded.model, self._vocabulary_size, self._switch, "on" if self._switch else "off")
        )

    def lanes(self, draft_length: int | Literal["auto"], contrast: Contrast = "none") -> Lanes:
        """Lanes of both models.

        With shared weights, a draft of one token takes one forward pass for both models; a longer draft runs the rows
        with the adapter first.

        Args:
            draft_length: The draft length of the settings.
            contrast: What to score beside the security model, to compare them.

        Raises:
            SettingsError: If there is no security model to draft with, or nothing to compare it with.
        """
        security, switch, size = self.pair.security, self._switch, self._vocabulary_size
        if security is None and switch is None:
            raise SettingsError(
                "There is no security model: name one (--security, or the second argument of load_pair), "
                "or use the target alone."
            )
        self.check_contrast(contrast)
        if contrast == "anti-expert":
            weights = self.pair.target.model if security is None else security.model
            both = TorchTokenModel(weights, size, switch, "two adapters")
            return TwoModelLanes(both, self.target_model(), "trailing half")
        if security is None:
            weights = self.pair.target.model
            if draft_length in ("auto", 1):
                return PairedLanes(TorchTokenModel(weights, size, switch, "leading half"))
            return TwoModelLanes(TorchTokenModel(weights, size, switch, "on"), self.target_model(), "target")
        if switch is None:
            return TwoModelLanes(TorchTokenModel(security.model, size), self.target_model())
        if contrast == "base":
            return TwoModelLanes(
                TorchTokenModel(security.model, size, switch, "leading half"), self.target_model(), "trailing half"
            )
        return TwoModelLanes(TorchTokenModel(security.model, size, switch, "on"), self.target_model())
