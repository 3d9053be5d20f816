"""``cosec serve``: serve the hardened model behind the OpenAI API."""

from __future__ import annotations

import difflib
import logging
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from pydantic import BaseModel

from cosec.cli.runtime_flag import LoadFlags, check_draft_length, tell
from cosec.cli.serve_flags import AccessFlags, Asked, Engine, VllmFlags
from cosec.cli.text_target import TargetFlags, checked_flags, pair_or_text, target_maker
from cosec.cli.vllm_engine import serve_with_vllm
from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.decoding.rules.choice import RuleChoice
from cosec.errors import SandboxError, SettingsError
from cosec.extras import how_to_install
from cosec.models.loading.embedded import DEFAULT_TARGET
from cosec.sandbox import BackendName, choose_sandbox
from cosec.serving.settings import ServerSettings

if TYPE_CHECKING:
    from cosec.decoding.pairing import PreparedPair
    from cosec.serving.access.audit_log import AuditLog
    from cosec.serving.access.keys import KeyRing
    from cosec.serving.api.service import Service


def serve(
    *vllm_options: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)],
    target: str = DEFAULT_TARGET,
    security: str = "default",
    server: Annotated[TargetFlags | None, Parameter(name="*")] = None,
    anti_expert: str | None = None,
    access: Annotated[AccessFlags | None, Parameter(name="*")] = None,
    model_name: Sequence[str] = (),
    rule: Annotated[RuleChoice | None, Parameter(name="*")] = None,
    draft_length: int | Literal["auto"] = "auto",
    limits: Annotated[ServerSettings | None, Parameter(name="*")] = None,
    load: Annotated[LoadFlags | None, Parameter(name="*")] = None,
    sandbox: BackendName | None = None,
    engine: Engine = "cosec",
    vllm: Annotated[VllmFlags | None, Parameter(name="*")] = None,
) -> None:
    """Serve a hardened model behind the OpenAI API, with a playground at /playground.

    Args:
        vllm_options: With --engine vllm: options of vLLM's server, which are passed on to it.
        target: The model to harden: a name, a folder, a GGUF file, or a server's URL (/v1), which is then proxied.
        security: Its security model or adapter. ``none``: the target alone; ``default``: what ships for the target.
        server: How a target at a URL is asked.
        anti_expert: An adapter trained on vulnerable code, for ``--rule steer --against anti-expert``.
        access: Where the server listens, who may use it, and what is logged.
        model_name: A name by which clients may call the model; repeatable. Default: the target's name, or any name for
            a target at a URL without --target-model.
        rule: The rule and its settings for requests that name none. Default: the adapter's own rule, else the paper's.
        draft_length: Tokens proposed before one verification; changes the speed and never the text.
        limits: What clients may ask for.
        load: How the models are loaded.
        sandbox: What isolates the playground's checkers: bubblewrap (the default) or limits. Neither: no verdicts.
        engine: ``cosec``: this process. ``vllm``: vLLM's own server with our rule; options of vLLM may follow.
        vllm: How vLLM is found.
    """
    asked = Asked(
        *(target, security, tuple(model_name), (rule or RuleChoice()).settings(), draft_length),
        *(access or AccessFlags(), load or LoadFlags()),
    )
    _check_ranges(asked.access.port, draft_length)
    if engine == "cosec":
        _refuse_options_of_vllm(vllm_options, vllm)
        _serve_here(asked, server, anti_expert, limits, sandbox)
    else:
        _refuse_our_flags(asked, server, limits, anti_expert=anti_expert, sandbox=sandbox)
        serve_with_vllm(asked, vllm or VllmFlags(), vllm_options)


def _serve_here(
    asked: Asked,
    server: TargetFlags | None,
    anti_expert: str | None,
    limits: ServerSettings | None,
    sandbox: BackendName | None,
) -> None:
    """Serve with the engine of this process until the server is stopped."""
    _require_packages()
    from cosec.serving.access.network import listening_sockets
    from cosec.serving.server import Server, build_service

    # What can fail quickly fails before the models are loaded.
    target, access = asked.target, asked.access
    others = {
        **asked.load.model_dump(),
        "anti_expert": anti_expert,
        "draft_length": asked.draft_length,
        "target_records": True if limits is not None and limits.target_records else None,
        "prefill_chunk": limits.prefill_chunk
        if limits is not None and "prefill_chunk" in limits.model_fields_set
        else None,
    }
    server = checked_flags(target, server, others)
    keys, log, checks_with = _keys(access, access.host), _audit_log(access), _checks_with(sandbox)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    sockets = listening_sockets(access.host, access.port)
    options: dict[str, Any] = {"limits": limits, "rule": asked.rule, "audit_log": log, "checks_with": checks_with}
    load = asked.load.model_dump(exclude={"security_copy"})
    names = asked.names or (server.target_model or target,)

    def of_pair() -> Service:
        pair = _pair(asked, anti_expert, load)
        return build_service(pair, names, draft_length=asked.draft_length, **options)

    unnamed = is_url(target) and not asked.names and server.target_model is None
    of_text = partial(_text_service, target, asked.security, server, load, names, any_name=unnamed, **options)
    service = pair_or_text(asked.security, None if is_url(target) else of_pair, of_text, others)
    running = Server(service, keys, access.host, access.port, trusted_proxies=access.trusted_proxy)
    running.serve_until_stopped(lambda url: _announce(target, url), sockets)


