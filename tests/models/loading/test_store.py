"""The cache never holds anything half-made."""

from pathlib import Path

import pytest

from cosec.models.loading.store import cache_root, new_folder


def test_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "elsewhere"))
    assert cache_root() == tmp_path / "elsewhere"
    monkeypatch.delenv("COSEC_CACHE")
    assert cache_root().name == "cosec"


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    with new_folder(folder) as unfinished:
        (unfinished / "part").write_text("content")
        assert not folder.exists()
    assert (folder / "part").read_text() == "content"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_crash_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"

    def interrupted() -> None:
        with new_folder(folder) as unfinished:
            (unfinished / "part").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_the_quicker_process_wins(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    with new_folder(folder) as unfinished:
        (unfinished / "part").write_text("slow")
        folder.mkdir()
        (folder / "part").write_text("quick")
    assert (folder / "part").read_text() == "quick"
    assert list(tmp_path.iterdir()) == [folder]
