"""Two processes that share one tiny model's weights must train what one process trains that has them whole."""

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator, PartialState, debug_launcher
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import Tensor, nn

from cosec.models.loading.load import load_model
from cosec.training.alignment import align as alignment
from cosec.training.alignment.align import prepare_student
from cosec.training.alignment.objective import Predictor
from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.alignment.teacher import load_teacher
from cosec.training.data.packing import Piece, pack
from cosec.training.loop import loop, run_folder
from cosec.training.loop.run_folder import make_accelerator
from cosec.training.loop.sharding import is_sharded, make_mesh, slice_like, whole
from tests.training.alignment.test_align import weights
from tests.training.conftest import curve_points
from tests.training.test_hardening import Watching, assert_same_weights
from tests.training.tiny_alignment import FAST, run_alignment, tiny_pair, write_documents

UNEVEN: dict[str, Any] = {"packing": False, "batch_size": 3, "max_steps": 5, "clip_norm": 0.2, "adam_epsilon": 1e-5}
"""Batches that two processes cannot share evenly, and gradients that are always clipped. AdamW's usual epsilon makes
whole steps of the rounding errors that are the gradient of the keys' biases."""


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (run_folder, alignment):
        monkeypatch.setattr(module, "plots_available", lambda: False)
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    tiny_pair(tmp_path / "student-llama")  # written before two processes look for it
    return write_documents(tmp_path / "data.jsonl")


def run_forked(body: Callable[..., Any], *arguments: Any) -> None:
    """In a forked process: forget the parent's state, keep off its threads."""
    torch.set_num_threads(1)
    AcceleratorState._reset_state(reset_partial_state=True)
    body(*arguments)


def in_two_processes(body: Callable[..., Any], *arguments: Any) -> None:
    debug_launcher(run_forked, args=(body, *arguments), num_processes=2)


def train(data: Path, out: Path, settings: dict[str, Any]) -> None:
    run_alignment(data, out, **settings)


def sharded(data: Path, out: Path, **settings: Any) -> None:
    in_two_processes(train, data, out, {**settings, "sharding": "fsdp"})


def assert_close_weights(first: dict[str, Tensor], second: dict[str, Tensor], *, atol: float = 2e-6) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=0, atol=atol, msg=name)


def assert_close_curves(first: Path, second: Path, *, rel: float = 1e-4) -> None:
    for one, other in zip(curve_points(first), curve_points(second), strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            number = isinstance(value, float)
            assert other[name] == (pytest.approx(value, rel=rel, abs=1e-6) if number else value)


@pytest.mark.parametrize(
    ("architecture", "more"),
    [
        ("llama", {}),
        ("codegen", {"train": "lora"}),
        ("qwen2", {"gradient_checkpointing": True, "precision": "bfloat16"}),
        *(
            pytest.param(architecture, more, marks=pytest.mark.slow)
            for architecture, more in (
                ("gpt_bigcode", {}),
                ("codegen", {}),
                ("qwen2", {}),
                ("llama", {"train": "lora"}),
                ("llama", {"divergence": "none"}),
            )
        ),
    ],
)
def test_divided_weights_train_the_same_student_as_whole_ones(
    data, tmp_path, architecture: str, more: dict[str, Any]
) -> None:
    settings = {**UNEVEN, "architecture": architecture, **more}
    run_alignment(data, tmp_path / "whole", **settings)
    sharded(data, tmp_path / "sharded", **settings)
    # The norm before clipping is a point of the curve, and it is above the limit.
    norms = [point["gradient_norm"] for point in curve_points(tmp_path / "whole") if point["kind"] == "training"]
    assert min(norms) > UNEVEN["clip_norm"]
    # bfloat16 rounds to eight bits, so another order of sums shows earlier. Five steps change weights by up to 7e-3.
    rel, atol = (1e-3, 5e-5) if settings.get("precision") == "bfloat16" else (1e-4, 2e-6)
    assert_close_curves(tmp_path / "whole", tmp_path / "sharded", rel=rel)
    assert_close_weights(weights(tmp_path / "whole"), weights(tmp_path / "sharded"), atol=atol)
    begun = load_file(data.parent / f"student-{architecture}" / "model.safetensors")
    assert any(not torch.equal(value, begun[name]) for name, value in weights(tmp_path / "sharded").items())
    assert load_model(str(tmp_path / "sharded")).family == load_model(str(tmp_path / "whole")).family


def train_with_a_fast_clock(data: Path, out: Path, settings: dict[str, Any]) -> None:
    """The second process believes that a checkpoint is due after each step."""
    if PartialState(cpu=True).process_index == 1:
        ticks = itertools.count()
        loop.time = SimpleNamespace(monotonic=lambda: 1e6 * next(ticks))  # type: ignore[assignment]
    run_alignment(data, out, **settings)


def test_processes_with_different_clocks_write_their_checkpoints_together(data, tmp_path) -> None:
    settings = {**UNEVEN, "max_steps": 2, "sharding": "fsdp", "architecture": "llama"}
    in_two_processes(train_with_a_fast_clock, data, tmp_path / "out", settings)
    assert len([point for point in curve_points(tmp_path / "out") if point["kind"] == "training"]) == 2


def stop_after(data: Path, out: Path, step: int, settings: dict[str, Any]) -> None:
    assert run_alignment(data, out, progress=Watching(at_step=step), **settings).interrupted


@pytest.mark.parametrize("kind", ["full", pytest.param("lora", marks=pytest.mark.slow)])
def test_a_resumed_sharded_run_ends_in_the_same_bits(data, tmp_path, kind: str) -> None:
    settings = {**UNEVEN, "train": kind, "sharding": "fsdp"}
    in_two_processes(train, data, tmp_path / "whole", settings)
    in_two_processes(stop_after, data, tmp_path / "stopped", 2, settings)
    in_two_processes(train, data, tmp_path / "stopped", {**settings, "resume": True})
    assert_same_weights(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))
    assert curve_points(tmp_path / "whole") == curve_points(tmp_path / "stopped")