def _pair(asked: Asked, anti_expert: str | None, load: Mapping[str, Any]) -> PreparedPair:
    """Both models."""
    from cosec import load_pair
    from cosec.serving.server import in_a_thread_that_ends

    chosen: dict[str, Any] = {"anti_expert": anti_expert, "security_copy": asked.load.security_copy, "report": tell}
    return in_a_thread_that_ends(lambda: load_pair(asked.target, asked.security, **chosen, **load))


def _text_service(
    target: str,
    security: str,
    server: TargetFlags,
    load: Mapping[str, Any],
    models: tuple[str, ...],
    *,
    any_name: bool,
    **options: Any,
) -> Service:
    """The service of a target that is hardened as text; ``options`` are those of ``build_proxy``."""
    from cosec import load_pair
    from cosec.decoding.blackbox.loading import load_reader
    from cosec.decoding.blackbox.targets.local_target import LocalTarget
    from cosec.serving.server import build_proxy, in_a_thread_that_ends

    reader = in_a_thread_that_ends(lambda: load_reader(security, dtype=load["dtype"], device_map=load["device_map"]))
    if is_url(target):
        make = target_maker(target, server)
        return build_proxy(make, reader, models, on_failure=server.on_failure, any_name=any_name, **options)
    own = in_a_thread_that_ends(lambda: load_pair(target, "none", **load))
    return build_proxy(lambda run: LocalTarget(own, run), reader, models, target=own, **options)


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
    check_draft_length(draft_length)


def _refuse_options_of_vllm(options: Sequence[str], vllm: VllmFlags | None) -> None:
    """Refuse what only ``--engine vllm`` takes, and unknown options, which look the same.

    Raises:
        SettingsError: If there is any.
    """
    if vllm is not None:
        name = sorted(vllm.model_fields_set)[0].replace("_", "-")
        raise SettingsError(f"--{name} has an effect only with --engine vllm.")
    if not options:
        return
    arguments = App(default_command=serve).assemble_argument_collection()
    known = [name for argument in arguments for name in argument.names if name.startswith("--")]
    written = options[0].partition("=")[0]
    near = difflib.get_close_matches(written, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise SettingsError(f"Unknown option: {written}.{hint} Options of vLLM need --engine vllm. Try: cosec serve --help")


def _refuse_our_flags(asked: Asked, *groups: BaseModel | None, **flags: object) -> None:
    """Refuse flags that only our own engine has.

    Raises:
        SettingsError: If one was given.
    """
    given = [name for name, value in flags.items() if value is not None]
    given += sorted(asked.access.model_fields_set - {"host", "port"}) + sorted(asked.load.model_fields_set - {"dtype"})
    given += [name for group in groups if group is not None for name in sorted(group.model_fields_set)]
    if given:
        raise SettingsError(f"--{given[0].replace('_', '-')} has no effect with --engine vllm.")


def _checks_with(sandbox: BackendName | None) -> list[str] | None:
    """The program that gives verdicts in the playground; None if the checkers' packages or a sandbox are missing.

    Raises:
        SandboxError: If a sandbox was asked for that cannot be used here.
        SettingsError: If one was asked for and the packages are missing.
    """
    if find_spec("tree_sitter_c") is None:
        missing = f"the checkers' packages are missing; {how_to_install('evaluation')}"
        if sandbox is not None:
            raise SettingsError(f"--sandbox has no effect: {missing}.")
        print(f"cosec: no verdicts in the playground: {missing}", file=sys.stderr)  # noqa: T201 - a message
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
            f"`cosec serve` needs packages that are not installed ({error.name}); {how_to_install('serve')}."
        ) from error
