"""A pair of models that is ready for decoding, and the lanes made from it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cosec.decoding.engine.lanes import Lanes, PairedLanes, ProposalLane, TargetLane, ThreeModelLanes, TwoModelLanes
from cosec.decoding.rules.rule_file import SHARED_WEIGHTS, checked_own_rule, own_rule, rule_on, unamplified
from cosec.decoding.rules.schema import Contrast, rules_without_base
from cosec.errors import ModelError, SettingsError
from cosec.models.adapters import is_adapter
from cosec.models.loading.base_match import shares_weights
from cosec.models.loading.load import ModelPair, resolve_model, resolve_security
from cosec.models.loading.quantised import GgufPair, carried_by_gguf
from cosec.models.vocabulary import shared_vocabulary
from cosec.runtime import LlamaPairModels, PairModels, TokenModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def carried_rule(target: str, security: str, *, security_copy: bool = False) -> Mapping[str, object]:
    """Read the rule that a security model carries for a target, before any weights are loaded.

    Args:
        target: The model to harden, as for ``load_pair``.
        security: Its security model or adapter, as for ``load_pair``.
        security_copy: Whether a copy of the target with the adapter added takes the adapter's place. Its rounding acts
            like a part of the adapter's change and grows with the strength, so ``steer`` then has at most strength 1.

    Returns:
        The rule's name and settings; empty if it carries none.

    Raises:
        ModelError: If one of the models does not exist.
        SettingsError: If the adapter's ``rule.toml`` is not a rule.
    """
    carried = _checked_gguf_rule(target, security)
    if carried is None:
        try:
            folder = resolve_security(target, security)
        except ModelError:
            resolve_model(target)  # if the target does not exist either, that is the message to show
            raise
        carried = own_rule(folder) if folder is not None and is_adapter(folder) else {}
    if security_copy:
        return unamplified(rule_on(carried, shared_weights=False))
    shared = SHARED_WEIGHTS in carried and shares_weights(target, security)
    return rule_on(carried, shared_weights=shared)


class PreparedPair:
    """A pair of models whose vocabularies match, ready to run.

    All batches of the pair share its weights, which can be used for inference only. `harden`, `Completer` and
    `CoDecoding` of several threads take turns.

    Args:
        pair: The loaded models, which torch runs, or GGUF files, which llama.cpp runs.

    Raises:
        VocabularyMismatch: If the two models' tokens do not mean the same.
        SettingsError: If the adapter's ``rule.toml`` is not a rule, or llama.cpp is needed and not installed.
        ModelError: If the runtime cannot run the models.
    """

    def __init__(self, pair: ModelPair | GgufPair) -> None:
        self.pair = pair
        self.tokenizer: PreTrainedTokenizerFast = pair.target.tokenizer
        self.stop_token_ids = pair.target.stop_token_ids
        self.context_length = pair.target.context_length
        carried = _rule_of(pair)
        self.own_rule: Mapping[str, object] = rule_on(carried, shared_weights=self.shared_weights)
        """Name and settings of the rule that the adapter carries for the target; empty stands for the paper's rule."""
        self.rule_over_text: Mapping[str, object] = rule_on(carried, shared_weights=False)
        """The same for another model as the target, which the pair hardens as text."""
        size = len(pair.target.tokenizer)
        if pair.security is not None:
            size = shared_vocabulary(pair.target, pair.security).size
            self.context_length = min(self.context_length, pair.security.context_length)
        self.vocabulary_size = size
        """Number of tokens that the models' logits are cut to."""
        self._models: PairModels = _models_of(pair, size)
        self.lock = threading.RLock()
        """Held while the models run: all threads share their state, such as which rows have the adapter."""

    @property
    def shared_weights(self) -> bool:
        """Whether the security model is an adapter on the target's weights."""
        return self.pair.adapter is not None and self.pair.security is None

    @property
    def has_security(self) -> bool:
        """Whether the pair has a security model."""
        return self.has_base or self.pair.security is not None

    @property
    def security_name(self) -> str | None:
        """What hardens: the name of a whole model or of a copy, or the path of an adapter; None if there is nothing."""
        if self.pair.adapter is not None:
            return str(self.pair.adapter.path)
        return None if self.pair.security is None else self.pair.security.name

    @property
    def has_base(self) -> bool:
        """Whether rules can compare the security model with its own base.

        They can if it is an adapter, or a copy of the target with an adapter added to its weights.
        """
        return self.pair.adapter is not None or self._copies_target

    @property
    def target_is_base(self) -> bool:
        """Whether the target is the security model's own base.

        It is if the security model is an adapter on the target's weights, or a copy of the target with one added.
        """
        return self.shared_weights or self._copies_target

    @property
    def _copies_target(self) -> bool:
        return isinstance(self.pair, GgufPair) and self.pair.target_is_base

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
                "This rule compares the security model with its own base, and the security model is a whole model or "
                "has a prefix: "
                "give a LoRA adapter with --security (default stands for the one that ships for the target), or choose "
                f"--rule {rules_without_base()}."
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
        return self._models.cache_bytes_per_token

    @property
    def most_sequences(self) -> int | None:
        """Largest number of sequences at once, cached prompts included; None if memory alone limits it."""
        return self._models.most_sequences

    def target_model(self) -> TokenModel:
        """The target model, with its logits cut to the vocabulary that both models share."""
        return self._models.target()

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
        return TargetLane(self._models.security())

    def proposal_lane(self) -> ProposalLane:
        """Lanes of the security model alone, for rules that cancel its base; only if :attr:`target_is_base`."""
        assert self.target_is_base, "the target is another model than the base"
        return ProposalLane(self._models.security())

    def security_and_base(self) -> TokenModel:
        """The security model in the leading half of the rows and its base in the other half, in one pass.

        Raises:
            SettingsError: If the security model is no adapter, or the runtime has no such pass.
        """
        self.check_contrast("base")
        both = self._models.halves()
        if both is None:
            raise SettingsError("This needs the security model and its base in one pass: load them with torch.")
        return both

    def lanes(self, draft_length: int | Literal["auto"], contrast: Contrast = "none") -> Lanes:
        """Lanes of both models.

        Where one pass can run both models, a draft of one token takes one pass; a longer draft runs the rows with the
        adapter first.

        Args:
            draft_length: The draft length of the settings.
            contrast: What to score beside the security model, to compare them.

        Raises:
            SettingsError: If there is no security model to draft with, or nothing to compare it with.
        """
        if not self.has_security:
            raise SettingsError(
                "There is no security model: name one (--security, or the second argument of load_pair), "
                "or use the target alone."
            )
        self.check_contrast(contrast)
        if contrast == "anti-expert":
            return TwoModelLanes(self._models.opposed(), self.target_model(), "trailing half")
        if self.shared_weights:
            both = self._models.halves() if draft_length in ("auto", 1) else None
            if both is not None:
                return PairedLanes(both)
            return TwoModelLanes(self._models.security(), self.target_model(), "target")
        if contrast != "base":
            return TwoModelLanes(self._models.security(), self.target_model())
        if self.target_is_base:
            return TwoModelLanes(self._models.security(), self.target_model(), "target")
        both = self._models.halves()
        if both is not None:
            return TwoModelLanes(both, self.target_model(), "trailing half")
        return ThreeModelLanes(self._models.security(), self.target_model(), self._models.base())


def _rule_of(pair: ModelPair | GgufPair) -> Mapping[str, object]:
    """The rule that a pair's adapter carries: in its folder, in its GGUF file, or in the copy that it was added to."""
    if pair.adapter is not None and pair.adapter.path.is_dir():
        return own_rule(pair.adapter.path)
    if not isinstance(pair, GgufPair):
        return {}
    file = pair.adapter.path if pair.adapter is not None else None if pair.security is None else pair.security.file
    return {} if file is None else _checked_gguf_rule(str(pair.target.file), str(file)) or {}


def _checked_gguf_rule(target: str, security: str) -> Mapping[str, object] | None:
    """The rule in a GGUF adapter or copy; None for other security models."""
    carried = carried_by_gguf(target, security)
    return checked_own_rule(Path(security), carried) if carried else carried


def _models_of(pair: ModelPair | GgufPair, vocabulary_size: int) -> PairModels:
    """The models in the runtime that runs them."""
    if isinstance(pair, GgufPair):
        return LlamaPairModels(pair, vocabulary_size)
    from cosec.runtime import TorchPairModels  # transformers' models take seconds to import

    return TorchPairModels(pair, vocabulary_size)
