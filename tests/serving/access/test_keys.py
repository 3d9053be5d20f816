"""API keys are stored as hashes and belong to a name."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cosec.errors import SettingsError
from cosec.serving.access.keys import add_key, read_keys


def test_keys_are_hashed_and_known_by_name(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    first, second = add_key(file, "anna"), add_key(file, "ben")
    assert first not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ring = read_keys(file)
    assert (ring.owner(first), ring.owner(second), ring.owner(first + "x"), ring.owner("")) == (
        "anna", "ben", None, None,
    )  # fmt: skip
    with pytest.raises(SettingsError, match="already"):
        add_key(file, "anna")
    with pytest.raises(SettingsError, match="cannot name"):
        add_key(file, "a b")


@pytest.mark.parametrize("content", ["", "# only a comment\n", "anna notahash\n"])
def test_a_key_file_without_usable_keys_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    with pytest.raises(SettingsError, match="serve-key"):
        read_keys(file)


def test_a_key_is_added_on_a_line_of_its_own_after_a_file_without_a_final_newline(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    first = add_key(file, "anna")
    file.write_text(file.read_text().rstrip("\n"))
    second = add_key(file, "ben")
    ring = read_keys(file)
    assert (ring.owner(first), ring.owner(second)) == ("anna", "ben")


@pytest.mark.parametrize("content", ["# the team's keys\n", "\n", "# without a final newline"])
def test_a_first_key_is_added_to_a_file_without_keys(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    key = add_key(file, "anna")
    assert read_keys(file).owner(key) == "anna"
    assert file.read_text().startswith(content)


def test_a_malformed_key_file_gets_no_further_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("anna notahash\n")
    with pytest.raises(SettingsError, match="Line 1 "):
        add_key(file, "ben")
    assert file.read_text() == "anna notahash\n"
