"""The flags that say how models are loaded and what runs them, which verbs that decode have."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict

from cosec.decoding.runtime_choice import RuntimeName
from cosec.decoding.settings import LONGEST_DRAFT
from cosec.errors import SettingsError

Runtime = Annotated[
    RuntimeName,
    Parameter(
        name="--runtime",
        help=(
            "What runs the models. auto: llama.cpp, which needs the extra llama, for GGUF files and pulled embedded "
            "models on a processor, or what `cosec bench runtime` found to be faster; else torch."
        ),
    ),
]
"""What runs the models, as a parameter of a verb."""

SecurityCopy = Annotated[
    bool,
    Parameter(
        name="--security-copy",
        negative=(),
        help=(
            "In llama.cpp, take a Q4_0 copy of the target with its adapter added as the security model: faster, but "
            "a different model, whose rounding error acts like part of the adapter's change under steer and gate."
        ),
    ),
]
"""Whether the security model is a copy with its adapter added, as a parameter of a verb."""


class LoadFlags(BaseModel):
    """How the models are loaded, as flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dtype: str = "auto"
    """auto, float32, bfloat16 or float16."""

    device_map: str | None = None
    """Passed to transformers, for example ``auto`` or ``cuda``."""

    runtime: Runtime = "auto"
    security_copy: SecurityCopy = False


def tell(message: str) -> None:
    """Write a line to standard error."""
    print(f"cosec: {message}", file=sys.stderr, flush=True)  # noqa: T201 - a message


def check_draft_length(length: int | Literal["auto"]) -> None:
    """Check a draft length.

    Raises:
        SettingsError: If it is out of range.
    """
    if length != "auto" and not 1 <= length <= LONGEST_DRAFT:
        raise SettingsError(f"--draft-length must be auto or 1 to {LONGEST_DRAFT}.")
