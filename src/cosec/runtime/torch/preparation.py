"""Prepare a loaded model for decoding: check that this runtime can run it, and take its fast paths on a CPU."""

from __future__ import annotations

from transformers import PreTrainedModel

from cosec.runtime.torch.cpu.packed_linear import pack_linears
from cosec.runtime.torch.kv_cache import attend_to_prefixes
from cosec.runtime.torch.probe import check_runtime


def prepare_for_decoding(model: PreTrainedModel) -> None:
    """Pack a model's linear maps and let its attention read shared prompts; preparing it again changes nothing.

    Attach an adapter first: it cannot be attached to packed maps.

    Args:
        model: Changed in place; afterwards it serves inference only.

    Raises:
        ModelError: If the installed releases of torch and transformers do not work with this runtime.
    """
    check_runtime()
    pack_linears(model)
    attend_to_prefixes(model)
