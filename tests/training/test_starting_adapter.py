"""Training that starts from another adapter."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cosec.errors import AdapterError, SettingsError, TrainingError
from cosec.models.identity import hash_file
from cosec.training import hardening
from cosec.training.hardening import harden
from cosec.training.loop import run_folder
from cosec.training.settings import HardeningSettings
from cosec.training.starting_adapter import StartingAdapter, read_starting_adapter
from tests.training.conftest import curve_points, without_pictures, write_pair_set
from tests.training.tiny_run import FAST, run, tiny_base


@pytest.fixture(scope="module", autouse=True)
def no_pictures() -> Iterator[None]:
    yield from without_pictures(run_folder, hardening)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pair_set(tmp_path_factory.mktemp("set"), training=range(4), validation=(4, 5))


@pytest.fixture(scope="module")
def first(no_pictures: None, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(data, tmp_path_factory.mktemp("first") / "out", lora_alpha=6.0).folder


@pytest.fixture
def start(first: Path) -> StartingAdapter:
    return read_starting_adapter(str(first))


def validation_losses(folder: Path) -> list[float]:
    return [point["loss"] for point in curve_points(folder) if point["kind"] == "validation"]


def test_a_run_goes_on_from_the_loss_of_the_adapter_it_starts_from(data, tmp_path, first, start) -> None:
    second = run(data, tmp_path / "second", start=start).folder
    before, after = validation_losses(first), validation_losses(second)
    assert after[0] == pytest.approx(min(before), abs=1e-6)
    assert min(after) < after[0] < before[0]


def test_the_new_adapter_has_the_shape_of_the_old_one_and_records_it(data, tmp_path, first, start) -> None:
    second = run(data, tmp_path / "second", start=start, lora_rank=2, lora_alpha=1.0, max_steps=1).folder
    manifest = json.loads((second / "manifest.json").read_text())
    assert (manifest["settings"]["lora_rank"], manifest["settings"]["lora_alpha"]) == (4, 6.0)
    assert manifest["started_from"] == {
        "name": str(first),
        "adapter_sha256": hash_file(first / "adapter_model.safetensors"),
    }


def test_without_a_step_that_helps_the_folder_holds_the_adapter_it_started_from(data, tmp_path, first, start) -> None:
    second = run(data, tmp_path / "second", start=start, learning_rate=1e-12, max_steps=1).folder
    old, new = (load_file(folder / "adapter_model.safetensors") for folder in (first, second))
    assert old.keys() == new.keys()
    assert all(torch.allclose(old[name], new[name], atol=1e-6) for name in old)


def test_another_start_cannot_resume_the_run(data, tmp_path, first, start) -> None:
    run(data, tmp_path / "second", start=start, max_steps=1)
    with pytest.raises(TrainingError, match="start"):
        run(data, tmp_path / "second", start=replace(start, sha256="1" * 64), resume=True, max_steps=1)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"lora_rank": 2}, "has lora_rank = 4, not 2; leave out --lora-rank"),
        ({"lora_alpha": 2.0}, "has lora_alpha = 6.0, not 2.0; leave out --lora-alpha"),
        ({"lora_targets": ("gate_proj",)}, "has lora_targets"),
        ({"method": "prefix"}, "trains no adapter"),
    ],
)
def test_a_setting_that_contradicts_the_adapter_is_refused(start, given: dict[str, object], complaint: str) -> None:
    settings = HardeningSettings(**{**FAST, **given})
    with pytest.raises(SettingsError, match=complaint):
        start.shape(settings, given=given.keys())


def test_a_setting_given_as_the_adapter_has_it_is_accepted(start) -> None:
    settings = HardeningSettings(**{**FAST, "lora_targets": tuple(reversed(start.targets))})
    assert start.shape(settings, given={"lora_rank", "lora_targets"}).lora_targets == start.targets


def test_an_adapter_of_another_base_is_refused(data, tmp_path, start) -> None:
    other = replace(start, adapter=replace(start.adapter, base_sha256="1" * 64))
    with pytest.raises(AdapterError, match="can only be trained on with its own base"):
        run(data, tmp_path / "second", start=other)
    assert not (tmp_path / "second").exists()


def test_an_adapter_that_changes_a_part_of_its_modules_is_refused(data, tmp_path, start) -> None:
    weights = {name: value for name, value in start.adapter.weights.items() if "layers.0." not in name}
    other = replace(start, adapter=replace(start.adapter, weights=weights))
    with pytest.raises(AdapterError, match="changes other modules"):
        run(data, tmp_path / "second", start=other)


def test_an_adapter_of_several_ranks_is_refused(tmp_path, first) -> None:
    weights = load_file(first / "adapter_model.safetensors")
    name = next(name for name in weights if "lora_A" in name)
    other = name.replace("lora_A", "lora_B")
    weights |= {name: weights[name][:2].contiguous(), other: weights[other][:, :2].contiguous()}
    (tmp_path / "adapter_config.json").write_text((first / "adapter_config.json").read_text())
    save_file(weights, tmp_path / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="different rank"):
        read_starting_adapter(str(tmp_path))


def test_a_name_that_several_modules_end_in_is_told_apart_by_the_one_around_it(data, tmp_path) -> None:
    base = tiny_base("gpt_bigcode")
    settings = HardeningSettings(**{**FAST, "max_steps": 4})
    first = harden(base, [data], settings, tmp_path / "first").folder
    start = read_starting_adapter(str(first))
    assert start.targets == ("attn.c_attn", "attn.c_proj")
    second = harden(tiny_base("gpt_bigcode"), [data], start.shape(settings), tmp_path / "second", start=start)
    assert second.state.step == 4
