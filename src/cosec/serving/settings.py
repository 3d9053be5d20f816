"""How a server is run: limits and addresses, in one frozen object."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(ge=1)]


class ServerSettings(BaseModel):
    """Limits of a server; every one of them holds for all clients together unless it says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_rows: Positive = 32
    """Sequences decoded at once."""

    max_queue: Positive = 256
    """Sequences that may wait; a request that does not fit gets 429."""

    max_samples: Positive = 128
    """Sequences that one request may ask for: prompts times n."""

    max_tokens: Positive = 4096
    """Largest length limit a request may ask for."""

    max_prompt_tokens: Positive | None = None
    """Longest prompt; None: what the models' context holds."""

    max_body_bytes: Positive = 2 * 2**20
    """Largest request body; larger ones get 413."""

    body_seconds: Annotated[float, Field(gt=0)] = 30.0
    """A body that has not arrived by then gets 408."""

    deadline_seconds: Annotated[float, Field(gt=0)] = 600.0
    """A request that is not done by then, waiting included, is given up with 504."""

    grace_seconds: Annotated[float, Field(ge=0)] = 30.0
    """After SIGTERM, running requests have this long to finish."""

    prefill_chunk: Positive = 64
    """Prompt tokens read between two blocks; smaller keeps streams smoother while a long prompt joins. Eight times as
    many while nobody else waits for tokens.
    """

    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the server from a browser; none by default."""

    prefix_cache_tokens: Annotated[int, Field(ge=0)] = 4096
    """Prompt tokens kept for requests that extend an earlier prompt; 0 keeps none."""

    @model_validator(mode="after")
    def _refuse_what_never_fits(self) -> Self:
        if self.max_samples > self.max_queue:
            raise ValueError(
                f"max_samples ({self.max_samples}) must not exceed max_queue ({self.max_queue}), or the largest "
                "requests would be refused for ever"
            )
        return self
