"""What clients may send: the OpenAI API's requests plus ``cosec``, field by field.

Strict on purpose: a field that nothing would obey is refused, and so is a value of the wrong type. Knows the names and
types only; what they mean to the engine is ``translation.py``'s business.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosec.decoding.rules.choice import RuleChoice

Audit = Literal["none", "summary", "tokens"]
TokenId = Annotated[int, Field(ge=0, lt=2**32)]
Item = TypeVar("Item")
Several = Annotated[list[Item], Field(fail_fast=True)]
"""A list whose first bad item is enough: to report each of a million takes seconds, in which nobody is answered."""

Prompt = str | Several[str] | Several[TokenId] | Several[Several[TokenId]]
LARGEST_SEED = 2**63 - 1
LONGEST_STOP = 400


class WireModel(BaseModel):
    """Base of everything that is read from the wire."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class CosecFields(WireModel, RuleChoice):
    """How this request is to be hardened; what is not given is as the server was started."""

    enabled: bool | None = None
    """False: the target alone, for comparison."""

    audit: Audit = "summary"
    """What the answer says about the hardening: nothing, totals, or totals and every token."""


class StreamOptions(WireModel):
    """What a stream carries besides text."""

    include_usage: bool | None = None
    """A last chunk with the token counts."""

    include_obfuscation: Literal[False] | None = None
    """Padding against traffic analysis is not offered."""


class GenerationRequest(WireModel):
    """What completions and chat have in common."""

    model: str | None = None
    """A name from ``/v1/models``; the only model served when left out."""

    temperature: Annotated[float, Field(ge=0.0, le=100.0)] | None = None
    """Divides the logits; 0 takes the most likely token."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Keep the most likely tokens that together reach this probability."""

    n: Annotated[int, Field(ge=1)] | None = None
    """Samples for each prompt."""

    stop: str | Several[str] | None = None
    """Texts that end a completion; they are not part of it."""

    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None = None
    """The same seed gives the same text; a random one when left out, reported in ``metrics.cosec.seed``."""

    stream: bool | None = None
    """Send tokens as they are decided."""

    stream_options: StreamOptions | None = None
    """Only with ``stream``."""

    cosec: CosecFields | None = None
    """How to harden."""

    vllm_xargs: dict[str, object] | None = None
    """``cosec_*`` entries, for gateways that pass on nothing but vLLM's extra arguments."""

    user: str | None = None
    """Whose request it is, for the audit log; turns are taken by API key."""

    metadata: dict[str, str] | None = None
    """Accepted, as gateways add it; not stored."""

    store: Literal[False] | None = None
    """Nothing is stored."""

    presence_penalty: float | None = None
    """0 only: the decoding law has no penalties."""

    frequency_penalty: float | None = None
    """0 only."""

    logit_bias: dict[str, float] | None = None
    """Empty only."""

    @model_validator(mode="after")
    def _refuse_what_has_no_effect(self) -> Self:
        for name in ("presence_penalty", "frequency_penalty", "logit_bias"):
            if getattr(self, name):
                raise ValueError(f"{name} is not supported, as it would change the law that hardening is defined by")
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options has no effect without stream")
        if any(not text or len(text) > LONGEST_STOP for text in self.stop_texts):
            raise ValueError(f"a stop text must have 1 to {LONGEST_STOP} characters")
        return self

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """The stop texts as a tuple."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with the token counts."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class CompletionRequest(GenerationRequest):
    """``POST /v1/completions``."""

    prompt: Prompt
    """Text, texts, token ids, or several lists of token ids."""

    suffix: str | None = None
    """What follows the gap; only for models that were trained to fill in the middle."""

    max_tokens: Annotated[int, Field(ge=0)] | None = None
    """Length limit of each completion; 16 when left out, 0 only with ``echo``."""

    echo: bool | None = None
    """Give the prompt back before the completion."""

    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """The target's log-probability of each token, with this many alternatives."""

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
    """A piece of a chat message."""

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
    """The conversation so far."""

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Length limit; as far as the context reaches when left out."""

    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    """OpenAI's newer name of ``max_tokens``."""

    logprobs: bool | None = None
    """Give the target's log-probability of each token."""

    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """With this many alternatives."""

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.max_tokens and self.max_completion_tokens and self.max_tokens != self.max_completion_tokens:
            raise ValueError("max_tokens and max_completion_tokens disagree; give one of them")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs has no effect without logprobs")
        return self


class VerdictRequest(WireModel):
    """``POST /check``: a completion to be judged by the static checkers."""

    prompt: Annotated[str, Field(max_length=65_536)]
    """The code before it."""

    completion: Annotated[str, Field(max_length=65_536)]
    """The code that was written."""


class InfillExtra(BaseModel):
    """A piece of another file, as llama.cpp's clients send it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    filename: str = ""
    text: str = ""


class InfillRequest(BaseModel):
    """``POST /infill``, llama.cpp's shape.

    Its clients always send their own samplers (``top_k``, ``samplers``, ``t_max_prompt_ms`` ...), which llama.cpp
    ignores where it does not know them; so does this model.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    input_prefix: str = ""
    """What stands before the gap."""

    input_suffix: str = ""
    """What stands after it."""

    prompt: str = ""
    """What was already typed into the gap."""

    input_extra: Several[InfillExtra] = Field(default_factory=list)
    """Accepted; other files are not put into the prompt."""

    n_predict: int = -1
    """Length limit; 0 warms the prompt up, negative: as far as the server allows."""

    temperature: Annotated[float, Field(ge=0.0, le=100.0)] = 0.8
    """Divides the logits."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """Keep the most likely tokens that together reach this probability."""

    seed: int = -1
    """Negative: a random one."""

    stop: Several[str] = Field(default_factory=list)
    """Texts that end the completion."""

    stream: bool = False
    """Send tokens as they are decided."""

    cosec: CosecFields | None = None
    """How to harden."""
