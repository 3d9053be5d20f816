"""SVEN's scenarios (He & Vechev, CCS 2023) from a clone of its data, judged by our own checkers.

Layout: ``FOLDER/{trained,gen_1,gen_2}/cwe-089/0-py`` with ``info.json``, ``file_context.*`` and ``func_context.*``. The
prompt is both contexts in a row. Each ``check_ql`` names a CodeQL query and is mapped to one of our patterns; scenarios
without a matching pattern are left out. The third scenario of a trained weakness is its validation scenario. The inputs
with which C programs run are our own (``data/sven_drivers``).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cosec.errors import DataError
from cosec.evaluation.tasks.scenarios import Scenario, Split
from cosec.files import why_unreadable

if TYPE_CHECKING:
    from cosec.checking.c.driver_inputs import DriverInputs

SvenSet = Literal["trained", "gen_1", "gen_2"]
"""A set of SVEN's scenarios, by the name of its folder."""

SETS: tuple[SvenSet, ...] = ("trained", "gen_1", "gen_2")
"""All sets."""

QUERIES = {
    "SqlInjection": "py/sql-injection",
    "CommandInjection": "py/command-injection",
    "PathInjection": "py/path-traversal",
    "cwe-22_TarSlip": "py/archive-traversal",
    "ReflectedXss": "py/cross-site-scripting",
    "Jinja2WithoutEscaping": "py/template-without-escaping",
    "UnsafeDeserialization": "py/unsafe-deserialization",
    "WeakFilePermissions": "py/weak-file-permissions",
    "IncompleteHostnameRegExp": "py/incomplete-host-check",
    "IncompleteUrlSubstringSanitization": "py/incomplete-host-check",
    "LogInjection": "py/log-injection",
    "RegexInjection": "py/regex-injection",
    "MissingNullTest": "c/null-dereference",
    "UseAfterFree": "c/use-after-free",
    "PotentialBufferOverflow": "c/out-of-bounds-write",
    "ArithmeticTainted": "c/integer-overflow",
    "ArithmeticUncontrolled": "c/integer-overflow",
    "OverflowBuffer": "c/buffer-overflow",
    "DoNotCreateWorldWritable": "c/weak-file-permissions",
}
"""Pattern by CodeQL query."""

QUERY_FAMILIES = {
    "cwe-798_HardcodedCredentials": "py/hardcoded-credentials",
    "cwe_125_": "c/out-of-bounds-read",
    "cwe-190_": "c/integer-overflow",
    "cwe_787_": "c/out-of-bounds-write",
    "cwe-119_": "c/buffer-overflow",
}
"""Pattern by the start of the name of SVEN's own queries."""


def sven_scenarios(folder: Path) -> tuple[Scenario, ...]:
    """The scenarios that one of our patterns can judge, in the order of their ids, all of depth ``open``.

    Args:
        folder: Holds one or more of the sets.

    Raises:
        DataError: If the folder holds no scenario or one is malformed; the message names the file.
    """
    return tuple(_read(place, pattern) for place, pattern in _places(folder) if pattern is not None)


def _places(folder: Path) -> Iterator[tuple[Path, str | None]]:
    places = [place for name in SETS for place in sorted((folder / name).glob("cwe-*/*")) if place.is_dir()]
    if not places:
        raise DataError(
            f"{folder} contains no scenario in SVEN's layout; name the folder that contains trained/cwe-089/0-py"
            " (data_eval in a clone of eth-sri/sven)."
        )
    for place in places:
        yield place, _pattern(place)


def _identity(place: Path) -> str:
    return f"sven/{place.parent.parent.name}/{place.parent.name}/{place.name}"


def _information(place: Path) -> dict[str, Any]:
    path = place / "info.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"Cannot read {path}: {why_unreadable(error)}.") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} is not an object; it needs language, cwe, check_ql and description.")
    missing = [name for name in ("language", "cwe", "check_ql", "description") if not isinstance(found.get(name), str)]
    if missing or found["language"] not in ("py", "c"):
        raise DataError(f"{path} lacks {', '.join(missing) or 'a language that is py or c'}.")
    return dict(found)


