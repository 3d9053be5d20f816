"""The cache never holds anything half-made."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cosec.errors import ModelError, SettingsError
from cosec.models.identity import file_sha256
from cosec.models.loading.store import cache_root, new_folder, unfinished_folders, writing_to_the_cache


def test_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "elsewhere"))
    assert cache_root() == tmp_path / "elsewhere"
    monkeypatch.delenv("COSEC_CACHE")
    assert cache_root().name == "cosec"


@pytest.mark.skipif(os.name != "posix", reason="other systems ask elsewhere")
@pytest.mark.parametrize("chosen", ["", "~/cache"])
def test_without_a_home_folder_the_remedy_is_named_and_hashes_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: str
) -> None:
    monkeypatch.setenv("COSEC_CACHE", chosen)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # a user without an entry, as in many containers
    with pytest.raises(SettingsError, match="COSEC_CACHE"):
        cache_root()
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.write_bytes(b"content")
    assert file_sha256(file) == hashlib.sha256(b"content").hexdigest()
    assert list(tmp_path.iterdir()) == [file]


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path))
    for number, expected in ((errno.EROFS, ModelError), (errno.EACCES, ModelError), (errno.ENOSPC, OSError)):
        with (
            pytest.raises(expected, match="COSEC_CACHE" if expected is ModelError else "space"),
            writing_to_the_cache(),
        ):
            raise OSError(number, os.strerror(number))


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


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EBUSY])
def test_a_folder_that_cannot_take_its_place_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(path), None, str(target))

    monkeypatch.setattr(Path, "rename", refuse)
    (tmp_path / "tiny").mkdir()
    with pytest.raises(OSError, match=os.strerror(number)), new_folder(tmp_path / "tiny"):
        pass
    assert list((tmp_path / "tiny").iterdir()) == []


def test_the_current_folder_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="busy"), new_folder(Path()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_has_the_permissions_that_the_umask_gives(tmp_path: Path) -> None:
    for mask in (0o022, 0o077):
        before = os.umask(mask)
        try:
            with new_folder(tmp_path / f"{mask:o}") as unfinished:
                (unfinished / "private").touch(mode=0o600)
        finally:
            os.umask(before)
        assert (tmp_path / f"{mask:o}").stat().st_mode & 0o777 == 0o777 & ~mask
        assert (tmp_path / f"{mask:o}" / "private").stat().st_mode & 0o777 == 0o666 & ~mask


def test_what_a_killed_process_leaves_is_told_from_what_is_being_filled(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    killed = (
        "import os, pathlib, signal\n"
        "from cosec.models.loading.store import new_folder\n"
        f"with new_folder(pathlib.Path({str(folder)!r})): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with new_folder(folder):
        assert len(list(tmp_path.iterdir())) == 2
        assert unfinished_folders(folder) == [left]
    assert unfinished_folders(tmp_path / "other") == []
