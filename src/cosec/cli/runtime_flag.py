"""The flag ``--runtime``, which every verb that decodes has."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from cosec.decoding.runtime_choice import RuntimeName

Runtime = Annotated[
    RuntimeName,
    Parameter(
        name="--runtime",
        help=(
            "What runs the models. auto: llama.cpp, which needs cosec[llama], for GGUF files and pulled embedded "
            "models on a processor; else torch."
        ),
    ),
]
"""What runs the models, as a parameter of a verb."""
