"""Where the settings of a project are found, and which are refused."""

from pathlib import Path

import pytest

from cosec.errors import SettingsError
from cosec.scanning.adoption.configuration import Configuration, find_configuration, read_configuration
from tests.forbidden import forbid

TABLE = "[tool.cosec.check]\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app" / "core").mkdir(parents=True)
    (tmp_path / "app" / "core" / "one.py").touch()
    return tmp_path


def write(text: str, folder: str = ".") -> None:
    Path(folder, "pyproject.toml").write_text(text)


def test_the_nearest_file_with_our_table_counts() -> None:
    write(TABLE + 'fail-on = "error"')
    write("[tool.other]\nx = 1", "app/core")
    for path in ("app/core/one.py", "app/core", "app", "."):
        assert find_configuration([Path(path)]).values == {"fail-on": "error"}
    write(TABLE + 'fail-on = "note"', "app")
    assert find_configuration([Path("app/core/one.py")]).values == {"fail-on": "note"}
    assert find_configuration([Path("app/core"), Path()]).values == {"fail-on": "error"}
    assert find_configuration([]).values == {"fail-on": "error"}


def test_no_file_means_no_settings(project: Path) -> None:
    assert find_configuration([project]) == Configuration()


def test_paths_are_relative_to_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write(TABLE + 'paths = ["app", "/srv"]\nbaseline = "known.json"')
    monkeypatch.chdir("app")
    found = find_configuration([])
    assert [path.absolute().resolve() for path in found.paths()] == [Path.cwd(), Path("/srv")]
    assert found.baseline() == Path("../known.json")


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default() -> None:
    write(TABLE + 'checker = ["flow"]')
    found = find_configuration([])
    assert found.choose("checker", ("semgrep",), ()) == ("semgrep",)
    assert found.choose("checker", (), ()) == ["flow"]
    assert found.choose("fail-on", None, "note") == "note"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('fail_on = "error"', "has no key 'fail_on'. Did you mean 'fail-on'?"),
        ('excludes = ["a"]', "Did you mean 'exclude'?"),
        ("colour = 1", "Known are paths, exclude"),
        ('entry-points = "main"', "entry-points .* must be one of 'declared', 'all'"),
        ('fail-on = "high"', "fail-on .* must be one of 'error'"),
        ('exclude = "tests"', "exclude .* must be a list of strings"),
        ("baseline = 3", "baseline .* must be a string"),
        ("dynamic = true", "has no key 'dynamic'"),
        ('sandbox = "limits"', "has no key 'sandbox'"),
        ('checker = ["sanitizer"]', "ask for it with --checker sanitizer"),
    ],
)
def test_a_setting_that_is_unknown_or_runs_programs_is_refused(text: str, hint: str) -> None:
    write(TABLE + text)
    with pytest.raises(SettingsError, match=hint):
        find_configuration([])


@pytest.mark.parametrize(("text", "hint"), [("[tool", "not valid TOML"), ("tool.cosec.check = 1", "is no table")])
def test_a_file_that_is_none_is_refused(text: str, hint: str) -> None:
    write(text)
    with pytest.raises(SettingsError, match=hint):
        find_configuration([])


def test_a_named_file_must_have_the_table() -> None:
    write("[tool.other]\nx = 1")
    with pytest.raises(SettingsError, match=r"has no \[tool.cosec.check\]"):
        read_configuration(Path("pyproject.toml"))
    with pytest.raises(SettingsError, match="Cannot read"):
        read_configuration(Path("gone.toml"))


def test_a_folder_beside_the_project_does_not_get_its_settings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(TABLE + 'fail-on = "error"', "app")
    (project / "other").mkdir()
    monkeypatch.chdir("app")
    assert find_configuration([Path("../other")]) == Configuration()
    assert find_configuration([Path("../other"), Path("../app/core")]) == Configuration()
    assert find_configuration([Path("../app/core")]).values == {"fail-on": "error"}


def test_a_folder_that_may_not_be_entered_has_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    write(TABLE + 'fail-on = "error"')
    forbid(monkeypatch, "app")
    assert find_configuration([Path("app/core/one.py")]).values == {"fail-on": "error"}
