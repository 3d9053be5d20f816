"""Which files of folders are checked, and what is said about the others."""

import os
from pathlib import Path

import pytest

from cosec.scanning.files import described, find_files
from tests.forbidden import forbid


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n", encoding="utf-8")


def test_upper_case_python_is_python_and_capital_c_is_another_language(folder: Path) -> None:
    write(folder, "A.PY", "b.c", "c.h", "d.C", "e.H")
    found = find_files([folder])
    assert [(one.shown, one.language) for one in found.files] == [("A.PY", "py"), ("b.c", "c"), ("c.h", "c")]
    assert found.other_languages == {"C++": 2}


def test_files_of_other_languages_are_counted_once_and_only_in_folders(folder: Path) -> None:
    write(folder, "a.py", "web/one.js", "web/two.js", "main.go", "README.md")
    found = find_files([folder, folder / "web", folder / "main.go"], allow_empty=True)
    assert found.other_languages == {"JavaScript": 2, "Go": 1}
    assert described(found.other_languages) == "2 JavaScript files, 1 Go file"
    assert ("main.go", None) in [(one.shown, one.language) for one in found.files]


def test_a_folder_without_anything_to_check_says_what_was_left_out(folder: Path) -> None:
    write(folder, "web/one.js", "web/.hidden/a.py", "web/node_modules/b.py", "src/a.py")
    (error,) = find_files([Path("web"), Path("src")]).errors
    assert error == (
        "There is no Python or C file in the folder 'web'. "
        "Not looked at: 1 JavaScript file, 2 hidden or generated folders. --allow-empty accepts that."
    )
    assert find_files([Path("web")], allow_empty=True).errors == ()


def test_a_folder_that_cannot_be_listed_is_unscored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "a.py", "secret/b.py")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_files([folder])
    assert [one.shown for one in found.files] == ["a.py"]
    assert [(one.path, one.reason) for one in found.unscored] == [
        ("secret", "the folder cannot be read: Permission denied")
    ]


def test_each_file_counts_once(folder: Path) -> None:
    write(folder, "app/a.py")
    found = find_files([Path("app"), folder, Path("app/a.py")])
    assert [one.shown for one in found.files] == ["app/a.py"]


def test_files_that_may_not_be_looked_at_stay_in_the_scan(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "a.py", "secret/b.py", "secret/c.h")
    (folder / "gone.py").symlink_to("missing")
    (folder / "loop.py").symlink_to("loop.py")
    forbid(monkeypatch, "secret")
    found = find_files([folder])
    assert [(one.shown, one.size) for one in found.files] == [("a.py", 1), ("secret/b.py", 0), ("secret/c.h", 0)]
    named = find_files([Path("secret/b.py"), Path("gone.py"), Path("loop.py")])
    assert [one.shown for one in named.files] == ["secret/b.py"]
    assert len(named.errors) == 2


def test_a_link_to_a_folder_elsewhere_is_unscored_and_one_inside_is_not(folder: Path) -> None:
    write(folder, "project/own/a.py", "elsewhere/b.py")
    (folder / "project" / "linked").symlink_to("../elsewhere")
    (folder / "project" / "again").symlink_to("own")
    found = find_files([folder / "project"])
    assert [one.shown for one in found.files] == ["project/own/a.py"]
    assert [(one.path, "name it to check it" in one.reason) for one in found.unscored] == [("project/linked", True)]
