"""The limits of a server, and its defaults for requests."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cosec.decoding.completion import CodeEnd

Positive = Annotated[int, Field(ge=1)]
"""A whole number of at least 1."""


class ServerSettings(BaseModel):
    """Limits of a server. Each holds for all clients together unless it says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_rows: Positive = 32
    """Sequences decoded at the same time."""

    max_queue: Positive = 256
    """Sequences that may wait; a request that does not fit gets 429."""

    max_samples: Positive = 128
    """Sequences that one request may ask for: prompts times n."""

    max_tokens: Positive = 4096
    """Largest ``max_tokens`` of a request."""

    max_prompt_tokens: Positive | None = None
    """Longest prompt, in tokens. Default: what the models' context holds."""

    max_body_bytes: Positive = 2 * 2**20
    """Largest request body; larger ones get 413."""

    body_seconds: Annotated[float, Field(gt=0)] = 30.0
    """Seconds for a request body to arrive; later ones get 408."""

    deadline_seconds: Annotated[float, Field(gt=0)] = 600.0
    """Seconds for a request, waiting included; those that are not done by then get 504."""

    grace_seconds: Annotated[float, Field(ge=0)] = 30.0
    """Seconds that running requests have to finish after SIGTERM."""

    prefill_chunk: Positive = 64
    """Prompt tokens read between two decoding steps. Smaller values keep streams smoother while a long prompt is read.
    Eight times as many are read if no stream is running.
    """

    cors_origins: tuple[str, ...] = ()
    """Origins whose web pages may call the server; none by default."""

    code_end: CodeEnd = "fence"
    """Where completions of code end unless a request says otherwise: before a Markdown fence (``fence``), there or at
    the end of the function (``function``), or nowhere (``none``). Chats always go on.
    """

    prefix_cache_tokens: Annotated[int, Field(ge=0)] = 4096
    """Prompt tokens kept in the cache for later requests with the same beginning; 0 keeps none."""

    target_records: bool = False
    """Count changed tokens also where the target changes none: under steer with strength 1, if it is the security
    model's base. That takes a pass of the target for each token.
    """

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_as_browsers_send_them(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin not in ("*", "null") and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\sA-Z]+", origin):
                raise ValueError(
                    f"{origin!r} is no origin: write scheme, host and port alone, in lower case, such as "
                    "http://localhost:3000"
                )
        return origins

    @model_validator(mode="after")
    def _largest_request_fits_the_queue(self) -> Self:
        if self.max_samples > self.max_queue:
            raise ValueError(
                f"max_samples ({self.max_samples}) must not exceed max_queue ({self.max_queue}), or the largest "
                "requests would always be refused"
            )
        return self
