"""Runtime: what runs one step of a model on a batch of rows. Knows nothing about decoding rules, text or tasks.

``TokenModel`` is the interface that decoding uses, and ``PairModels`` gives the models of a pair.
``cosec.runtime.torch`` implements both with PyTorch and transformers, ``cosec.runtime.llama_cpp`` with llama.cpp.
The names of torch's implementation are imported at their first use, as transformers' models take seconds.
"""

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names
from cosec.runtime.llama_cpp.binding import is_installed as llama_cpp_is_installed
from cosec.runtime.llama_cpp.own_loop import LibraryLoop
from cosec.runtime.llama_cpp.pair_models import LlamaPairModels
from cosec.runtime.llama_cpp.probe import check_llama_cpp
from cosec.runtime.llama_cpp.quantisation import quantise
from cosec.runtime.llama_cpp.security_copy import copy_file, with_security_copy
from cosec.runtime.machine import machine_facts
from cosec.runtime.pair_models import PairModels
from cosec.runtime.token_model import TokenModel

if TYPE_CHECKING:
    from cosec.runtime.torch.cpu.packed_linear import multiplies_bfloat16
    from cosec.runtime.torch.lora_rows import AdapterSwitch, attach_adapter
    from cosec.runtime.torch.pair_models import TorchPairModels
    from cosec.runtime.torch.preparation import prepare_for_decoding
    from cosec.runtime.torch.token_model import AdapterUse, TorchTokenModel

__all__ = [
    "AdapterSwitch",
    "AdapterUse",
    "LibraryLoop",
    "LlamaPairModels",
    "PairModels",
    "TokenModel",
    "TorchPairModels",
    "TorchTokenModel",
    "attach_adapter",
    "check_llama_cpp",
    "copy_file",
    "llama_cpp_is_installed",
    "machine_facts",
    "multiplies_bfloat16",
    "prepare_for_decoding",
    "quantise",
    "with_security_copy",
]

__getattr__ = lazy_names(
    __name__,
    {
        "torch.cpu.packed_linear": ("multiplies_bfloat16",),
        "torch.lora_rows": ("AdapterSwitch", "attach_adapter"),
        "torch.pair_models": ("TorchPairModels",),
        "torch.preparation": ("prepare_for_decoding",),
        "torch.token_model": ("AdapterUse", "TorchTokenModel"),
    },
)
