import subprocess
import sys

import pytest

from cosec.checking.patterns import PATTERNS
from cosec.checking.registry import CHECKERS, available_checkers, default_checkers, make_checker
from cosec.errors import CheckerError


def test_every_checker_is_made_by_its_name_and_judges_rules_of_its_languages() -> None:
    made = [make_checker(name) for name in available_checkers()]
    assert {"flow", "semgrep"} <= {one.name for one in made}
    for checker in made:
        assert checker.name in CHECKERS
        assert checker.patterns
        assert {PATTERNS[pattern].language for pattern in checker.patterns} <= CHECKERS[checker.name].languages


def test_every_rule_about_python_is_judged_by_default() -> None:
    judged = set().union(*(make_checker(name).patterns for name in default_checkers("py")))
    assert {pattern for pattern in PATTERNS if pattern.startswith("py/")} <= judged


def test_a_checker_that_is_missing_here_names_the_remedy(monkeypatch) -> None:
    monkeypatch.setenv("COSEC_SEMGREP", "/nowhere/semgrep")
    assert "semgrep" not in available_checkers()
    with pytest.raises(CheckerError, match="make setup"):
        make_checker("semgrep")


def test_an_unknown_checker_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CheckerError, match="choose from flow"):
        make_checker("bandit")


def test_a_checker_is_told_the_entry_points_and_takes_all_functions_without(tmp_path) -> None:
    path = tmp_path / "shell.py"
    path.write_text("import os\n\n\ndef run(folder):\n    os.system('ls ' + folder)\n", encoding="utf-8")
    assert len(make_checker("flow").check([path]).findings) == 1
    assert make_checker("flow", entry_points="declared").check([path]).findings == ()
    assert make_checker("c-static", entry_points="declared").name == "c-static"


def test_naming_checkers_imports_none() -> None:
    source = (
        "import sys; from cosec.checking.registry import CHECKERS;"
        "modules = {entry.module for entry in CHECKERS.values()};"
        "assert len(modules) == 5 and not modules & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", source], check=True)
