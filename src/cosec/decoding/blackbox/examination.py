"""Examine a target that gives text: whether its server answers, and which rules apply and why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cosec.decoding.blackbox.common_tokens import program_tokens, why_no_threshold
from cosec.decoding.blackbox.loading import security_adapter
from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress
from cosec.decoding.blackbox.targets.text_target import TargetFailure
from cosec.decoding.blackbox.text_rule import (
    WHY_AT_A_SERVER,
    WHY_GATE_AND_STEER,
    WHY_GATE_ONLY,
    WHY_THRESHOLD,
    text_rule,
    text_rules,
)
from cosec.decoding.examined import Examined
from cosec.decoding.rules.choice import described_rule
from cosec.decoding.rules.rule_file import own_rule, rule_on
from cosec.decoding.rules.schema import rule_name
from cosec.decoding.settings import decoding_settings
from cosec.errors import CosecError, EndpointError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def examine_text_target(address: ServerAddress, security: str) -> list[Examined]:
    """Examine a target at a server and its security adapter, without loading weights.

    Args:
        address: Where the server is.
        security: The adapter, as for ``load_reader``.

    Returns:
        One entry for each examination; problems that the user can solve are entries too.
    """
    try:
        folder = security_adapter(security)
        tokenizer = _tokenizer(folder)
    except CosecError as error:
        return [*_examine_address(address, None)[0], Examined(subject="security", good=False, text=str(error))]
    seen, why_not = _examine_address(address, tokenizer)
    adapter = Examined(subject="security", good=True, text=f"the adapter {folder}")
    return [*seen, adapter, *examine_text_rules(folder, in_process=False, why_not=why_not)]


def examine_text_rules(adapter: Path, *, in_process: bool, why_not: str | None = None) -> list[Examined]:
    """Which rules a target allows that is hardened as text, and which one applies.

    Args:
        adapter: Folder of the security adapter.
        in_process: Whether the target is in this process, so that its probabilities are known.
        why_not: Why a server does not allow the paper's rule; None if it does.
    """
    try:
        own = rule_on(own_rule(adapter), shared_weights=False)
        chosen = decoding_settings(text_rule(own, {}, in_process=in_process), {}).rule
    except CosecError as error:
        return [Examined(subject="rule", good=False, text=str(error))]
    if in_process:
        why = f"gate and steer, as {WHY_GATE_AND_STEER}"
    elif why_not is None:
        why = f"gate and threshold, as {WHY_THRESHOLD}"
    else:
        why = f"gate alone, as {WHY_GATE_ONLY}; not threshold: {why_not}"
    return [
        Examined(subject="rules", good=True, text=why),
        Examined(subject="rule", good=True, text=f"{described_rule(chosen)}: {_whose(own, chosen.name, in_process)}"),
    ]


def _whose(own: Mapping[str, object], chosen: str, in_process: bool) -> str:
    """Whether the rule that applies over text is the one that the adapter carries, and why not."""
    if not own:
        return "the default here, as the adapter carries none"
    if rule_name(own) == chosen:
        if own.get("security_floor"):
            return "the adapter's own, without its floor, which text does not allow, and so at most at strength 1"
        return "the adapter's own, without a floor" if chosen == "gate" else "the adapter's own"
    if rule_name(own) in text_rules(in_process=in_process):
        return f"the default here; --rule {rule_name(own)} chooses the adapter's own"
    why = WHY_GATE_AND_STEER if in_process else WHY_AT_A_SERVER
    return f"the default here; the adapter's own, {rule_name(own)}, cannot be used, as {why}"


def _examine_address(
    address: ServerAddress, tokenizer: PreTrainedTokenizerFast | None
) -> tuple[list[Examined], str | None]:
    """Whether the server answers and its conversations can be hardened, and why the paper's rule does not apply."""

    async def asked() -> tuple[list[Examined], str | None]:
        server = OpenAiServer(address)
        try:
            seen = [
                Examined(subject="target", good=True, text=f"{await server.model()} at {address.url}"),
                Examined(subject="chats", good=True, text=await _chats(server)),
                Examined(subject="floor", good=True, text=await _floor(server)),
            ]
            return seen, None if tokenizer is None else await _threshold(server, tokenizer)
        finally:
            await server.close()

    try:
        return asyncio.run(asked())
    except TargetFailure as error:
        told = (
            f"{address.url} does not list its models ({error}); see whether the server runs and the URL ends with /v1."
        )
        return [Examined(subject="target", good=False, text=told)], "the server does not answer"
    except CosecError as error:
        return [Examined(subject="target", good=False, text=str(error))], "the server does not answer"


async def _threshold(server: OpenAiServer, tokenizer: PreTrainedTokenizerFast) -> str | None:
    try:
        return await why_no_threshold(server, program_tokens(tokenizer))
    except (TargetFailure, EndpointError) as error:
        return str(error)


async def _floor(server: OpenAiServer) -> str:
    try:
        if await server.scores_texts():
            return "any plausibility floor: the server gives the log-probabilities of a prompt"
    except TargetFailure as error:
        return f"a plausibility floor of 0 only: {error}"
    return "a plausibility floor of 0 only: the server gives no log-probabilities of a prompt, or wrong ones"


async def _chats(server: OpenAiServer) -> str:
    try:
        if await server.continues_messages():
            return "hardened: the server continues the assistant's last message"
        return "not hardened: the server begins a new answer instead of continuing the assistant's last message"
    except (TargetFailure, EndpointError) as error:
        return f"not hardened: {error}"


def _tokenizer(adapter: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of the base that an adapter was made for."""
    from cosec.models.adapters import read_adapter
    from cosec.models.loading.load import resolve_base
    from cosec.models.loading.reading import read_tokenizer

    base = resolve_base(read_adapter(adapter))
    return read_tokenizer(str(base), base)
