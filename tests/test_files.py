"""Files are replaced whole or not at all, and what cannot be read is told in plain words."""

from pathlib import Path

import pytest

from cosec.files import USUAL, why_unreadable, write_atomically


def test_a_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_the_users_alone_unless_it_is_to_have_the_usual_permissions(tmp_path: Path) -> None:
    usual, private, shared = tmp_path / "usual", tmp_path / "private", tmp_path / "shared"
    usual.touch()
    write_atomically(private, "")
    write_atomically(shared, "", mode=USUAL)
    assert private.stat().st_mode & 0o777 == 0o600
    assert shared.stat().st_mode == usual.stat().st_mode


def test_a_file_that_cannot_be_read_is_told_without_its_path_and_error_number(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as missing:
        (tmp_path / "missing").read_text()
    assert why_unreadable(missing.value) == "No such file or directory"
    with pytest.raises(UnicodeDecodeError) as binary:
        b"\xff".decode()
    assert why_unreadable(binary.value) == "it is not UTF-8 text"
    assert why_unreadable(ValueError("line 3 is odd")) == "line 3 is odd"
