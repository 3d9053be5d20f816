"""A rule in a file: what ``cosec calibrate`` writes, and what an adapter may carry as the rule that suits it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from cosec.decoding.settings import decoding_settings
from cosec.errors import SettingsError

RULE_FILE = "rule.toml"
"""Name that a rule has in an adapter's folder, and in a calibration's."""


def read_rule(path: Path) -> dict[str, object]:
    """The name and settings of a rule, as ``decoding_settings`` takes them.

    Args:
        path: A TOML file with one table, ``[rule]``.

    Raises:
        SettingsError: If it cannot be read, or holds something else than one rule's settings; names the file.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Cannot read the recipe {str(path)!r}: {error}.") from error
    if set(values) != {"rule"} or not isinstance(values["rule"], dict):
        raise SettingsError(f"The recipe {str(path)!r} must hold one table, [rule], with a rule's name and settings.")
    rule = dict(values["rule"])
    try:
        decoding_settings(rule, {})
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return rule


def own_rule(adapter: Path) -> dict[str, object]:
    """The rule that an adapter's folder holds, for who names none; nothing where it holds none: then it is the paper's.

    Raises:
        SettingsError: If the file is no rule.
    """
    path = adapter / RULE_FILE
    return read_rule(path) if path.is_file() else {}
