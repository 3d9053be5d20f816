"""``cosec serve``: serve the hardened model behind the OpenAI API."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict

from cosec.cli.runtime_flag import Runtime
from cosec.cli.text_target import TargetFlags, checked_flags, target_maker
from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.decoding.rules.choice import RuleChoice
from cosec.errors import SandboxError, SettingsError
from cosec.models.loading.embedded import DEFAULT_TARGET
from cosec.sandbox import BackendName, choose_sandbox
from cosec.serving.settings import ServerSettings

if TYPE_CHECKING:
    from cosec.serving.access.audit_log import AuditLog
    from cosec.serving.access.keys import KeyRing
    from cosec.serving.api.service import Service


class AccessFlags(BaseModel):
    """Who may use the server, and what is logged, as flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    api_key_file: Path | None = None
    """File with the hashes of the keys that may use the server; ``cosec serve-key`` creates them."""

    trusted_proxy: Annotated[Sequence[str], Parameter(negative=())] = ()
    """Address or network (CIDR) of a proxy whose X-Forwarded-For header names the client; repeatable."""

    audit_log: Path | None = None
    """Append a JSON line for each request to this file."""

    audit_log_text: Annotated[bool, Parameter(negative=())] = False
    """Also write prompts and completions to the audit log."""

    audit_log_megabytes: int = 64
    """Size at which the audit log is rotated."""


def serve(
    *,
    target: str = DEFAULT_TARGET,
    security: str = "default",
    server: Annotated[TargetFlags | None, Parameter(name="*")] = None,
    anti_expert: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    access: Annotated[AccessFlags | None, Parameter(name="*")] = None,
    model_name: Annotated[Sequence[str], Parameter(negative=())] = (),
    rule: Annotated[RuleChoice | None, Parameter(name="*")] = None,
    draft_length: int | Literal["auto"] = "auto",
    limits: Annotated[ServerSettings | None, Parameter(name="*")] = None,
    dtype: str = "auto",
    device_map: str | None = None,
    runtime: Runtime = "auto",
    sandbox: BackendName | None = None,
) -> None:
    """Serve a hardened model behind the OpenAI API, with a playground at /playground.

    Args:
        target: The model to harden: a name, a folder, a GGUF file, or a server's URL (/v1), which is then proxied.
        security: Its security model or adapter. ``none``: the target alone; ``default``: what ships for the target.
        server: How a target at a URL is asked.
        anti_expert: An adapter trained on vulnerable code, for ``--rule steer --against anti-expert``.
        host: Address to listen on; one that other machines can reach needs --api-key-file.
        port: Port to listen on; 0 takes a free one.
        access: Who may use the server, and what is logged.
        model_name: A name by which clients may call the model; repeatable. Default: the target's name.
        rule: The rule and its settings for requests that name none. Default: the adapter's own rule, else the paper's.
        draft_length: Tokens proposed before one verification; changes the speed and never the text.
        limits: What clients may ask for.
        dtype: auto, float32, bfloat16 or float16.
        device_map: Passed to transformers, for example ``auto`` or ``cuda``.
        runtime: What runs the models.
        sandbox: What isolates the playground's checkers: bubblewrap (the default) or limits. Neither: no verdicts.
    """
    _check_ranges(port, draft_length)
    _require_packages()
    from cosec import load_pair
    from cosec.serving.access.network import listening_sockets
    from cosec.serving.server import Server, build_service, in_a_thread_that_ends

    # What can fail quickly fails before the models are loaded.
    access, server = access or AccessFlags(), checked_flags(target, server)
    keys, log, checks_with = _keys(access, host), _audit_log(access), _checks_with(sandbox)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    sockets, given = listening_sockets(host, port), (rule or RuleChoice()).settings()
    options: dict[str, Any] = {"limits": limits, "rule": given, "audit_log": log, "checks_with": checks_with}
    load: dict[str, Any] = {"dtype": dtype, "device_map": device_map}
    names = tuple(model_name) or (server.target_model or target,)
    if is_url(target):
        service = _proxy(target, security, server, load, names, **options)
    else:
        pair = in_a_thread_that_ends(
            lambda: load_pair(target, security, anti_expert=anti_expert, runtime=runtime, **load)
        )
        service = build_service(pair, names, draft_length=draft_length, **options)
    running = Server(service, keys, host, port, trusted_proxies=access.trusted_proxy)
    running.serve_until_stopped(lambda url: _announce(target, url), sockets)


def _proxy(
    url: str,
    security: str,
    server: TargetFlags,
    load: Mapping[str, Any],
    models: tuple[str, ...],
    **options: Any,
) -> Service:
    """The service of a hardening proxy in front of a server; ``options`` are those of ``build_proxy``."""
    from cosec.decoding.blackbox.loading import load_reader
    from cosec.serving.server import build_proxy, in_a_thread_that_ends

    make_target = target_maker(url, server)
    reader = in_a_thread_that_ends(lambda: load_reader(security, **load))
    return build_proxy(make_target, reader, models, on_failure=server.passing, **options)


def _keys(access: AccessFlags, host: str) -> KeyRing | None:
    """The keys that may use the server; None if it needs no key.

    Raises:
        SettingsError: If the address is open to the network and there are no keys, or a proxy is no address.
    """
    from cosec.serving.access.keys import read_keys
    from cosec.serving.access.network import check_bind, check_proxies

    keys = None if access.api_key_file is None else read_keys(access.api_key_file)
    check_bind(host, keys)
    check_proxies(access.trusted_proxy)
    return keys


def _announce(target: str, url: str) -> None:
    print(f"cosec: serving {target} at {url}", file=sys.stderr)  # noqa: T201 - a message


def _check_ranges(port: int, draft_length: int | Literal["auto"]) -> None:
    if not 0 <= port <= 65535:
        raise SettingsError("--port must be 0 to 65535.")
    if draft_length != "auto" and not 1 <= draft_length <= 64:
        raise SettingsError("--draft-length must be auto or 1 to 64.")


def _checks_with(sandbox: BackendName | None) -> list[str] | None:
    """The program that gives verdicts in the playground; None if the checkers' packages or a sandbox are missing.

    Raises:
        SandboxError: If a sandbox was asked for that cannot be used here.
    """
    if find_spec("tree_sitter_c") is None:
        return None
    try:
        chosen = choose_sandbox(sandbox)
    except SandboxError as error:
        if sandbox is not None:
            raise
        print(f"cosec: no verdicts in the playground: {error}", file=sys.stderr)  # noqa: T201 - a message
        return None
    print(f"cosec: sandbox of the playground's verdicts: {chosen.name}", file=sys.stderr)  # noqa: T201 - a message
    return [sys.executable, "-m", "cosec.evaluation.judging.text_worker"]


def _audit_log(access: AccessFlags) -> AuditLog | None:
    """The audit log that was asked for, if any."""
    if access.audit_log_megabytes < 1:
        raise SettingsError("--audit-log-megabytes must be at least 1.")
    if access.audit_log is None:
        if access.audit_log_text:
            raise SettingsError("--audit-log-text has no effect without --audit-log.")
        return None
    from cosec.serving.access.audit_log import AuditLog

    return AuditLog(access.audit_log, max_bytes=access.audit_log_megabytes * 2**20, with_text=access.audit_log_text)


def _require_packages() -> None:
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            f"`cosec serve` needs packages that are not installed ({error.name}): install cosec[serve]."
        ) from error
