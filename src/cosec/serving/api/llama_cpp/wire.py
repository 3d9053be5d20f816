"""The request bodies of llama.cpp's endpoints.

Its clients always send samplers and options of their own (``samplers``, ``t_max_prompt_ms``). As in llama.cpp, unknown
fields are ignored. Those that ask for a text of a certain form are refused, because the answer would not have it.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosec.serving.api.wire import CosecFields, Several, TokenId
from cosec.serving.api_errors import invalid

MixedPrompt = Annotated[list[str | TokenId], Field(fail_fast=True)]
"""Token ids and texts that follow each other."""


class LlamaCppModel(BaseModel):
    """Base of the bodies."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, given: object) -> object:
        """A field that is null counts as left out, as in llama.cpp."""
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


class LlamaCppRequest(LlamaCppModel):
    """Fields of ``/completion`` and ``/infill``."""

    n_predict: int = -1
    """Length limit, in tokens; ``max_tokens`` is another name. 0 only reads the prompt; a negative number is the
    server's limit.
    """

    temperature: Annotated[float, Field(ge=0.0, le=100.0)] = 0.8
    """Sampling temperature."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """Nucleus sampling: keep the most likely tokens that together reach this probability."""

    top_k: int = 0
    """Keep this many most likely tokens. 0 and negative numbers keep all."""

    min_p: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Keep tokens with at least this share of the highest probability."""

    seed: int = -1
    """Seed; a negative number for a random one."""

    stop: Several[str] = Field(default_factory=list)
    """Texts that end the completion. They are not part of it."""

    ignore_eos: bool = False
    """Whether the model's own stop tokens are tokens like others."""

    n_probs: Annotated[int, Field(ge=0, le=20)] = 0
    """Return the target's log-probability of each token, with this many alternatives; 0 for none of it."""

    return_tokens: bool = False
    """Return the token ids of the completion."""

    response_fields: Several[str] | None = None
    """Return these fields only. ``timings/prompt_n`` is the field ``prompt_n`` of ``timings``."""

    stream: bool = False
    """Send tokens as they are decoded."""

    cosec: CosecFields | None = None
    """How to harden."""

    grammar: str | None = None
    """Empty only."""

    json_schema: object = None
    """Null only."""

    @model_validator(mode="before")
    @classmethod
    def _take_max_tokens(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("n_predict") is not None or given.get("max_tokens") is None:
            return given
        if type(given["max_tokens"]) is not int:
            raise invalid("max_tokens must be a whole number.", "max_tokens")
        return {**given, "n_predict": given["max_tokens"]}

    @model_validator(mode="after")
    def _refuse_structure(self) -> Self:
        for name in ("grammar", "json_schema"):
            if getattr(self, name) not in (None, ""):
                raise invalid(f"{name} is not supported; leave it out.", name, "unsupported_parameter")
        return self


class LlamaCppCompletionRequest(LlamaCppRequest):
    """``POST /completion``."""

    prompt: str | MixedPrompt | Annotated[list[str | MixedPrompt], Field(fail_fast=True)]
    """A text, or a list with token ids for one prompt, or a list of prompts."""

    @property
    def prompts(self) -> list[list[str | int]]:
        """Each prompt as texts and token ids that follow each other."""
        given = self.prompt
        if isinstance(given, str):
            return [[given]]
        if any(isinstance(part, int) for part in given):
            return [[part for part in given if isinstance(part, str | int)]]
        return [[part] if isinstance(part, str) else list(part) for part in given if isinstance(part, str | list)]


class InfillExtra(LlamaCppModel):
    """Part of another file."""

    filename: str = ""
    text: str = ""


class InfillRequest(LlamaCppRequest):
    """``POST /infill``."""

    input_prefix: str = ""
    """Text before the gap."""

    input_suffix: str = ""
    """Text after the gap."""

    prompt: str = ""
    """Text that is already in the gap; it follows ``input_prefix``."""

    input_extra: Several[InfillExtra] = Field(default_factory=list)
    """Parts of other files. Accepted, but not added to the prompt."""


class TokenizeRequest(LlamaCppModel):
    """``POST /tokenize``."""

    content: str
    """The text."""

    add_special: bool = False
    """Whether tokens are added that begin or end every text."""

    parse_special: bool = True
    """Whether the spelling of a control token is that token, or text."""

    with_pieces: bool = False
    """Return each token's text, or its bytes if they are no text, with its id."""


class DetokenizeRequest(LlamaCppModel):
    """``POST /detokenize``."""

    tokens: Several[TokenId]
    """The token ids."""
