"""Weights divided among processes: each keeps a slice of every tensor, and a layer is whole only while it computes.

torch's FSDP2 (``fully_shard``) does the work: one group per decoder layer, and one, the root, for all that lies outside
of them: embedding, last norm and head, so that tied weights stay together and the losses can read the head. Gradients
and AdamW's moments are slices too. Gathering is done by all processes at once, so all must run equally many forward and
backward passes. accelerate's own FSDP support is not used: it knows no groups of processors without accelerators, and
divides embedding and head so that a head which is read, not called, is never there. Knows nothing about losses.
"""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers.modeling_layers import GradientCheckpointingLayer

from cosec.errors import SettingsError
from cosec.training.alignment.settings import Sharding

BODY = "run_body"
"""What a divided model is given: runs it without its head, with the root's weights gathered."""


def make_mesh(accelerator: Accelerator, sharding: Sharding) -> DeviceMesh | None:
    """The processes that weights are divided among; None where each keeps everything, as a single one does.

    Raises:
        SettingsError: If ``accelerate launch`` was told to divide them, and ``sharding`` says that they are not.
    """
    if sharding == "none":
        if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
            raise SettingsError("Accelerate was told to use FSDP, which needs --sharding fsdp here; give both or none.")
        return None
    if accelerator.num_processes == 1:
        return None
    return init_device_mesh(accelerator.device.type, (accelerator.num_processes,))


def decoder_layers(causal: nn.Module) -> list[nn.Module]:
    """The repeated layers of a transformers model, in order."""
    return [module for module in causal.modules() if isinstance(module, GradientCheckpointingLayer)]


def shard(causal: Any, mesh: DeviceMesh) -> None:
    """Divide a model's weights, in place; each process must come with the same ones.

    Args:
        causal: A causal language model, adapters inside it or not, on any device; what is not divided, such as buffers,
            and the slices go to the mesh's device, one layer at a time.
        mesh: From ``make_mesh``.
    """
    for layer in decoder_layers(causal):
        fully_shard(layer, mesh=mesh)
    # Kept whole until the backward pass is over: the losses read the head's weight after the model has run.
    fully_shard(causal, mesh=mesh, reshard_after_forward=False)
    setattr(causal, BODY, partial(_run_body, causal))
    register_fsdp_forward_method(causal, BODY)
    for module in causal.modules():
        if isinstance(module, FSDPModule):
            # Sums, as the loop wants them, not means; by plain sums, which every backend has.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def last_hidden_states(causal: Any, inputs: Mapping[str, Any], chosen: Tensor) -> Tensor:
    """Run a model without its head.

    Args:
        causal: Its weights divided or not.
        inputs: Of one row.
        chosen: bool[positions], for the row's first positions.

    Returns:
        [chosen positions, hidden].
    """
    run = getattr(causal, BODY, partial(_run_body, causal))
    states: Tensor = run(inputs, chosen)
    return states


def _run_body(causal: Any, inputs: Mapping[str, Any], chosen: Tensor) -> Tensor:
    states: Tensor = causal.base_model(**inputs).last_hidden_state[0, : len(chosen)]
    return states[chosen]


def release(causal: nn.Module) -> None:
    """Let go of what was gathered for a forward pass that no backward pass follows; whole weights stay as they are."""
    if isinstance(causal, FSDPModule):
        causal.reset_iter_state()


def is_sharded(tensor: Tensor) -> bool:
    """Whether this process has only a slice of it."""
    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor; where it is divided, all processes must call this at once."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Whole tensors in the host's memory, one after the other; without ``keep`` only for the processes that do."""
    found = {}
    for name, value in tensors.items():
        tensor = whole(value.detach())
        if keep:
            found[name] = tensor.cpu().contiguous()
    return found


@torch.no_grad()
def slice_like(value: Tensor, parameter: Tensor) -> Tensor:
    """``value`` as ``parameter`` is: on its device, and divided if that is; without talking to other processes."""
    value = value.to(parameter.device)
    if not isinstance(parameter, DTensor):
        return value
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)
