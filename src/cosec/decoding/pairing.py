"""From a loaded pair of models to the lanes the engine runs on."""

from __future__ import annotations

from typing import Literal

from transformers import PreTrainedTokenizerFast

from cosec.decoding.lanes import Lanes, PairedLanes, TargetLane, TwoModelLanes
from cosec.errors import SettingsError
from cosec.models.loading import ModelPair
from cosec.models.packed_linear import pack_linears
from cosec.models.shared_weights import AdapterSwitch, attach_adapter
from cosec.models.token_model import CachedModel
from cosec.models.vocabulary import shared_vocabulary


class PreparedPair:
    """A pair whose vocabulary was checked and whose adapter, if it shares the target's weights, is attached."""

    def __init__(self, pair: ModelPair) -> None:
        """Attach, pack and check once; every arm and every run then uses the same weights, for inference only.

        Raises:
            VocabularyMismatch: If the two models' tokens do not mean the same.
        """
        self.pair = pair
        self.tokenizer: PreTrainedTokenizerFast = pair.target.tokenizer
        self.stop_token_ids = pair.target.stop_token_ids
        self.context_length = pair.target.context_length
        self._switch: AdapterSwitch | None = None
        self._vocabulary_size = len(pair.target.tokenizer)
        if pair.security is not None:
            self._vocabulary_size = shared_vocabulary(pair.target, pair.security).size
            self.context_length = min(self.context_length, pair.security.context_length)
        elif pair.adapter is not None:
            self._switch = attach_adapter(pair.target.model, pair.adapter.weights, pair.adapter.scales)
        for loaded in (pair.target, pair.security):
            if loaded is not None:
                pack_linears(loaded.model)

    @property
    def shared_weights(self) -> bool:
        """Whether the security model is the target plus an adapter."""
        return self._switch is not None

    @property
    def has_security(self) -> bool:
        """Whether there is a security model at all."""
        return self._switch is not None or self.pair.security is not None

    def target_model(self) -> CachedModel:
        """The target over the vocabulary that both models share."""
        return CachedModel(self.pair.target.model, self._vocabulary_size)

    def target_lane(self) -> TargetLane:
        """The target alone."""
        return TargetLane(self.target_model())

    def lanes(self, draft_length: int | Literal["auto"]) -> Lanes:
        """What the hardened arm runs on.

        With shared weights a single token is drafted in lockstep, both models in one forward; a longer draft runs the
        adapter's rows on their own first.

        Raises:
            SettingsError: If there is no security model to draft with.
        """
        if self._switch is not None:
            weights, size = self.pair.target.model, self._vocabulary_size
            if draft_length in ("auto", 1):
                return PairedLanes(CachedModel(weights, size, self._switch, "leading half"))
            return TwoModelLanes(CachedModel(weights, size, self._switch, "on"), self.target_model())
        if self.pair.security is None:
            raise SettingsError("There is no security model: name one with --security, or use the target alone.")
        return TwoModelLanes(CachedModel(self.pair.security.model, self._vocabulary_size), self.target_model())
