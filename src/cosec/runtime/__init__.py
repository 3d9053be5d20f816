"""Runtime: what runs one step of a model on a batch of rows. Knows nothing about decoding rules, text or tasks.

``TokenModel`` is the interface that decoding uses. ``cosec.runtime.torch`` implements it with PyTorch and transformers.
"""

from cosec.runtime.token_model import TokenModel
from cosec.runtime.torch.lora_rows import AdapterSwitch, attach_adapter
from cosec.runtime.torch.preparation import prepare_for_decoding
from cosec.runtime.torch.token_model import AdapterUse, TorchTokenModel

__all__ = [
    "AdapterSwitch",
    "AdapterUse",
    "TokenModel",
    "TorchTokenModel",
    "attach_adapter",
    "prepare_for_decoding",
]
