"""A pair of transformers models, with the adapter attached and the weights packed."""

from __future__ import annotations

from cosec.models.description import cache_values_per_token
from cosec.models.loading.load import LoadedModel, ModelPair
from cosec.models.prefixes import prefix_layers
from cosec.runtime.torch.lora_rows import AdapterSwitch, attach_adapter
from cosec.runtime.torch.preparation import prepare_for_decoding
from cosec.runtime.torch.token_model import AdapterUse, TorchTokenModel


class TorchPairModels:
    """The models of a pair as ``PairModels``; afterwards the weights serve inference only.

    Args:
        pair: The loaded models, changed in place.
        vocabulary_size: Number of tokens that both models share.

    Raises:
        ModelError: If the installed releases of torch and transformers do not work with this runtime.
    """

    most_sequences: int | None = None
    """Memory alone limits the number of rows."""

    def __init__(self, pair: ModelPair, vocabulary_size: int) -> None:
        self._pair = pair
        self._vocabulary_size = vocabulary_size
        self._switch: AdapterSwitch | None = None
        if pair.adapter is not None:
            anti = None if pair.anti_expert is None else (pair.anti_expert.weights, pair.anti_expert.scales)
            self._switch = attach_adapter(self._base().model, pair.adapter.weights, pair.adapter.scales, anti)
        for loaded in (pair.target, pair.security):
            if loaded is not None:
                prepare_for_decoding(loaded.model)

    @property
    def cache_bytes_per_token(self) -> int | None:
        """Bytes that one token of a hardened completion takes in all caches; None if a configuration does not tell."""
        loaded = [one for one in (self._pair.target, self._pair.security) if one is not None]
        if self._switch is not None:  # the adapter's rows, beside those of its base
            opposed = self._pair.anti_expert is not None and self._pair.security is None
            loaded += [loaded[-1]] * (2 if opposed else 1)
        total = 0
        for one in loaded:
            values = cache_values_per_token(one.model.config.to_dict())
            if values is None:
                return None
            total += values * one.model.dtype.itemsize
        return total

    def target(self) -> TorchTokenModel:
        """The target model."""
        return self._without_adapter(self._pair.target)

    def security(self) -> TorchTokenModel:
        """The security model, through its adapter or after its prefix if it has one."""
        return self._without_adapter(self._base()) if self._switch is None else self._with_adapter("on")

    def base(self) -> TorchTokenModel:
        """The security model's own base."""
        return TorchTokenModel(self._base().model, self._vocabulary_size)

    def opposed(self) -> TorchTokenModel:
        """The security model in the leading half of the rows and the anti-expert in the other half."""
        return self._with_adapter("two adapters")

    def halves(self) -> TorchTokenModel:
        """The security model in the leading half of the rows and its base in the other half."""
        return self._with_adapter("leading half")

    def _base(self) -> LoadedModel:
        return self._pair.target if self._pair.security is None else self._pair.security

    def _without_adapter(self, loaded: LoadedModel) -> TorchTokenModel:
        prefix = () if loaded.prefix is None else prefix_layers(loaded.prefix, loaded.model, loaded.name)
        return TorchTokenModel(loaded.model, self._vocabulary_size, prefix=prefix)

    def _with_adapter(self, use: AdapterUse) -> TorchTokenModel:
        return TorchTokenModel(self._base().model, self._vocabulary_size, self._switch, use)
