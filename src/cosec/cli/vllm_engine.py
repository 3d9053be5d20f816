"""``cosec serve --engine vllm``: vLLM's own OpenAI server, with our rule in it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cosec.cli.runtime_flag import tell
from cosec.cli.serve_flags import Asked, VllmFlags
from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.errors import SettingsError

DRAFT_LENGTH = 4
"""Tokens drafted before one verification where ``--draft-length`` is ``auto``."""


def serve_with_vllm(asked: Asked, flags: VllmFlags, passed_on: Sequence[str]) -> None:
    """Serve a hardened model with vLLM until the server ends, and exit with its status; or only prepare the models.

    Args:
        asked: What every engine is told.
        flags: How vLLM is found and started.
        passed_on: Options that go to vLLM's server.

    Raises:
        CosecError: If vLLM is not here, or the models cannot be served.
        SystemExit: With the server's exit status.
    """
    from cosec.serving.access.network import listening_sockets
    from cosec.serving.vllm import check_passed_on, find_vllm, prepare_models, run_until_ended, vllm_server

    # What can fail quickly fails before the models are read.
    if is_url(asked.target):
        raise SettingsError(f"{asked.target} is a server already, and vLLM loads models: name one with --target.")
    if flags.prepare_only and passed_on:
        raise SettingsError(f"{passed_on[0]} has no effect with --prepare-only; correct it or leave it out.")
    if flags.prepare_only:
        models = prepare_models(asked.target, asked.security, asked.rule)
        folders: dict[str, Path | str] = {"target": models.target}
        if models.drafter is not None:
            folders |= {"security model": models.drafter.security, "base": models.drafter.base or "none"}
        tell(f"ready for vLLM: {', '.join(f'{role} {folder}' for role, folder in folders.items())}")
        return
    host = asked.access.host
    check_passed_on(passed_on, host)
    python = find_vllm(flags.vllm_python)
    # vLLM binds the port itself, a while later; a port that is taken is reported now.
    sockets = listening_sockets(host, asked.access.port)
    port = sockets[0].getsockname()[1]
    for one in sockets:
        one.close()
    models = prepare_models(asked.target, asked.security, asked.rule)
    with tempfile.TemporaryDirectory(prefix="cosec-metrics-") as metrics:
        server = vllm_server(
            python,
            models,
            host=host,
            port=port,
            names=asked.names or (asked.target,),
            draft_length=DRAFT_LENGTH if asked.draft_length == "auto" else asked.draft_length,
            dtype=asked.load.dtype,
            metrics_folder=Path(metrics),
            passed_on=passed_on,
        )
        tell("starting vLLM; this takes a while")
        status = run_until_ended(
            server.command,
            server.environment,
            f"{server.url}/health",
            lambda: tell(f"serving {asked.target} with vLLM at {server.url}"),
        )
    raise SystemExit(status)
