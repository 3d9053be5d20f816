"""``cosec serve --engine vllm``: vLLM's own OpenAI server, with our rule in it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.errors import SettingsError

Engine = Literal["cosec", "vllm"]
"""What runs the models and answers requests."""

DRAFT_LENGTH = 4
"""Tokens drafted before one verification where ``--draft-length`` is ``auto``."""


class VllmFlags(BaseModel):
    """How vLLM is found, as flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    vllm_python: Path | None = None
    """With --engine vllm: the Python that runs vLLM. Default: this one if it has vLLM, else that of .venv-vllm."""


def serve_with_vllm(
    target: str,
    security: str,
    rule: Mapping[str, object],
    *,
    flags: VllmFlags,
    host: str,
    port: int,
    names: Sequence[str],
    draft_length: int | Literal["auto"],
    dtype: str,
    passed_on: Sequence[str],
) -> None:
    """Serve a hardened model with vLLM until the server ends, and exit with its status.

    Args:
        target: The model to harden.
        security: Its security model or adapter.
        rule: Name and settings that were given.
        flags: How vLLM is found.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        names: Names by which clients may call the model.
        draft_length: Tokens proposed before one verification.
        dtype: The number format of both models.
        passed_on: Options that go to vLLM's server.

    Raises:
        CosecError: If vLLM is not here, or the models cannot be served.
        SystemExit: With the server's exit status.
    """
    from cosec.serving.access.network import listening_sockets
    from cosec.serving.vllm import check_passed_on, find_vllm, prepare_models, run_until_ended, vllm_server

    # What can fail quickly fails before the models are read.
    if is_url(target):
        raise SettingsError(f"{target} is a server already, and vLLM loads models: name one with --target.")
    check_passed_on(passed_on, host)
    python = find_vllm(flags.vllm_python)
    # vLLM binds the port itself, a while later; a port that is taken is reported now.
    sockets = listening_sockets(host, port)
    port = sockets[0].getsockname()[1]
    for one in sockets:
        one.close()
    models = prepare_models(target, security, rule)
    with tempfile.TemporaryDirectory(prefix="cosec-metrics-") as metrics:
        server = vllm_server(
            python,
            models,
            host=host,
            port=port,
            names=names,
            draft_length=DRAFT_LENGTH if draft_length == "auto" else draft_length,
            dtype=dtype,
            metrics_folder=Path(metrics),
            passed_on=passed_on,
        )
        _say("starting vLLM; this takes a while")
        status = run_until_ended(
            server.command,
            server.environment,
            f"{server.url}/health",
            lambda: _say(f"serving {target} with vLLM at {server.url}"),
        )
    raise SystemExit(status)


def _say(message: str) -> None:
    print(f"cosec: {message}", file=sys.stderr, flush=True)  # noqa: T201 - a message