def test_one_process_goes_on_where_two_with_divided_weights_stopped(data, tmp_path) -> None:
    settings = {**UNEVEN, "sharding": "fsdp"}
    run_alignment(data, tmp_path / "whole", **settings)
    in_two_processes(stop_after, data, tmp_path / "stopped", 2, settings)
    run_alignment(data, tmp_path / "stopped", resume=True, **{**settings, "sharding": "none"})
    assert_close_weights(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


def test_two_processes_that_share_a_teacher_fill_the_same_cache(data, tmp_path) -> None:
    settings = {**UNEVEN, "max_steps": 1, "teacher_top_k": 8, "validation_share": 0.25}
    run_alignment(data, tmp_path / "whole", teacher_cache=tmp_path / "c1", **settings)
    sharded(data, tmp_path / "sharded", teacher_cache=tmp_path / "c2", **settings)
    for name in ("training.token_ids", "training.log_probs", "validation.tail", "training.done", "validation.done"):
        assert (tmp_path / "c1" / name).read_bytes() == (tmp_path / "c2" / name).read_bytes()
    assert_close_curves(tmp_path / "whole", tmp_path / "sharded")


def held_bytes(model: nn.Module) -> int:
    return sum(whole_or_slice(value).nbytes for value in model.parameters())


def whole_or_slice(value: Any) -> Tensor:
    return value.to_local() if is_sharded(value) else value


def check_what_is_held(folder: Path) -> None:
    """Each process holds half of both models, and after a prediction as little as before."""
    accelerator: Accelerator = make_accelerator()
    mesh = make_mesh(accelerator, "fsdp")
    assert mesh is not None
    pair, settings = tiny_pair(folder), AlignmentSettings(**FAST)
    (row,) = pack([Piece(token_ids=[1] * 9, response=[True] * 9, origin="a")], max_tokens=64, seed=0)
    for make in (
        lambda: prepare_student(pair.student, settings, accelerator.device, mesh),
        lambda: load_teacher(pair.teacher, accelerator, mesh),
    ):
        model = make()
        total = sum(value.numel() * value.element_size() for value in model.parameters())
        assert held_bytes(model) == total // 2
        predictor = Predictor(model)
        assert held_bytes(model) == total // 2
        with torch.no_grad():
            predictor.project(row)
        assert held_bytes(model) > total // 2  # embedding and head, for the losses
        predictor.release()
        assert held_bytes(model) == total // 2
        for parameter in model.parameters():
            assert torch.equal(
                whole_or_slice(slice_like(whole(parameter.detach()), parameter)), whole_or_slice(parameter)
            )


def test_each_process_holds_its_part_of_both_models(tmp_path) -> None:
    tiny_pair(tmp_path / "student")  # written before the processes look for it
    in_two_processes(check_what_is_held, tmp_path / "student")
