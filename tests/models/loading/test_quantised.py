"""GGUF models and adapters are found and checked without reading their weights."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from pathlib import Path

import pytest

from cosec.errors import AdapterError, ModelError, SettingsError
from cosec.models.adapters import read_adapter, recorded_base
from cosec.models.gguf_adapter import base_of, rule_of
from cosec.models.identity import file_sha256
from cosec.models.loading import gguf as conversion
from cosec.models.loading.embedded import BUNDLED_MODELS, gguf_file
from cosec.models.loading.gguf_header import read_header
from cosec.models.loading.load import load_model
from cosec.models.loading.quantised import (
    export_adapter,
    load_gguf,
    load_gguf_pair,
    suits_llama_cpp,
)
from cosec.models.loading.store import cache_root
from tests.models.gguf_pair import GgufFiles, gguf_files, record_fingerprint


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    gguf_files(folder)
    return folder


@pytest.fixture
def files(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GgufFiles:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    return GgufFiles(*(str(made / name) for name in ("target.gguf", "security.gguf", "adapter", "other")))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model '.*missing\.gguf'"):
        load_gguf(str(tmp_path / "missing.gguf"))


def test_a_file_has_the_tokenizer_and_the_context_of_its_conversion(files: GgufFiles) -> None:
    ours = load_gguf(files.target)
    assert list(ours.path.glob("*.safetensors")) == []
    theirs = load_model(files.target)
    assert ours.tokenizer.get_vocab() == theirs.tokenizer.get_vocab()
    assert (ours.stop_token_ids, ours.context_length, ours.family) == (
        theirs.stop_token_ids,
        theirs.context_length,
        theirs.family,
    )
    assert ours.head_width == 320
    assert ours.cache_values_per_token == 64


def test_the_outline_of_a_file_is_made_once(files: GgufFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_gguf(files.target).path

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(conversion, "convert_gguf", refuse)
    assert load_gguf(files.target).path == first


def test_a_cache_that_cannot_take_the_outline_is_named_with_the_remedy(
    files: GgufFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(conversion, "convert_gguf", refuse)
    with pytest.raises(ModelError, match="COSEC_CACHE"):
        load_gguf(files.target)


def test_names_that_stand_for_no_gguf_file_are_refused(files: GgufFiles, tmp_path: Path) -> None:
    assert gguf_file(files.target) == Path(files.target)
    for name in (str(tmp_path), str(tmp_path / "none.gguf"), "organisation/model", "smollm2-135m"):
        assert gguf_file(name) is None
    with pytest.raises(SettingsError, match="neither: name one of these"):
        load_gguf("organisation/model")
    with pytest.raises(ModelError, match="cosec models pull smollm2-135m"):
        load_gguf("smollm2-135m")


def test_the_home_folder_of_no_user_is_no_file() -> None:
    assert gguf_file("~nosuchuser/model.gguf") is None
    with pytest.raises(ModelError, match=r"no model '~nosuchuser/model\.gguf'"):
        load_gguf("~nosuchuser/model.gguf")


def test_an_adapter_of_the_target_shares_its_weights(files: GgufFiles) -> None:
    pair = load_gguf_pair(files.target, files.adapter)
    assert pair.security is None
    assert pair.adapter is not None
    assert read_header(pair.adapter.file).is_adapter
    assert pair.adapter.path == Path(files.adapter)


def test_an_adapter_of_another_model_brings_its_base(files: GgufFiles) -> None:
    pair = load_gguf_pair(files.target, files.other_adapter)
    assert pair.security is not None
    assert pair.security.file == Path(files.security)


def test_a_recorded_fingerprint_decides_which_model_an_adapter_belongs_to(files: GgufFiles, tmp_path: Path) -> None:
    adapter = str(shutil.copytree(files.adapter, tmp_path / "adapter"))
    record_fingerprint(adapter, files.target)
    assert load_gguf_pair(files.target, adapter).security is None
    record_fingerprint(adapter, files.security)
    with pytest.raises(AdapterError, match="made for other weights"):
        load_gguf_pair(files.target, adapter)


def test_adapters_of_an_embedded_model_need_no_conversion(
    files: GgufFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_fingerprint(files_adapter := str(shutil.copytree(files.adapter, tmp_path / "adapter")), files.target)
    fingerprint = recorded_base(Path(files_adapter))[1]
    tiny = dataclasses.replace(BUNDLED_MODELS["smollm2-135m"], name="tiny", weights_sha256=str(fingerprint))
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", tiny)
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "empty"))
    tiny.gguf.parent.mkdir(parents=True)
    shutil.copy(files.target, tiny.gguf)
    assert load_gguf_pair("tiny", files_adapter).security is None
    assert load_gguf_pair(files.target, files_adapter).security is None, "the same file under another name"
    beside = load_gguf_pair(files.security, files_adapter).security
    assert beside is not None
    assert beside.file == tiny.gguf
    assert not tiny.is_converted


def test_a_whole_model_may_be_the_security_model(files: GgufFiles) -> None:
    pair = load_gguf_pair(files.target, files.security)
    assert pair.adapter is None
    assert pair.security is not None
    assert load_gguf_pair(files.target, "none").security is None


def test_an_exported_adapter_knows_its_base_and_its_rule(files: GgufFiles, tmp_path: Path) -> None:
    out = tmp_path / "out" / "adapter.gguf"
    export_adapter(Path(files.adapter), out, {"name": "gate", "strength": 0.1})
    header = read_header(out)
    assert base_of(header) == (files.target, None, file_sha256(Path(files.target)))
    assert rule_of(header) == {"name": "gate", "strength": 0.1}
    assert read_adapter(Path(files.adapter)).scales.keys()
    assert load_gguf_pair(files.target, str(out)).security is None
    base = load_gguf_pair(files.security, str(out)).security
    assert base is not None
    assert base.file == Path(files.target)


def test_an_exported_adapter_whose_base_is_gone_is_refused(files: GgufFiles, tmp_path: Path) -> None:
    base = shutil.copy(files.target, tmp_path / "base.gguf")
    adapter = shutil.copytree(files.adapter, tmp_path / "adapter")
    text = (adapter / "adapter_config.json").read_text().replace(files.target, str(base))
    (adapter / "adapter_config.json").write_text(text)
    out = tmp_path / "adapter.gguf"
    export_adapter(adapter, out, {})
    Path(base).unlink()
    assert load_gguf_pair(files.target, str(out)).security is None, "the same file under another name"
    with pytest.raises(AdapterError, match=r"made for .*base\.gguf, whose GGUF file is not here"):
        load_gguf_pair(files.security, str(out))


def test_an_adapter_is_no_target(files: GgufFiles, tmp_path: Path) -> None:
    export_adapter(Path(files.adapter), tmp_path / "adapter.gguf", {})
    with pytest.raises(AdapterError, match="is an adapter, not a model"):
        load_gguf_pair(str(tmp_path / "adapter.gguf"), "none")


def test_an_adapter_is_converted_once(files: GgufFiles) -> None:
    first = load_gguf_pair(files.target, files.adapter).adapter
    assert first is not None
    changed = first.file.stat().st_mtime_ns
    again = load_gguf_pair(files.target, files.adapter).adapter
    assert again is not None
    assert again.file.stat().st_mtime_ns == changed
    assert first.file.is_relative_to(cache_root())


def test_llama_cpp_suits_gguf_models_with_gguf_security_models(files: GgufFiles, tmp_path: Path) -> None:
    for security in (files.security, files.adapter, files.other_adapter, "none"):
        assert suits_llama_cpp(files.target, security)
    shape = str(Path(files.adapter).parent / "shape")
    (tmp_path / "prefix").mkdir()
    (tmp_path / "prefix" / "adapter_config.json").write_text('{"peft_type": "PREFIX_TUNING"}')
    assert not suits_llama_cpp(files.target, str(tmp_path / "prefix"))
    assert not suits_llama_cpp(shape, "none")
    assert not suits_llama_cpp(files.target, shape)


@pytest.mark.parametrize("length", [0, 100, 30_000])
def test_a_damaged_file_is_named(files: GgufFiles, tmp_path: Path, length: int) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(Path(files.target).read_bytes()[:length])
    with pytest.raises(ModelError, match=r"damaged\.gguf is not a readable GGUF file"):
        load_gguf_pair(str(damaged), "none")
    with pytest.raises(ModelError, match=r"damaged\.gguf is not a readable GGUF file"):
        load_gguf_pair(files.target, str(damaged))
