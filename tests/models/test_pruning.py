"""A pruned model is the original without the chosen layers, and loads like any other."""

import itertools
import json
import os
from pathlib import Path

import pytest
import torch

from cosec.errors import AdapterError, SettingsError
from cosec.models.loading.load import load_model
from cosec.models.pruning import prune_model, spread_evenly
from cosec.models.vocabulary import shared_vocabulary
from tests.tiny import ARCHITECTURES, save_tiny, save_tiny_adapter

RESIDUAL_OUTPUTS = ("o_proj", "down_proj", "c_proj", "out_proj", "fc_out")
"""The last linear maps of both branches of a layer: without their output the layer passes its input on."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))


def silence_layer(model: torch.nn.Module, layer: int) -> None:
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        if str(layer) in parts and any(part in RESIDUAL_OUTPUTS for part in parts):
            parameter.data.zero_()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_pruned_model_computes_what_the_original_does_without_those_layers(architecture: str, tmp_path) -> None:
    original = save_tiny(architecture, tmp_path / "original", layers=5)
    assert prune_model(str(original), tmp_path / "pruned", [0, 1, 4]) == (0, 1, 4)
    reference, pruned = load_model(str(original)), load_model(str(tmp_path / "pruned"))
    for layer in (2, 3):
        silence_layer(reference.model, layer)
    token_ids = torch.arange(20).unsqueeze(0)
    expected, found = (each.model(token_ids).logits for each in (reference, pruned))
    torch.testing.assert_close(found, expected)
    assert pruned.model.config.num_hidden_layers == 3
    assert shared_vocabulary(reference, pruned).size == 320
    assert pruned.stop_token_ids == reference.stop_token_ids
    assert pruned.family == reference.family


@pytest.mark.parametrize(
    ("count", "total", "expected"), [(2, 30, (0, 29)), (3, 5, (0, 2, 4)), (4, 5, (0, 1, 3, 4)), (5, 9, (0, 2, 4, 6, 8))]
)
def test_layers_are_spread_evenly(count: int, total: int, expected: tuple[int, ...]) -> None:
    assert spread_evenly(count, total) == expected


@pytest.mark.parametrize(
    ("count", "total", "reason"),
    [(1, 2, "of 2 layers cannot be pruned"), (1, 4, "of 4 layers, between 2 and 3"), (4, 4, "between 2 and 3")],
)
def test_layers_that_cannot_be_chosen_are_refused(count: int, total: int, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        spread_evenly(count, total)


@pytest.mark.parametrize("total", [3, 12, 30, 48])
def test_first_and_last_are_kept_and_neighbours_are_at_most_one_layer_further_apart(total: int) -> None:
    for count in range(2, total):
        kept = spread_evenly(count, total)
        gaps = {later - earlier for earlier, later in itertools.pairwise(kept)}
        assert (len(kept), kept[0], kept[-1]) == (count, 0, total - 1)
        assert max(gaps) - min(gaps) <= 1
        assert min(gaps) >= 1


@pytest.mark.parametrize("layers", [0, 1, 4, 5, [], [0, 4], [-1, 2], [2, 0], [1, 1], [0, 1, 2, 3]])
def test_layers_that_cannot_be_kept_are_refused(layers: int | list[int], tmp_path) -> None:
    original = save_tiny("llama", tmp_path / "original", layers=4)
    with pytest.raises(SettingsError, match="--layers"):
        prune_model(str(original), tmp_path / "pruned", layers)
    assert not (tmp_path / "pruned").exists()


def test_weights_keep_their_type_and_the_folder_says_what_it_was_made_from(tmp_path) -> None:
    original = load_model(str(save_tiny("qwen2", tmp_path / "float32", layers=4)))
    original.model.bfloat16().save_pretrained(tmp_path / "original")
    original.tokenizer.save_pretrained(tmp_path / "original")
    prune_model(str(tmp_path / "original"), tmp_path / "pruned", 2)
    from safetensors.torch import load_file

    assert {value.dtype for value in load_file(tmp_path / "pruned" / "model.safetensors").values()} == {torch.bfloat16}
    source = json.loads((tmp_path / "pruned" / "source.json").read_text())
    assert source["layers"] == [0, 3]
    assert len(source["sha256"]) == 64


def test_others_can_read_the_pruned_model_where_the_umask_lets_them(tmp_path: Path) -> None:
    original = save_tiny("llama", tmp_path / "original", layers=3)
    (original / "tokenizer.json").chmod(0o600)  # as it is in the cache, where converted models lie
    before = os.umask(0o022)
    try:
        prune_model(str(original), tmp_path / "pruned", 2)
    finally:
        os.umask(before)
    made = [tmp_path / "pruned", *(tmp_path / "pruned").iterdir()]
    assert {(file.name, oct(file.stat().st_mode & 0o777)) for file in made} == {
        (file.name, oct(0o755 if file.is_dir() else 0o644)) for file in made
    }


def test_the_current_folder_and_a_mount_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    original = save_tiny("llama", tmp_path / "original", layers=3)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for out in (Path(), tmp_path / "here"):
        with pytest.raises(SettingsError, match="new folder in it with --out"):
            prune_model(str(original), out, 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "here")
    with pytest.raises(SettingsError, match="new folder in it with --out"):
        prune_model(str(original), tmp_path / "here", 2)


def test_a_folder_in_use_and_an_adapter_are_refused(tmp_path) -> None:
    original = save_tiny("llama", tmp_path / "original", layers=3)
    with pytest.raises(SettingsError, match="not empty"):
        prune_model(str(original), original, 2)
    adapter = save_tiny_adapter(original, tmp_path / "adapter")
    with pytest.raises(AdapterError, match="is an adapter"):
        prune_model(str(adapter), tmp_path / "pruned", 2)