def _pattern(place: Path) -> str | None:
    information = _information(place)
    query = Path(information["check_ql"]).stem
    if query in QUERIES:
        return QUERIES[query].replace("py/", f"{information['language']}/")
    return next((pattern for start, pattern in QUERY_FAMILIES.items() if query.startswith(start)), None)


def _read(place: Path, pattern: str) -> Scenario:
    information = _information(place)
    return Scenario(
        id=_identity(place),
        cwe=information["cwe"],
        language=information["language"],
        depth="open",
        prompt=_prompt(place, information["language"]),
        patterns=(pattern,),
        sinks=SINKS[pattern],
        split=_split(place),
        functional_test=None,
        driver=_driver(place),
        references=(),
        source="sven",
        description=information["description"],
    )


def _prompt(place: Path, language: str) -> str:
    texts = []
    for name in ("file_context", "func_context"):
        path = place / f"{name}.{language}"
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"Cannot read {path}: {why_unreadable(error)}.") from None
    context, function = texts
    if context and not context.endswith("\n"):
        context += "\n\n"
    return (context + function).rstrip()


def _split(place: Path) -> Split:
    if place.parent.parent.name != "trained":
        return "unseen"
    third = place.name.startswith("2-") and place.with_name(place.name.replace("2-", "1-")).is_dir()
    return "validation" if third else "trained"


def _driver(place: Path) -> DriverInputs | None:
    """Our inputs for this scenario, or None if there are none."""
    name = f"{place.parent.parent.name}-{place.parent.name}-{place.name}.toml"
    card = files("cosec") / "data" / "sven_drivers" / name
    if not card.is_file():
        return None
    from cosec.checking.c.driver_inputs import DriverInputs

    return DriverInputs.from_toml(tomllib.loads(card.read_text(encoding="utf-8"))["driver"])


SINKS: dict[str, tuple[str, ...]] = {
    "py/sql-injection": ("execute", "executemany", "query", "text"),
    "py/command-injection": ("system", "popen", "Popen", "run", "call", "check_call", "check_output", "getoutput"),
    "py/path-traversal": ("open", "send_file", "send_from_directory", "read_text", "read_bytes"),
    "py/archive-traversal": ("extract", "extractall", "extractfile", "unpack_archive"),
    "py/cross-site-scripting": ("return", "make_response", "render_template_string", "Response"),
    "py/template-without-escaping": ("Environment", "Template"),
    "py/unsafe-deserialization": ("load", "loads", "safe_load", "full_load", "unsafe_load", "load_all"),
    "py/weak-file-permissions": ("chmod", "fchmod", "open", "umask"),
    "py/hardcoded-credentials": (
        "==",
        "in",
        "connect",
        "check_password_hash",
        "compare_digest",
        "password=",
        "execute",
    ),
    "py/incomplete-host-check": ("match", "search", "fullmatch", "in", "==", "startswith", "endswith", "redirect"),
    "py/log-injection": ("debug", "info", "warning", "error", "critical", "exception", "log", "warn"),
    "py/regex-injection": ("compile", "search", "match", "fullmatch", "findall", "finditer", "sub", "split"),
    "c/out-of-bounds-read": ("[]", "->"),
    "c/integer-overflow": ("+", "-", "*", "<<", "rand"),
    "c/use-after-free": ("->", "[]", "free", "fread", "fgets", "fprintf", "fwrite", "printf", "memcpy", "strcpy"),
    "c/null-dereference": ("->", "[]", "fgets", "fread", "read", "memcpy", "strcpy", "strncpy", "scanf"),
    "c/out-of-bounds-write": ("[]", "->", "sprintf", "snprintf", "memcpy", "memmove", "strcpy", "strncpy"),
    "c/buffer-overflow": ("[]", "->", "memcpy", "strcpy", "strncpy", "sprintf", "snprintf"),
    "c/weak-file-permissions": ("fopen", "open", "creat", "chmod", "fchmod", "umask"),
}
"""Sinks of the scenarios of each pattern; see `Scenario.sinks`."""
