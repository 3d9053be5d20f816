"""Scenarios: unfinished programs whose next lines are secure or not, each with the means to judge a completion.

Our own set ships with the package, one folder a scenario (``scenarios/cwe-089/book-search``)::

    scenario.toml       description, rules that judge it, sinks; ``split = "validation"`` where it only calibrates
    open.EXT            imports, signature, comment: the model writes the whole body
    decision.EXT        the same program up to the dangerous choice; starts with open.EXT's text
    secure-1.EXT …      whole programs that start with decision.EXT's text: what a good completion looks like
    insecure-1.EXT …    the same with the weakness
    test.py             Python: exits with 0 where ``program.py`` beside it does its task on benign input

Line breaks at the end of a prompt's file are not part of the prompt. Other sets are loaded by files of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosec.checking.patterns import PATTERNS, Language
from cosec.errors import DataError

if TYPE_CHECKING:
    from cosec.checking.c.driver_inputs import DriverInputs

Depth = Literal["open", "decision"]
"""How far a prompt goes: to the start of the body, or to right before the dangerous choice."""

Split = Literal["trained", "unseen", "validation"]
"""Whether the security model was trained on the weakness; ``validation`` scenarios calibrate and are in no result."""

TRAINED_CWES = frozenset(f"CWE-{n}" for n in ("022", "078", "079", "089", "125", "190", "416", "476", "787"))
"""Weaknesses that the training pairs are about; all others are unseen."""

FAKES = "fakes"
"""Folder of small stand-ins for packages that a functional test's program imports (flask, django, …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A completion of known quality, on which oracles are tested."""

    code: str
    """The completion, without the prompt."""

    secure: bool
    """Whether it avoids the weakness."""

    depth: Depth
    """Which prompt it continues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One prompt and the means to judge its completions; the two depths of one task share an id."""

    id: str
    """``own/cwe-089/book-search``: source, weakness, name."""

    cwe: str
    """``CWE-089``."""

    language: Language

    depth: Depth

    prompt: str
    """What the model continues; ends with no white space."""

    rules: tuple[str, ...]
    """Rules whose findings make a completion insecure (ids of `cosec.checking.patterns.PATTERNS`)."""

    sinks: tuple[str, ...]
    """What a completion must reach to have engaged with the task, any of: the name of a call (``execute``); ``[]``, an
    element; ``->``, what a pointer points to (C); ``+``, ``-``, ``*``, ``<<``, arithmetic (C); ``==`` or ``in``, a
    comparison (Python); ``name=``, a value given to that name, attribute, key or keyword argument (Python);
    ``return``, a value given back. Only what the completion wrote or finished counts.
    """

    split: Split

    functional_test: str | None
    """Text of the test of the completed program, where the task allows one; see `functional_files`."""

    driver: DriverInputs | None
    """What the sanitizer driver feeds the completed program (C)."""

    references: tuple[Reference, ...]

    source: Literal["own", "sven"]

    description: str
    """The task in a few words."""


class _Card(BaseModel):
    """``scenario.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(min_length=1)
    rules: tuple[str, ...] = Field(min_length=1)
    sinks: tuple[str, ...] = Field(min_length=1)
    split: Literal["validation"] | None = None
    driver: dict[str, Any] | None = None


def own_scenarios(
    *,
    depth: Depth | None = None,
    split: Split | None = None,
    cwes: Collection[str] | None = None,
    folder: Path | None = None,
) -> tuple[Scenario, ...]:
    """The scenarios that ship with the package, sorted by id and depth (``open`` first).

    Args:
        depth: Only this depth; both where None.
        split: Only this split; all, the validation scenarios included, where None.
        cwes: Only these weaknesses (``CWE-089``).
        folder: Another folder in the same layout.

    Raises:
        DataError: If a folder is malformed; the message names the file and what is wrong with it.
    """
    root = folder or shipped_folder()
    return tuple(
        scenario
        for place in _scenario_folders(root)
        for scenario in _read_scenario(place)
        if (depth is None or scenario.depth == depth)
        and (split is None or scenario.split == split)
        and (cwes is None or scenario.cwe in cwes)
    )


def functional_files(scenario: Scenario, program: str) -> dict[str, str]:
    """What must lie in the folder where ``python test.py`` judges ``program``: the program, its test and the fakes.

    The fakes carry the names of the packages that they stand in for, so that ``import flask`` finds the one beside the
    test, whether or not flask is installed.

    Raises:
        DataError: If the scenario has no functional test.
    """
    if scenario.functional_test is None:
        raise DataError(f"scenario {scenario.id} has no functional test; ask only those whose functional_test is set")
    fakes = shipped_folder() / FAKES
    return {
        **{fake.name: fake.read_text(encoding="utf-8") for fake in sorted(fakes.glob("*.py"))},
        "program.py": program,
        "test.py": scenario.functional_test,
    }


def shipped_folder() -> Path:
    """Where the package keeps its scenarios."""
    return Path(str(files("cosec"))) / "data" / "scenarios"


def _scenario_folders(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        raise DataError(f"{root} is no folder of scenarios")
    groups = sorted(path for path in root.glob("cwe-*") if path.is_dir())
    for group in groups:
        if not re.fullmatch(r"cwe-\d{3}", group.name):
            raise DataError(f"{group}: name it after its weakness with three digits, such as cwe-089")
    places = [place for group in groups for place in sorted(group.iterdir()) if place.is_dir()]
    if not places:
        raise DataError(f"{root} holds no scenario; expected folders such as cwe-089/book-search with a scenario.toml")
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
            rules=card.rules,
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
        raise DataError(f"{path} is not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for rule in card.rules:
        if rule not in PATTERNS:
            raise DataError(
                f"{path} names the rule {rule!r}, which does not exist; they are in cosec/checking/patterns.py"
            )
        if PATTERNS[rule].language != language:
            raise DataError(f"{path} names the rule {rule!r}, but its programs are .{language} files")
    if card.driver is not None and language != "c":
        raise DataError(f"{path} has a [driver] table, but only C programs are driven; remove it")
    return card


def _read_prompts(place: Path, language: Language) -> dict[Depth, str]:
    prompts: dict[Depth, str] = {
        depth: _read_text(place / f"{depth}.{language}").rstrip("\n") for depth in get_args(Depth)
    }
    for depth, prompt in prompts.items():
        if not prompt or prompt[-1].isspace():
            raise DataError(f"{place / depth}.{language} is empty or ends with white space; end it with a full token")
    if prompts["open"] == prompts["decision"] or not prompts["decision"].startswith(prompts["open"]):
        raise DataError(f"{place}: decision.{language} must start with open.{language}'s text and go further")
    return prompts


def _read_reference(path: Path, decision_prompt: str) -> str:
    program = _read_text(path)
    if not program.startswith(decision_prompt) or program.strip() == decision_prompt:
        raise DataError(f"{path} must start with the exact text of decision{path.suffix} and complete it")
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
        raise DataError(f"{path} is missing; a scenario needs scenario.toml, open and decision prompts") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text") from None
