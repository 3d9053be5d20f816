"""Private and undocumented names of torch, transformers and gguf: every use of one goes through this module.

Such a name can change with any release. The functions here then fail with an error that names the package and its
version, or say which exception tells that a build lacks an optional feature. Whether the installed releases together
still give the right numbers is what ``cosec.runtime.torch.probe`` computes before the first model runs.

Importing this module imports torch and transformers.
"""

from __future__ import annotations

import copy
import importlib.metadata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from cosec.errors import ModelError

if TYPE_CHECKING:
    from gguf import GGUFReader


def incompatible(package: str, found: str) -> ModelError:
    """An error for a release of a package that this project cannot work with.

    Args:
        package: Name of the package, as it is installed.
        found: What is wrong, as a clause: ``"its configurations do not name their attention"``.
    """
    version = importlib.metadata.version(package)
    return ModelError(
        f"{package} {version} does not work with this version of cosec: {found}. "
        f"Install the {package} release that cosec's constraints.txt pins."
    )


def attention_of(config: PreTrainedConfig) -> str | None:
    """The name of the attention implementation that a model's configuration chooses.

    Raises:
        ModelError: If this release of transformers does not record it.
    """
    try:
        name: str | None = config._attn_implementation
    except AttributeError as error:
        raise incompatible("transformers", "a configuration does not record its attention") from error
    return name


def set_attention(model: PreTrainedModel, name: str) -> None:
    """Make a model use the attention function that is registered under a name.

    ``PreTrainedModel.set_attn_implementation`` does the same after checks that reject names it does not know.
    """
    model.config._attn_implementation = name


def takes_registered_attention(model: PreTrainedModel) -> bool:
    """Whether a model calls the attention function that its configuration names, or has one of its own."""
    return bool(getattr(model, "_supports_attention_backend", False))


def pack_weight(weight: Tensor, rows: int) -> Tensor:
    """Lay out a weight for oneDNN; the result is good for ``onednn_product`` only.

    Args:
        weight: Shape (out, in), float32 or bfloat16.
        rows: Number of input rows that the layout is chosen for.

    Raises:
        AttributeError: If this build of torch has no oneDNN.
    """
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return packed


def onednn_product(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Multiply by a weight with oneDNN, like ``torch.nn.functional.linear`` without gradients.

    Args:
        hidden: Shape (…, in), of the type of the weight, on a CPU.
        weight: Shape (out, in), plain or from ``pack_weight``.
        bias: Shape (out,).

    Raises:
        AttributeError: If this build of torch has no oneDNN.
    """
    product: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, weight, bias, "none", [], "")
    return product


def read_gguf(file: Path) -> GGUFReader:
    """Parse the metadata of a GGUF file, and find its tensors.

    Raises:
        Exception: Of any kind, if the file is damaged.
    """
    from gguf import GGUFReader

    class PlainReader(GGUFReader):  # type: ignore[misc]  # the package has no types
        """A reader that slices its file as a plain array; slices of a ``numpy.memmap`` take several times as long."""

        @property
        def data(self) -> Any:
            return self._data

        @data.setter
        def data(self, mapped: Any) -> None:
            self._data = mapped.view(np.ndarray)

    return PlainReader(file)


@contextmanager
def reuse_gguf_reader(file: Path, reader: GGUFReader) -> Iterator[None]:
    """Let transformers read a GGUF file's metadata once, with a reader that has parsed it already.

    Parsing a large vocabulary takes seconds, and so does the table of tensor names, which transformers makes anew for
    each module. A release of transformers that looks these up elsewhere does the work again, with the same result.

    Args:
        file: Path by which transformers is asked for the file inside the block.
        reader: The reader of that file.
    """
    import gguf

    try:
        from transformers import modeling_gguf_pytorch_utils

        reading: Any = modeling_gguf_pytorch_utils
        make_reader, make_names, load = gguf.GGUFReader, gguf.get_tensor_name_map, reading.load_gguf_checkpoint
    except (ImportError, AttributeError):
        yield
        return
    load_once = cache(load)

    def loaded(path: str, return_tensors: bool = False, **rest: Any) -> Any:
        known = Path(path) == file and not return_tensors and not rest
        return copy.deepcopy(load_once(path)) if known else load(path, return_tensors, **rest)

    gguf.GGUFReader = lambda path, *rest: reader if Path(path) == file else make_reader(path, *rest)
    gguf.get_tensor_name_map = cache(make_names)
    reading.load_gguf_checkpoint = loaded
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map, reading.load_gguf_checkpoint = make_reader, make_names, load


def gguf_processor(architecture: str, outline: PreTrainedModel) -> tuple[Any, Mapping[str, str]]:
    """What transformers knows about the tensors of a GGUF file.

    Args:
        architecture: Name of the architecture in the file (``general.architecture``).
        outline: The model that the tensors belong to; its weights need not be loaded.

    Returns:
        A processor whose ``process(weights=, name=, tensor_key_mapping=, parsed_parameters=)`` gives a tensor the
        layout of transformers, and the mapping from names in the file to names in the model.

    Raises:
        ModelError: If this release of transformers has no such processors.
    """
    try:
        from transformers.modeling_gguf_pytorch_utils import (
            TENSOR_PROCESSORS,
            TensorProcessor,
            get_gguf_hf_weights_map,
        )
    except ImportError as error:
        raise incompatible("transformers", "it has no processors for the tensors of a GGUF file") from error
    kind: Any = TENSOR_PROCESSORS.get(architecture, TensorProcessor)
    processor = kind(config=outline.config.to_dict())
    return processor, get_gguf_hf_weights_map(outline, processor)
