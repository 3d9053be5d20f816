"""Load the security model of a target that gives text: the adapter and the base that it was made for."""

from __future__ import annotations

from collections.abc import Mapping

from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.hardening import load_pair
from cosec.decoding.rules.rule_file import own_rule
from cosec.errors import SettingsError
from cosec.models.adapters import is_adapter, read_adapter
from cosec.models.loading.embedded import DEFAULT_TARGET
from cosec.models.loading.load import name_of_base, resolve_security


def security_rule(security: str) -> Mapping[str, object]:
    """Read the rule that a security adapter carries, before any weights are loaded.

    Args:
        security: A LoRA adapter, or ``"default"`` for the one that ships for the embedded model.

    Returns:
        The rule's name and settings; empty if it carries none.

    Raises:
        ModelError: If there is no such adapter.
        SettingsError: If the security model is no adapter, or its ``rule.toml`` is not a rule.
    """
    folder = resolve_security(DEFAULT_TARGET, security)
    if folder is None or not is_adapter(folder):
        raise SettingsError(
            "A target of which only the text is known is hardened by a LoRA adapter, which is compared with its own "
            "base: name one with --security."
        )
    return own_rule(folder)


def load_reader(security: str, *, dtype: str = "auto", device_map: str | None = None) -> SecurityReader:
    """Load a security adapter with its base, to check texts of a target.

    Args:
        security: As for :func:`security_rule`.
        dtype: As for ``load_pair``.
        device_map: As for ``load_pair``.

    Raises:
        ModelError: If the adapter or its base cannot be found, read or trusted.
        SettingsError: As for :func:`security_rule`.
    """
    security_rule(security)
    folder = resolve_security(DEFAULT_TARGET, security)
    assert folder is not None
    base = name_of_base(read_adapter(folder))
    return SecurityReader(load_pair(base, str(folder), dtype=dtype, device_map=device_map, runtime="torch"))
