"""Files that hold a decoding rule: ``cosec calibrate`` writes them, and an adapter may contain its own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from cosec.decoding.rules.schema import SteerSettings, rule_name, with_current_names
from cosec.decoding.settings import decoding_settings
from cosec.errors import SettingsError
from cosec.files import why_unreadable

RULE_FILE = "rule.toml"
"""Name of the file in an adapter's folder and in the output of ``cosec calibrate``."""

SHARED_WEIGHTS = "shared_weights"
"""Key of the rule for a target that is the adapter's own base, inside an adapter's rule."""


def read_rule(path: Path) -> dict[str, object]:
    """Read the name and settings of a rule, as ``decoding_settings`` takes them.

    Args:
        path: A TOML file with one table, ``[rule]``.

    Raises:
        SettingsError: If the file cannot be read or is not one rule's settings; the message names the file.
    """
    rule = _read(path)
    if SHARED_WEIGHTS in rule:
        raise SettingsError(
            f"The recipe {str(path)!r} has a second rule, for shared weights, which only an adapter's own {RULE_FILE} "
            "may have: keep the rule that is meant."
        )
    return rule


def own_rule(adapter: Path) -> dict[str, object]:
    """Read the rule that an adapter carries, which applies unless the user names another.

    Args:
        adapter: The adapter's folder.

    Returns:
        The rule's name and settings, for `rule_on`; empty if the adapter carries none, which stands for the paper's
        rule.

    Raises:
        SettingsError: If the adapter's ``rule.toml`` is not a rule.
    """
    path = adapter / RULE_FILE
    return _read(path) if path.is_file() else {}


def rule_on(own: Mapping[str, object], *, shared_weights: bool) -> dict[str, object]:
    """Choose the rule that an adapter carries for one kind of target.

    Args:
        own: The rule that the adapter carries, as `own_rule` returns it.
        shared_weights: Whether the target is the adapter's own base.

    Returns:
        The rule's name and settings: those under `SHARED_WEIGHTS` for such a target, if the adapter has them.
    """
    rule = {name: value for name, value in own.items() if name != SHARED_WEIGHTS}
    special = own.get(SHARED_WEIGHTS)
    return dict(special) if shared_weights and isinstance(special, Mapping) else rule


def unamplified(rule: Mapping[str, object]) -> dict[str, object]:
    """Limit ``steer`` to the adapter's change as it was learned: a strength of at most 1, without a floor.

    Args:
        rule: Name and settings of any rule.

    Returns:
        The settings with the limit; other rules unchanged.
    """
    if rule_name(rule) != "steer":
        return dict(rule)
    steer = SteerSettings.model_validate(dict(rule))
    kept = {name: value for name, value in rule.items() if name != "security_floor"}
    return {**kept, "strength": min(steer.strength, 1.0)}


def _read(path: Path) -> dict[str, object]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Cannot read the recipe {str(path)!r}: {why_unreadable(error)}.") from error
    if set(values) != {"rule"} or not isinstance(values["rule"], dict):
        raise SettingsError(f"The recipe {str(path)!r} must hold one table, [rule], with a rule's name and settings.")
    return checked_own_rule(path, values["rule"])


def checked_own_rule(path: Path, rule: Mapping[str, object]) -> dict[str, object]:
    """Check a rule that an adapter carries, and the one for shared weights inside it if there is one.

    Args:
        path: The file that it was read from, for messages.
        rule: Its name and settings.

    Returns:
        The same under the names of this release.

    Raises:
        SettingsError: If one of them is not a rule's settings; the message names the file.
    """
    usual = _checked(path, rule_on(rule, shared_weights=False))
    special = rule.get(SHARED_WEIGHTS)
    if special is None:
        return usual
    if not isinstance(special, Mapping):
        raise SettingsError(f"{path}: {SHARED_WEIGHTS} must be a table, [rule.{SHARED_WEIGHTS}], with a whole rule.")
    return {**usual, SHARED_WEIGHTS: _checked(path, special)}


def _checked(path: Path, rule: Mapping[str, object]) -> dict[str, object]:
    current = with_current_names(rule)
    try:
        decoding_settings(current, {})
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return current
