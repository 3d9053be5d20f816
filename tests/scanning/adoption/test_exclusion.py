"""Which files patterns leave out."""

from pathlib import Path

import pytest

from cosec.errors import SettingsError
from cosec.scanning.adoption.exclusion import Exclusion


@pytest.mark.parametrize(
    ("pattern", "path", "left_out"),
    [
        ("tests", "tests/test_a.py", True),
        ("tests", "app/tests/test_a.py", True),
        ("tests/", "tests", False),
        ("/build", "build/a.py", True),
        ("/build", "app/build/a.py", False),
        ("*_pb2.py", "app/api_pb2.py", True),
        ("app/**/old.py", "app/a/b/old.py", True),
        ("app/*.py", "app/a/b.py", False),
    ],
)
def test_patterns_are_those_of_gitignore(pattern: str, path: str, left_out: bool) -> None:
    assert Exclusion([pattern])(Path(path)) == left_out


def test_a_folder_pattern_fits_folders_and_a_later_pattern_takes_back_in() -> None:
    assert Exclusion(["tests/"])(Path("tests"), is_folder=True)
    assert not Exclusion(["*.py", "!kept.py"])(Path("kept.py"))


def test_patterns_are_about_their_folder_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")
    exclusion = Exclusion(["/app/old.py"], tmp_path)
    assert exclusion(Path("old.py"))
    assert not exclusion(Path("../old.py"))
    assert not exclusion(tmp_path.parent / "app" / "old.py")


def test_nothing_is_left_out_without_patterns_and_a_wrong_pattern_is_refused() -> None:
    assert not Exclusion([])(Path("a.py"))
    with pytest.raises(SettingsError, match=r"as in \.gitignore"):
        Exclusion(["!"])
