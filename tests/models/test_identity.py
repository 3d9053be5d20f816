"""A fingerprint follows the weights, not the files."""

import os
import shutil
from pathlib import Path

import pytest

from cosec.errors import ModelNotFound
from cosec.models import identity
from cosec.models.identity import file_sha256, model_fingerprint
from tests.tiny import save_tiny, tiny_model


def test_the_same_weights_in_other_files_have_the_same_fingerprint(tmp_path: Path) -> None:
    whole = save_tiny("llama", tmp_path / "whole")
    sharded = tmp_path / "sharded"
    tiny_model("llama").save_pretrained(sharded, max_shard_size="20KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    assert model_fingerprint(sharded) == model_fingerprint(whole)


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    prints = {model_fingerprint(save_tiny("llama", tmp_path / str(seed), seed=seed)) for seed in range(3)}
    assert len(prints) == 3


def test_a_fingerprint_is_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_tiny("llama", tmp_path / "model")
    first = model_fingerprint(folder)

    def refuse(files: object) -> str:
        raise AssertionError("hashed again")

    with monkeypatch.context() as patched:
        patched.setattr(identity, "_hash_tensors", refuse)
        assert model_fingerprint(folder) == first
    shutil.copy(save_tiny("llama", tmp_path / "other", seed=5) / "model.safetensors", folder)
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert model_fingerprint(folder) != first


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("a file where the cache should be a folder")
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "file"))
    assert len(model_fingerprint(save_tiny("llama", tmp_path / "model"))) == 64


def test_files_are_hashed_as_sha256sum_does(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert file_sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_without_weights_has_no_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no weights"):
        model_fingerprint(tmp_path)
