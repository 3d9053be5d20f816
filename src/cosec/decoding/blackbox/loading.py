"""Load the security model of a target that gives text: the adapter and the base that it was made for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.hardening import load_pair
from cosec.decoding.rules.rule_file import own_rule, rule_on
from cosec.errors import SettingsError
from cosec.models.adapters import is_adapter, read_adapter
from cosec.models.loading.bundled import shipped_adapter
from cosec.models.loading.embedded import DEFAULT_TARGET
from cosec.models.loading.load import DEFAULT_SECURITY, name_of_base, resolve_security
from cosec.runtime import multiplies_bfloat16


def security_adapter(security: str) -> Path:
    """Find the folder of a security adapter.

    Args:
        security: A LoRA adapter; an embedded model, for the adapter that ships for it; or ``"default"``, for the one
            of the default model.

    Raises:
        ModelError: If there is no such adapter.
        SettingsError: If the security model is no adapter folder.
    """
    if Path(security).suffix == ".gguf":
        raise SettingsError(
            f"A target that gives only text needs a security adapter for torch, and {security} is a GGUF "
            "file: name the adapter's folder with --security."
        )
    embedded = DEFAULT_TARGET if security == DEFAULT_SECURITY else security
    folder = shipped_adapter(embedded) or resolve_security(embedded, security)
    if folder is None or not is_adapter(folder):
        raise SettingsError(
            "A target that gives only text needs a LoRA adapter as its security model, to compare it with the "
            "adapter's base: name one with --security."
        )
    return folder


def security_rule(security: str) -> Mapping[str, object]:
    """Read the rule that a security adapter carries, before any weights are loaded.

    Args:
        security: As for :func:`security_adapter`.

    Returns:
        The rule's name and settings; empty if it carries none.

    Raises:
        ModelError: If there is no such adapter.
        SettingsError: If the security model is no adapter, or its ``rule.toml`` is not a rule.
    """
    return rule_on(own_rule(security_adapter(security)), shared_weights=False)


def load_reader(
    security: str, *, dtype: str = "auto", device_map: str | None = None, reproducible: bool = False
) -> SecurityReader:
    """Load a security adapter with its base, to check texts of a target.

    Args:
        security: As for :func:`security_adapter`.
        dtype: As for ``load_pair``, except that ``"auto"`` is bfloat16 on a processor that multiplies it, as checks are
            mostly matrix products. See ``docs/decisions/0041-bfloat16-for-checks.md``.
        device_map: As for ``load_pair``.
        reproducible: Whether ``"auto"`` is float32 on every processor, so that where the pieces of a text end does not
            change decisions.

    Raises:
        ModelError: If the adapter or its base cannot be found, read or trusted.
        SettingsError: If the security model is no adapter.
    """
    folder = security_adapter(security)
    base = name_of_base(read_adapter(folder))
    if dtype == "auto" and not reproducible and device_map in (None, "cpu") and multiplies_bfloat16():
        dtype = "bfloat16"
    return SecurityReader(load_pair(base, str(folder), dtype=dtype, device_map=device_map, runtime="torch"))
