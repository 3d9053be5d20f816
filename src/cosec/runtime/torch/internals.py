"""Private names of torch and transformers: every use of one in this project goes through this module.

Such a name can change with any release. The functions here fail with an error that names the package and its version.
Where a name is missing but the project works without it, the function that asks for it says so. Whether all of them
together still give the right numbers is what ``probe.check_runtime`` computes.
"""

from __future__ import annotations

import importlib.metadata

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from cosec.errors import ModelError


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
    """Lay out a float32 weight for oneDNN; the result is good for ``onednn_product`` only.

    Args:
        weight: Shape (out, in).
        rows: Number of input rows that the layout is chosen for.

    Raises:
        AttributeError: If this build of torch has no oneDNN.
    """
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return packed


def onednn_product(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Multiply by a weight with oneDNN, like ``torch.nn.functional.linear`` without gradients.

    Args:
        hidden: Shape (…, in), float32, on a CPU.
        weight: Shape (out, in), plain or from ``pack_weight``.
        bias: Shape (out,).

    Raises:
        AttributeError: If this build of torch has no oneDNN.
    """
    product: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, weight, bias, "none", [], "")
    return product
