"""The request bodies: those of the OpenAI API with the field ``cosec``, and llama.cpp's ``/infill``.

Unknown fields and values of the wrong type are refused, so that no field is silently ignored. Only names and types are
checked here; ``translation.py`` checks what a request means.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosec.decoding.rules.choice import RuleChoice
from cosec.serving.scheduler.request import Audit

TokenId = Annotated[int, Field(ge=0, lt=2**32)]
"""Id of a token."""

Item = TypeVar("Item")
"""The type of the items of a list."""

Several = Annotated[list[Item], Field(fail_fast=True)]
"""A list that is refused at its first invalid item; reporting each of a million would block the server for seconds."""

Prompt = str | Several[str] | Several[TokenId] | Several[Several[TokenId]]
"""One prompt or several, as texts or as token ids."""

LARGEST_SEED = 2**63 - 1
"""Largest seed of a request."""

LONGEST_STOP = 400
"""Most characters of a stop text."""


class WireModel(BaseModel):
    """Base of the request bodies."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class CosecFields(WireModel, RuleChoice):
    """How a request is hardened; the server's own settings apply to what is left out."""

    enabled: bool | None = None
    """Whether to harden; false for the target alone."""

    audit: Audit = "summary"
    """How much the answer says about the hardening: nothing, totals, or totals and every token."""


class StreamOptions(WireModel):
    """Options of a stream."""

    include_usage: bool | None = None
    """Send a last chunk with the token counts."""

    include_obfuscation: Literal[False] | None = None
    """Padding against traffic analysis is not supported."""


class GenerationRequest(WireModel):
    """Fields of completions and chat completions."""

    model: str | None = None
    """A name from ``/v1/models``. Default: the served model."""

    temperature: Annotated[float, Field(ge=0.0, le=100.0)] | None = None
    """Sampling temperature; 0 takes the most likely token. Default 1."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Nucleus sampling: keep the most likely tokens that together reach this probability. Default 1."""

    n: Annotated[int, Field(ge=1)] | None = None
    """Samples for each prompt."""

    stop: str | Several[str] | None = None
    """Texts that end a completion. They are not part of it."""

    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None = None
    """Seed; the same seed gives the same text. Default: a random one, reported in ``metrics.cosec.seed``."""

    stream: bool | None = None
    """Send tokens as they are decoded."""

    stream_options: StreamOptions | None = None
    """Options of the stream; only with ``stream``."""

    cosec: CosecFields | None = None
    """How to harden."""

    vllm_xargs: dict[str, object] | None = None
    """The ``cosec`` fields as ``cosec_*`` entries, for gateways that only forward vLLM's extra arguments."""

    user: str | None = None
    """Name of the end user, for the audit log. Scheduling is fair between API keys, not users."""

    metadata: dict[str, str] | None = None
    """Accepted because gateways add it; not stored."""

    store: Literal[False] | None = None
    """False only; nothing is stored."""

    presence_penalty: float | None = None
    """0 only; penalties would change the distribution that the rule defines."""

    frequency_penalty: float | None = None
    """0 only."""

    logit_bias: dict[str, float] | None = None
    """Empty only."""

    @model_validator(mode="after")
    def _refuse_what_has_no_effect(self) -> Self:
        for name in ("presence_penalty", "frequency_penalty", "logit_bias"):
            if getattr(self, name):
                raise ValueError(
                    f"{name} is not supported, because it would change the distribution that the rule defines"
                )
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options has no effect without stream")
        if any(not text or len(text) > LONGEST_STOP for text in self.stop_texts):
            raise ValueError(f"a stop text must have 1 to {LONGEST_STOP} characters")
        return self

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """All stop texts."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class CompletionRequest(GenerationRequest):
    """``POST /v1/completions``."""

    prompt: Prompt
    """Text, texts, token ids, or several lists of token ids."""

    suffix: str | None = None
    """Text after the gap; only for models that were trained to fill in the middle."""

    max_tokens: Annotated[int, Field(ge=0)] | None = None
    """Length limit of each completion, in tokens. Default 16; 0 only with ``echo``."""

    echo: bool | None = None
    """Return the prompt before the completion."""

    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """Return the target's log-probability of each token, with this many alternatives."""

    best_of: Annotated[int, Field(ge=1)] | None = None
    """Must equal ``n``."""

    @model_validator(mode="after")
    def _refuse_other_best_of(self) -> Self:
        if self.best_of is not None and self.best_of != (self.n or 1):
            raise ValueError("best_of is not supported unless it equals n")
        if self.max_tokens == 0 and not self.echo:
            raise ValueError("max_tokens may be 0 only with echo")
        return self


class TextPart(WireModel):
    """A text part of a chat message."""

    type: Literal["text"]
    text: str


class ChatMessage(WireModel):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Several[TextPart]
    name: str | None = None

    @property
    def text(self) -> str:
        """The content as one text."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class ChatRequest(GenerationRequest):
    """``POST /v1/chat/completions``."""

    messages: Annotated[Several[ChatMessage], Field(min_length=1)]
    """The conversation."""

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Length limit, in tokens. Default: what is left of the context."""

    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    """Newer name of ``max_tokens``."""

    logprobs: bool | None = None
    """Return the target's log-probability of each token."""

    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """Number of alternatives for each token; only with ``logprobs``."""

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.max_tokens and self.max_completion_tokens and self.max_tokens != self.max_completion_tokens:
            raise ValueError("max_tokens and max_completion_tokens disagree; give one of them")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs has no effect without logprobs")
        return self


class VerdictRequest(WireModel):
    """``POST /check``: a completion for the static checkers to judge."""

    prompt: Annotated[str, Field(max_length=65_536)]
    """The code before the completion."""

    completion: Annotated[str, Field(max_length=65_536)]
    """The completed code."""


class InfillExtra(BaseModel):
    """Part of another file, as llama.cpp's clients send it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    filename: str = ""
    text: str = ""


class InfillRequest(BaseModel):
    """``POST /infill`` in the format of llama.cpp.

    Its clients always send samplers and options of their own (``top_k``, ``samplers``, ``t_max_prompt_ms``). As in
    llama.cpp, unknown ones are ignored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    input_prefix: str = ""
    """Text before the gap."""

    input_suffix: str = ""
    """Text after the gap."""

    prompt: str = ""
    """Text that is already in the gap; it follows ``input_prefix``."""

    input_extra: Several[InfillExtra] = Field(default_factory=list)
    """Accepted, but not added to the prompt."""

    n_predict: int = -1
    """Length limit, in tokens. 0 only reads the prompt; a negative number is the server's limit."""

    temperature: Annotated[float, Field(ge=0.0, le=100.0)] = 0.8
    """Sampling temperature."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """Nucleus sampling: keep the most likely tokens that together reach this probability."""

    seed: int = -1
    """Seed; a negative number for a random one."""

    stop: Several[str] = Field(default_factory=list)
    """Texts that end the completion. They are not part of it."""

    stream: bool = False
    """Send tokens as they are decoded."""

    cosec: CosecFields | None = None
    """How to harden."""
