"""The hub is asked for data only, and its cache serves without network."""

from pathlib import Path

import huggingface_hub
import pytest

from cosec.errors import ModelNotFound
from cosec.models.loading.hub import HUB_NAME, download
from cosec.models.loading.load import load_model
from tests.tiny import save_tiny

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_cached_model_loads_offline(hub_cache: Path) -> None:
    repository = hub_cache / "models--tiny-org--tiny-coder"
    save_tiny("qwen2", repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    loaded = load_model("tiny-org/tiny-coder")
    assert loaded.name == "tiny-org/tiny-coder"
    assert loaded.family is not None
    assert loaded.family.name == "qwen2.5-coder"
    assert load_model(f"tiny-org/tiny-coder@{COMMIT}").path == loaded.path


def test_an_unknown_model_offline_is_answered_with_a_remedy(hub_cache: Path) -> None:
    with pytest.raises(
        ModelNotFound, match=r"'tiny-org/nothing' is not a local folder.*Check the spelling and the network"
    ):
        load_model("tiny-org/nothing")


def test_a_failure_of_the_hubs_own_http_library_is_answered_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    class ProxyError(Exception):
        """As of an HTTP library: neither an OSError nor a RuntimeError."""

    def fail(repository: str, **options: object) -> str:
        raise ProxyError("407 Proxy Authentication Required")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelNotFound, match=r"407 Proxy.*Check the spelling and the network"):
        download("tiny-org/tiny-coder")


def test_only_data_files_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub.utils import filter_repo_objects

    asked: dict[str, object] = {}

    def record(repository: str, **options: object) -> str:
        asked.update(options, repository=repository)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", record)
    download("tiny-org/tiny-coder@refs/pr/3")
    assert (asked["repository"], asked["revision"]) == ("tiny-org/tiny-coder", "refs/pr/3")
    offered = [
        *("config.json", "model.safetensors", "merges.txt", "tokenizer.model"),
        *("pytorch_model.bin", "modeling_tiny.py", "model.pt", "onnx/config.json", "README.md"),
    ]
    patterns = {key: asked[key] for key in ("allow_patterns", "ignore_patterns")}
    assert list(filter_repo_objects(offered, **patterns)) == offered[:4]


@pytest.mark.parametrize("name", ["a/b/c", "../b", "/b", "a/", "plain", "a b/c", "-a/b"])
def test_what_cannot_be_a_hub_id_is_not_taken_for_one(name: str) -> None:
    assert HUB_NAME.fullmatch(name) is None
