"""The demo prompts: unfinished files that ship with the package, each cut right before the dangerous choice."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPrompt:
    """One of the prompts that ship with the package."""

    file: str
    """Name of the prompt's file."""

    title: str
    """What the program does."""

    cwe: str
    """The weakness it invites, for example CWE-089."""

    language: str
    """python or c."""

    look_for: str
    """What to look at in the completions."""

    text: str
    """The prompt."""


def demo_prompts() -> list[DemoPrompt]:
    """Read the prompts, in the order of their index."""
    folder = files("cosec") / "data" / "prompts"
    index = tomllib.loads((folder / "prompts.toml").read_text(encoding="utf-8"))
    return [
        DemoPrompt(
            file=entry["file"],
            title=entry["title"],
            cwe=entry["cwe"],
            language=entry["language"],
            look_for=entry["look_for"],
            text=(folder / entry["file"]).read_text(encoding="utf-8"),
        )
        for entry in index["prompt"]
    ]
