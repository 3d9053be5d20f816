"""Examine a target that gives text: whether its server answers, and which rules apply and why."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cosec.decoding.blackbox.loading import security_adapter
from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress
from cosec.decoding.blackbox.text_rule import WHY_GATE_ONLY, text_rule
from cosec.decoding.examined import Examined
from cosec.decoding.rules.choice import described_rule
from cosec.decoding.rules.rule_file import own_rule
from cosec.decoding.rules.schema import rule_name
from cosec.decoding.settings import decoding_settings
from cosec.errors import CosecError


def examine_server(url: str, security: str) -> list[Examined]:
    """Examine a target at a server and its security adapter, without loading weights.

    Args:
        url: Base URL of the server, up to ``/v1``.
        security: The adapter, as for ``load_reader``.

    Returns:
        One entry for each examination; problems that the user can solve are entries too.
    """
    return [_examine_url(url), *_examine_adapter(security)]


def examine_text_rules(adapter: Path) -> list[Examined]:
    """Which rules a target that gives text allows, and which one applies.

    Args:
        adapter: Folder of the security adapter.
    """
    try:
        own = own_rule(adapter)
        chosen = decoding_settings(text_rule(own, {}), {}).rule
    except CosecError as error:
        return [Examined(subject="rule", good=False, text=str(error))]
    whose = "the adapter's own, without a floor" if rule_name(own) == "gate" else "not the adapter's own"
    return [
        Examined(subject="rules", good=True, text=f"gate alone, as {WHY_GATE_ONLY}"),
        Examined(subject="rule", good=True, text=f"{described_rule(chosen)}: {whose}"),
    ]


def _examine_url(url: str) -> Examined:
    async def model() -> str:
        server = OpenAiServer(ServerAddress(url=url, seconds=10.0))
        try:
            return await server.model()
        finally:
            await server.close()

    try:
        return Examined(subject="target", good=True, text=f"{asyncio.run(model())} at {url}")
    except CosecError as error:
        return Examined(subject="target", good=False, text=str(error))


def _examine_adapter(security: str) -> list[Examined]:
    try:
        folder = security_adapter(security)
    except CosecError as error:
        return [Examined(subject="security", good=False, text=str(error))]
    return [Examined(subject="security", good=True, text=f"the adapter {folder}"), *examine_text_rules(folder)]
