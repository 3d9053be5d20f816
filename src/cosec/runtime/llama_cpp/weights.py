"""Weights of a GGUF file, mapped into memory once, and LoRA adapters on them.

Several contexts share the weights. A file that is not a model, or not one that this runtime can roll back, is refused.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosec.errors import AdapterError, UnknownArchitecture
from cosec.runtime.llama_cpp.binding import failure, forget_messages, library, uses_amx
from cosec.runtime.mapped_pages import drop_file


class Weights:
    """A GGUF model that llama.cpp has opened.

    Args:
        file: The GGUF file.
        name: What messages call the model.

    Raises:
        ModelError: If llama.cpp cannot open the file.
        UnknownArchitecture: If the model keeps anything but keys and values of all tokens.
        SettingsError: If llama.cpp is not installed.
    """

    def __init__(self, file: Path, name: str) -> None:
        functions = library()
        self.name = name
        """What messages call the model."""
        params = functions.llama_model_default_params()
        params.n_gpu_layers = 0
        # llama.cpp's AMX kernels crash on some machines (https://github.com/ggml-org/llama.cpp/issues/20824). It uses
        # them on weights in extra buffers only. A build without AMX keeps those buffers, as they are faster.
        params.use_extra_bufts = not uses_amx()
        # The callback must live until the file is loaded.
        params.progress_callback = progress = functions.llama_progress_callback(_dropping_copies(file))
        forget_messages()
        handle = functions.llama_model_load_from_file(str(file).encode(), params)
        if not handle:
            raise failure(f"llama.cpp cannot open {file}")
        del progress
        self.handle: Any = handle
        """llama.cpp's pointer to the model."""
        self._finalizer = weakref.finalize(self, functions.llama_model_free, handle)
        self._finalizer.atexit = False
        self.head_width = int(functions.llama_vocab_n_tokens(functions.llama_model_get_vocab(handle)))
        """Number of logits."""
        self._require_full_attention()

    def _require_full_attention(self) -> None:
        functions = library()
        if functions.llama_model_has_encoder(self.handle) or not functions.llama_model_has_decoder(self.handle):
            raise UnknownArchitecture(f"{self.name!r} does not predict next tokens from earlier ones alone.")
        recurrent = functions.llama_model_is_recurrent(self.handle) or functions.llama_model_is_hybrid(self.handle)
        if recurrent or functions.llama_model_is_diffusion(self.handle):
            raise UnknownArchitecture(
                f"{self.name!r} keeps a state instead of keys and values; co-decoding rolls back key-value caches. "
                "Choose a model of one of the families in `cosec models list`."
            )
        window = functions.llama_model_n_swa(self.handle)
        if 0 < window < functions.llama_model_n_ctx_train(self.handle):
            raise UnknownArchitecture(
                f"{self.name!r} attends to its latest {window} tokens only; co-decoding rolls back key-value caches "
                "and supports full attention only. Choose a model of one of the families in `cosec models list`."
            )

    def adapter(self, file: Path) -> LoraAdapter:
        """Read a LoRA adapter from a GGUF file.

        Raises:
            AdapterError: If the file is not an adapter, or one for a model of another shape.
        """
        forget_messages()
        handle = library().llama_adapter_lora_init(self.handle, str(file).encode())
        if not handle:
            raise AdapterError(str(failure(f"llama.cpp cannot put the adapter {file} on {self.name}")))
        return LoraAdapter(self, handle)


def _dropping_copies(file: Path) -> Callable[[float, object], bool]:
    """A function for llama.cpp to call with the share of a file that it has loaded; it answers whether to go on.

    Matrices that llama.cpp rearranges would be in memory twice: the pages that hold them in the file are released.
    """
    shares = [0.25, 0.5, 0.75, 1.0]

    def loaded(share: float, _: object) -> bool:
        if shares and share >= shares[0]:
            del shares[0]
            drop_file(file)
        return True

    return loaded


class LoraAdapter:
    """A LoRA adapter in memory; llama.cpp frees it with the weights that it belongs to."""

    def __init__(self, weights: Weights, handle: Any) -> None:
        self.weights = weights
        """The weights that it belongs to."""
        self.handle = handle
        """llama.cpp's pointer to the adapter."""
