"""Files that hold a decoding rule: ``cosec calibrate`` writes them, and an adapter may contain its own."""

from __future__ import annotations

import tomllib
from pathlib import Path

from cosec.decoding.rules.schema import with_current_names
from cosec.decoding.settings import decoding_settings
from cosec.errors import SettingsError
from cosec.files import why_unreadable

RULE_FILE = "rule.toml"
"""Name of the file in an adapter's folder and in the output of ``cosec calibrate``."""


def read_rule(path: Path) -> dict[str, object]:
    """Read the name and settings of a rule, as ``decoding_settings`` takes them.

    Args:
        path: A TOML file with one table, ``[rule]``.

    Raises:
        SettingsError: If the file cannot be read or is not one rule's settings; the message names the file.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Cannot read the recipe {str(path)!r}: {why_unreadable(error)}.") from error
    if set(values) != {"rule"} or not isinstance(values["rule"], dict):
        raise SettingsError(f"The recipe {str(path)!r} must hold one table, [rule], with a rule's name and settings.")
    rule = with_current_names(values["rule"])
    try:
        decoding_settings(rule, {})
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return rule


def own_rule(adapter: Path) -> dict[str, object]:
    """Read the rule that an adapter carries, which applies unless the user names another.

    Args:
        adapter: The adapter's folder.

    Returns:
        The rule's name and settings; empty if the adapter carries none, which stands for the paper's rule.

    Raises:
        SettingsError: If the adapter's ``rule.toml`` is not a rule.
    """
    path = adapter / RULE_FILE
    return read_rule(path) if path.is_file() else {}
