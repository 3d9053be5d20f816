"""Runtime: what runs one step of a model on a batch of rows. Knows nothing about decoding rules, text or tasks.

``TokenModel`` is the interface that decoding uses, and ``PairModels`` gives the models of a pair.
``cosec.runtime.torch`` implements both with PyTorch and transformers, ``cosec.runtime.llama_cpp`` with llama.cpp.
"""

from cosec.runtime.llama_cpp.binding import is_installed as llama_cpp_is_installed
from cosec.runtime.llama_cpp.pair_models import LlamaPairModels
from cosec.runtime.llama_cpp.probe import check_llama_cpp
from cosec.runtime.pair_models import PairModels
from cosec.runtime.token_model import TokenModel
from cosec.runtime.torch.lora_rows import AdapterSwitch, attach_adapter
from cosec.runtime.torch.pair_models import TorchPairModels
from cosec.runtime.torch.preparation import prepare_for_decoding
from cosec.runtime.torch.token_model import AdapterUse, TorchTokenModel

__all__ = [
    "AdapterSwitch",
    "AdapterUse",
    "LlamaPairModels",
    "PairModels",
    "TokenModel",
    "TorchPairModels",
    "TorchTokenModel",
    "attach_adapter",
    "check_llama_cpp",
    "llama_cpp_is_installed",
    "prepare_for_decoding",
]
