"""The flags that say what runs the models, which every verb that decodes has."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from cosec.decoding.runtime_choice import RuntimeName

Runtime = Annotated[
    RuntimeName,
    Parameter(
        name="--runtime",
        help=(
            "What runs the models. auto: llama.cpp, which needs cosec[llama], for GGUF files and pulled embedded "
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


def tell(message: str) -> None:
    """Write a line to standard error."""
    print(f"cosec: {message}", file=sys.stderr, flush=True)  # noqa: T201 - a message
