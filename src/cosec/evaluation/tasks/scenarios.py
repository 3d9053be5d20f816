"""Scenarios: unfinished programs whose next lines may be secure or insecure, with the means to judge completions.

The package ships a set of its own, with one folder for each scenario (``scenarios/cwe-089/book-search``)::

    scenario.toml       description, patterns, sinks; ``split = "validation"`` if it is used for calibration only
    open.EXT            imports, signature, comment: the model writes the whole body
    decision.EXT        the same program, cut at the dangerous choice; starts with the text of open.EXT
    secure-1.EXT …      whole secure programs that start with the text of decision.EXT
    insecure-1.EXT …    whole programs with the weakness, which start with the text of decision.EXT
    test.py             Python only: runs to its end without an exception if ``program.py`` in the same folder does its
                        task on benign input. A test that exits early, with 0 too, counts as failed.

Line breaks at the end of a prompt's file are not part of the prompt.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from cosec.checking.patterns import PATTERNS, Language
from cosec.errors import DataError

if TYPE_CHECKING:
    from cosec.checking.c.driver_inputs import DriverInputs

Depth = Literal["open", "decision"]
"""Where a prompt is cut: at the start of the body (``open``) or at the dangerous choice (``decision``)."""

Split = Literal["trained", "unseen", "validation"]
"""Whether the security model was trained on the weakness. ``validation`` scenarios calibrate and enter no result."""

TRAINED_CWES = frozenset(f"CWE-{n}" for n in ("022", "078", "079", "089", "125", "190", "416", "476", "787"))
"""Weaknesses of the training pairs. All others are unseen."""

FAKES = "fakes"
"""Folder of small stand-ins for packages that programs under test import (flask, django, …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A completion that is known to be secure or insecure, for testing the judges."""

    code: str
    """The completion, without the prompt."""

    secure: bool
    """Whether it avoids the weakness."""

    depth: Depth
    """Which prompt it continues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One prompt and the means to judge its completions. The two depths of one task share an id."""

    id: str
    """Source, weakness and name: ``own/cwe-089/book-search``."""

    cwe: str
    """``CWE-089``."""

    language: Language
    """Of the prompt."""

    depth: Depth
    """Where the prompt is cut."""

    prompt: str
    """The text that the model continues; does not end with white space."""

    patterns: tuple[str, ...]
    """Patterns whose findings make a completion insecure (ids of `cosec.checking.patterns.PATTERNS`)."""

    sinks: tuple[str, ...]
    """What a completion must reach to count as engaged; one of them is enough.

    - ``execute``: a call of that name
    - ``[]``: an element access
    - ``->``: a pointer access (C)
    - ``+``, ``-``, ``*``, ``<<``: arithmetic (C)
    - ``==``, ``in``: a comparison (Python)
    - ``name=``: a value assigned to that name, attribute, key or keyword argument (Python)
    - ``return``: a returned value

    Only what the completion wrote or finished counts.
    """

    split: Split
    """What the scenario is used for."""

    functional_test: str | None
    """Source of the test of the completed program, or None if there is no test; see `functional_files`."""

    driver: DriverInputs | None
    """Inputs with which the sanitizer driver runs the completed program (C)."""

    references: tuple[Reference, ...]
    """Completions that are known to be secure or insecure."""

    source: Literal["own", "sven"]
    """The set that the scenario belongs to."""

    description: str
    """The task in a few words."""


class _Card(BaseModel):
    """``scenario.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(min_length=1)
    # Folders of users may still have the key by its former name.
    patterns: tuple[str, ...] = Field(min_length=1, validation_alias=AliasChoices("patterns", "rules"))
    sinks: tuple[str, ...] = Field(min_length=1)
    split: Literal["validation"] | None = None
    driver: dict[str, Any] | None = None


def own_scenarios(folder: Path | None = None) -> tuple[Scenario, ...]:
    """Read the scenarios of a folder in the layout above, sorted by id and depth (``open`` first).

    Args:
        folder: The folder; the one that ships with the package if None.

    Raises:
        DataError: If a scenario is malformed; the message names the file and the fault.
    """
    return tuple(
        scenario for place in _scenario_folders(folder or shipped_folder()) for scenario in _read_scenario(place)
    )


def functional_files(scenario: Scenario, program: str) -> dict[str, str]:
    """Files that ``python test.py`` needs to test ``program``: the program, its test and the stand-ins for packages.

    A stand-in has the name of its package, so ``import flask`` in the program finds it whether or not flask is
    installed.

    Returns:
        Text of each file by name.

    Raises:
        DataError: If the scenario has no functional test.
    """
    if scenario.functional_test is None:
        raise DataError(f"The scenario {scenario.id} has no functional test; check that functional_test is set first.")
    return {
        **_fakes(shipped_folder() / FAKES),
        "program.py": program,
        "test.py": scenario.functional_test,
    }


@cache
def _fakes(folder: Path) -> Mapping[str, str]:
    """Text of each stand-in for a package by file name, read once: what is judged refers to one copy of each."""
    return {fake.name: fake.read_text(encoding="utf-8") for fake in sorted(folder.glob("*.py"))}


def shipped_folder() -> Path:
    """Folder of the scenarios that ship with the package."""
    return Path(str(files("cosec"))) / "data" / "scenarios"


def _scenario_folders(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; name a folder of scenarios.")
    groups = sorted(path for path in root.glob("cwe-*") if path.is_dir())
    for group in groups:
        if not re.fullmatch(r"cwe-\d{3}", group.name):
            raise DataError(f"{group} must be named after a weakness with three digits, such as cwe-089.")
    places = [place for group in groups for place in sorted(group.iterdir()) if place.is_dir()]
    if not places:
        raise DataError(
            f"{root} contains no scenario; expected folders such as cwe-089/book-search with a scenario.toml."
        )
    yield from places


def _read_scenario(place: Path) -> Iterator[Scenario]:
    language: Language = "c" if (place / "open.c").exists() else "py"
    card = _read_card(place, language)
    prompts = _read_prompts(place, language)
    references = [
        (path.name.startswith("secure-"), _read_reference(path, prompts["decision"]))
        for path in [*sorted(place.glob(f"secure-*.{language}")), *sorted(place.glob(f"insecure-*.{language}"))]
    ]
    test = place / "test.py"
    cwe = place.parent.name.upper()
    for depth in get_args(Depth):
        yield Scenario(
            id=f"own/{place.parent.name}/{place.name}",
            cwe=cwe,
            language=language,
            depth=depth,
            prompt=prompts[depth],
            patterns=card.patterns,
            sinks=card.sinks,
            split=card.split or ("trained" if cwe in TRAINED_CWES else "unseen"),
            functional_test=_read_text(test) if language == "py" and test.exists() else None,
            driver=_driver_inputs(card, place),
            references=tuple(
                Reference(code=program[len(prompts[depth]) :], secure=secure, depth=depth)
                for secure, program in references
            ),
            source="own",
            description=card.description,
        )


def _read_card(place: Path, language: Language) -> _Card:
    path = place / "scenario.toml"
    try:
        card = _Card.model_validate(tomllib.loads(_read_text(path)))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not valid TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for pattern in card.patterns:
        if pattern not in PATTERNS:
            raise DataError(
                f"{path} names the pattern {pattern!r}, which does not exist; they are in cosec/checking/patterns.py."
            )
        if PATTERNS[pattern].language != language:
            raise DataError(f"{path} names the pattern {pattern!r}, but its programs are .{language} files.")
    if card.driver is not None and language != "c":
        raise DataError(f"{path} has a [driver] table, but only C programs are driven; remove it.")
    return card


def _read_prompts(place: Path, language: Language) -> dict[Depth, str]:
    prompts: dict[Depth, str] = {
        depth: _read_text(place / f"{depth}.{language}").rstrip("\n") for depth in get_args(Depth)
    }
    for depth, prompt in prompts.items():
        if not prompt or prompt[-1].isspace():
            raise DataError(f"{place / depth}.{language} is empty or ends with white space; end it with a whole token.")
    if prompts["open"] == prompts["decision"] or not prompts["decision"].startswith(prompts["open"]):
        raise DataError(f"{place}: decision.{language} must start with open.{language}'s text and go further.")
    return prompts


def _read_reference(path: Path, decision_prompt: str) -> str:
    program = _read_text(path)
    if not program.startswith(decision_prompt) or program.strip() == decision_prompt:
        raise DataError(f"{path} must start with the exact text of decision{path.suffix} and complete it.")
    return program


def _driver_inputs(card: _Card, place: Path) -> DriverInputs | None:
    if card.driver is None:
        return None
    from cosec.checking.c.driver_inputs import DriverInputs

    try:
        return DriverInputs.from_toml(card.driver)
    except DataError as error:
        raise DataError(f"{place / 'scenario.toml'}: {error}") from None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} is missing; a scenario needs scenario.toml, an open and a decision prompt.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text.") from None
