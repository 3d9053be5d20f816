"""The flags of ``cosec serve`` that come in groups, and what every engine is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict

from cosec.cli.runtime_flag import LoadFlags

Engine = Literal["cosec", "vllm"]
"""What runs the models and answers requests."""


class AccessFlags(BaseModel):
    """Where the server listens, who may use it, and what is logged, as flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """Address to listen on; one that other machines can reach needs --api-key-file."""

    port: int = 8000
    """Port to listen on; 0 takes a free one."""

    api_key_file: Path | None = None
    """File with the hashes of the keys that may use the server; ``cosec serve-key`` creates them."""

    trusted_proxy: Sequence[str] = ()
    """Address or network (CIDR) of a proxy whose X-Forwarded-For header names the client; repeatable."""

    audit_log: Path | None = None
    """Append a JSON line for each request to this file."""

    audit_log_text: Annotated[bool, Parameter(negative=())] = False
    """Also write prompts and completions to the audit log."""

    audit_log_megabytes: int = 64
    """Size at which the audit log is rotated."""


class VllmFlags(BaseModel):
    """How vLLM is found and started, as flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    vllm_python: Path | None = None
    """With --engine vllm: the Python that runs vLLM. Default: this one if it has vLLM, else that of .venv-vllm."""

    prepare_only: Annotated[bool, Parameter(negative=())] = False
    """With --engine vllm: fetch and check the models, write what vLLM loads to the cache, and end."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every engine is told."""

    target: str
    """The model to harden."""

    security: str
    """Its security model or adapter."""

    names: tuple[str, ...]
    """Names by which clients may call the model; empty for the target's own."""

    rule: Mapping[str, object]
    """Name and settings of the rule that were given."""

    draft_length: int | Literal["auto"]
    """Tokens proposed before one verification."""

    access: AccessFlags
    """Where the server listens, who may use it, and what is logged."""

    load: LoadFlags
    """How the models are loaded."""
