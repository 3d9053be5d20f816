"""Only whole, readable folders without pickles or code pass."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosec.errors import CosecError, ModelError, ModelNotFound, UnsafeCheckpoint
from cosec.models.loading.checks import check_checkpoint, read_tensors, weight_files
from tests.tiny import save_tiny, tiny_model


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("llama", tmp_path_factory.mktemp("sound"))


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "model"))


def edit_config(folder: Path, **entries: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_a_sound_folder_passes(folder: Path) -> None:
    check_checkpoint(folder)


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


def pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


Damage = Callable[[Path], object]
DAMAGES: list[tuple[str, Damage, type[CosecError], str]] = [
    ("no config", lambda folder: (folder / "config.json").unlink(), ModelNotFound, "config.json"),
    ("config is no JSON", lambda folder: cut(folder / "config.json", 20), ModelError, "not valid JSON"),
    (
        "config is a list",
        lambda folder: (folder / "config.json").write_text("[]"),
        ModelError,
        "not hold a JSON object",
    ),
    ("config without type", lambda folder: edit_config(folder, model_type=None), ModelError, "model_type"),
    ("no weights", lambda folder: (folder / "model.safetensors").unlink(), ModelNotFound, "no weights"),
    ("pickle only", pickle_only, UnsafeCheckpoint, "pytorch_model.bin.*runs code.*save_pretrained"),
    ("weights cut short", lambda folder: cut(folder / "model.safetensors", 9000), ModelError, "not a readable safe"),
    ("header cut short", lambda folder: cut(folder / "model.safetensors", 30), ModelError, "not a readable safe"),
    ("empty weights", lambda folder: cut(folder / "model.safetensors", 0), ModelError, "not a readable safe"),
    ("no tokenizer", lambda folder: (folder / "tokenizer.json").unlink(), ModelNotFound, "tokenizer"),
]


@pytest.mark.parametrize(("damage", "error", "message"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES])
def test_damage_is_named(folder: Path, damage: Damage, error: type[CosecError], message: str) -> None:
    damage(folder)
    with pytest.raises(error, match=message) as raised:
        check_checkpoint(folder)
    assert type(raised.value) is error
    assert str(folder) in str(raised.value)


def test_remote_code_is_refused(folder: Path) -> None:
    edit_config(folder, model_type="homemade", auto_map={"AutoModelForCausalLM": "modeling_homemade.Homemade"})
    with pytest.raises(UnsafeCheckpoint, match=r"homemade.*never run"):
        check_checkpoint(folder)


def test_remote_code_beside_a_known_architecture_is_not_needed(folder: Path) -> None:
    edit_config(folder, auto_map={"AutoModelForCausalLM": "modeling_llama.Llama"})
    check_checkpoint(folder)


def test_a_missing_shard_is_named(tmp_path: Path, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    tiny_model("llama").save_pretrained(folder, max_shard_size="20KB")
    files = weight_files(folder)
    assert len(files) > 1
    check_checkpoint(folder)
    files[1].unlink()
    with pytest.raises(ModelNotFound, match=files[1].name):
        check_checkpoint(folder)


def test_a_single_file_goes_before_older_or_newer_shards_as_in_transformers(folder: Path) -> None:
    tiny_model("llama").save_pretrained(folder, max_shard_size="20KB")
    assert (folder / "model.safetensors.index.json").is_file()
    assert weight_files(folder) == [folder / "model.safetensors"]


@pytest.mark.parametrize(
    "shards",
    [
        None,
        ["a"],
        {},
        {"w": 5},
        {"w": ["model.safetensors"]},
        {"w": ""},
        {"w": ".."},
        {"w": "../other/model.safetensors"},
        {"w": "pytorch_model.bin"},
    ],
    ids=str,
)
def test_a_corrupt_list_of_shards_is_refused(folder: Path, shards: Any) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(ModelError, match=r"index\.json does not name .*fetch or save") as raised:
        check_checkpoint(folder)
    assert type(raised.value) is ModelError


def test_tensors_are_found_where_the_header_says(sound: Path) -> None:
    from safetensors.torch import load_file

    loaded = load_file(sound / "model.safetensors")
    content = (sound / "model.safetensors").read_bytes()
    stored = read_tensors(sound / "model.safetensors")
    assert stored.keys() == loaded.keys()
    for name, tensor in stored.items():
        assert tensor.shape == tuple(loaded[name].shape)
        assert content[tensor.start : tensor.end] == loaded[name].numpy().tobytes()
