"""The request bodies of the OpenAI API, with the field ``cosec``.

Unknown fields and values of the wrong type are refused, so that no field is silently ignored. Fields of other servers
are accepted with the value that changes nothing (see ``foreign_fields.py``). Only names and types are checked here;
``translation.py`` checks what a request means.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosec.decoding.completion import CodeEnd
from cosec.decoding.rules.choice import RuleChoice
from cosec.serving.api.foreign_fields import without_foreign_fields, without_nulls
from cosec.serving.api_errors import invalid
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

MOST_STOPS = 32
"""Most stop texts of a request: all of them are looked for after each token."""


class WireModel(BaseModel):
    """Base of the request bodies."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_unknown_nulls(cls, given: object) -> object:
        return without_nulls(given, cls.model_fields) if isinstance(given, dict) else given


class CosecFields(WireModel, RuleChoice):
    """How a request is hardened; the server's own settings apply to what is left out."""

    enabled: bool | None = None
    """Whether to harden; false for the target alone."""

    code_end: CodeEnd | None = None
    """Where the completion of a prompt that is code ends: before a Markdown fence (``fence``), there or at the end of
    the function (``function``), or nowhere (``none``). Not for chats.
    """

    audit: Audit = "summary"
    """How much the answer says about the hardening: nothing, totals, or totals and every token."""


class StreamOptions(WireModel):
    """Options of a stream."""

    include_usage: bool | None = None
    """Send a last chunk with the token counts."""

    include_obfuscation: Literal[False] | None = None
    """Padding against traffic analysis is not supported."""

    continuous_usage_stats: Literal[False] | None = None
    """The token counts come in the last chunk only."""


class GenerationRequest(WireModel):
    """Fields of completions and chat completions."""

    model: str | None = None
    """A name from ``/v1/models``, or any in front of a server without ``--target-model``. Default: the served model."""

    temperature: Annotated[float, Field(ge=0.0, le=100.0)] | None = None
    """Sampling temperature; 0 takes the most likely token. Default 1."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Nucleus sampling: keep the most likely tokens that together reach this probability. Default 1."""

    top_k: Annotated[int, Field(ge=-1)] | None = None
    """Keep this many most likely tokens. 0, -1 and the default keep all."""

    min_p: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """Keep tokens with at least this share of the highest probability. Default 0."""

    n: Annotated[int, Field(ge=1)] | None = None
    """Samples for each prompt."""

    stop: str | Several[str] | None = None
    """Texts that end a completion. They are not part of it."""

    stop_token_ids: Several[TokenId] | None = None
    """Tokens that end a completion, in addition to the model's own. They have no text."""

    ignore_eos: bool | None = None
    """Whether the model's own stop tokens are tokens like others."""

    min_tokens: Annotated[int, Field(ge=0)] | None = None
    """Number of tokens before which no stop token is drawn and no stop text ends a completion."""

    seed: Annotated[int, Field(ge=-1, le=LARGEST_SEED)] | None = None
    """Seed; the same seed gives the same text. -1 or default: a random one, reported in ``metrics.cosec.seed``."""

    stream: bool | None = None
    """Send tokens as they are decoded."""

    stream_options: StreamOptions | None = None
    """Options of the stream; without effect if nothing is streamed."""

    cosec: CosecFields | None = None
    """How to harden."""

    vllm_xargs: dict[str, object] | None = None
    """The ``cosec`` fields as ``cosec_*`` entries, for gateways that only forward vLLM's extra arguments."""

    user: str | None = None
    """Name of the end user, for the audit log. Scheduling is fair between API keys, not users."""

    metadata: dict[str, str] | None = None
    """Accepted because gateways add it; not stored."""

    @model_validator(mode="before")
    @classmethod
    def _drop_neutral_foreign_fields(cls, given: object) -> object:
        given = without_foreign_fields(given, cls.model_fields)
        if isinstance(given, dict) and "n_predict" in given:  # llama.cpp's name
            limit = given.pop("n_predict")
            if given.get("max_tokens") is None:
                given["max_tokens"] = limit
            elif given["max_tokens"] != limit:
                raise invalid("max_tokens and n_predict disagree; give one of them.", "n_predict")
        return given

    @model_validator(mode="after")
    def _refuse_what_cannot_end_a_text(self) -> Self:
        if len(self.stop_texts) > MOST_STOPS:
            raise invalid(f"stop: {len(self.stop_texts)} texts are more than {MOST_STOPS}.", "stop", "invalid_value")
        wrong = next((place for place, text in enumerate(self.stop_texts) if not 0 < len(text) <= LONGEST_STOP), None)
        if wrong is not None:
            place = "stop" if isinstance(self.stop, str) else f"stop.{wrong}"
            raise invalid(f"{place}: a stop text must have 1 to {LONGEST_STOP} characters.", place, "invalid_value")
        return self

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """All stop texts."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return bool(self.stream) and self.stream_options is not None and bool(self.stream_options.include_usage)


class CompletionRequest(GenerationRequest):
    """``POST /v1/completions``."""

    prompt: Prompt
    """Text, texts, token ids, or several lists of token ids."""

    suffix: str | None = None
    """Text after the gap; only for models that were trained to fill in the middle."""

    max_tokens: Annotated[int, Field(ge=-1)] | None = None
    """Length limit of each completion, in tokens. Default 16; -1: what the context leaves; 0 only with ``echo``."""

    echo: bool | None = None
    """Return the prompt before the completion."""

    logprobs: Annotated[int, Field(ge=0, le=20)] | Literal[False] | None = None
    """Return the target's log-probability of each token, with this many alternatives; false for none of it."""

    best_of: Annotated[int, Field(ge=1)] | None = None
    """Must equal ``n``."""

    @model_validator(mode="after")
    def _refuse_other_best_of(self) -> Self:
        if self.best_of is not None and self.best_of != (self.n or 1):
            raise ValueError("best_of is not supported unless it equals n")
        if self.max_tokens == 0 and not self.echo:
            raise ValueError("max_tokens may be 0 only with echo")
        return self

    @property
    def alternatives(self) -> int | None:
        """How many alternatives each token's log-probability has; None if none are asked for."""
        return None if self.logprobs is False else self.logprobs


class TextPart(WireModel):
    """A text part of a chat message."""

    type: Literal["text"]
    text: str


class ToolFunction(WireModel):
    """A function that the assistant called."""

    name: str
    arguments: str
    """Arguments as JSON."""


class ToolCall(WireModel):
    """A call of the assistant, in the history of a conversation."""

    function: ToolFunction
    type: Literal["function"] = "function"
    id: str | None = None
    index: int | None = None


class ChatMessage(WireModel):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Several[TextPart] | None = None
    """The text; null or missing only for the assistant."""

    name: str | None = None
    tool_calls: Several[ToolCall] | None = None
    """Calls that the assistant made."""

    tool_call_id: str | None = None
    """The call that a message of the role ``tool`` answers."""

    refusal: str | None = None
    reasoning_content: str | None = None
    function_call: ToolFunction | None = None
    """Older form of ``tool_calls``."""

    annotations: Several[dict[str, object]] | None = None

    @model_validator(mode="after")
    def _refuse_missing_content(self) -> Self:
        if self.content is None and self.role != "assistant":
            raise ValueError(f"a message of the role {self.role} needs content")
        return self

    @property
    def text(self) -> str:
        """The content as one text."""
        if self.content is None:
            return self.refusal or ""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)

    @property
    def calls(self) -> tuple[ToolFunction, ...]:
        """The functions that the assistant called."""
        older = () if self.function_call is None else (self.function_call,)
        return (*older, *(call.function for call in self.tool_calls or ()))


class ChatRequest(GenerationRequest):
    """``POST /v1/chat/completions``."""

    messages: Annotated[Several[ChatMessage], Field(min_length=1)]
    """The conversation. If the assistant has the last word, its message is continued."""

    add_generation_prompt: bool | None = None
    """Whether the assistant begins a message of its own. Default: unless the last message is continued."""

    continue_final_message: bool | None = None
    """Whether the last message is continued. Default: if it is the assistant's, unless ``add_generation_prompt``."""

    add_special_tokens: bool | None = None
    """Has no effect: the template has the special tokens of a conversation."""

    max_tokens: Annotated[int, Field(ge=-1)] | None = None
    """Length limit, in tokens. Default and -1: what is left of the context."""

    max_completion_tokens: Annotated[int, Field(ge=-1)] | None = None
    """Newer name of ``max_tokens``."""

    logprobs: bool | None = None
    """Return the target's log-probability of each token."""

    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """Number of alternatives for each token; only with ``logprobs``."""

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.max_tokens is not None and self.max_completion_tokens not in (None, self.max_tokens):
            raise ValueError("max_tokens and max_completion_tokens disagree; give one of them")
        if self.limit == 0:
            raise ValueError("max_tokens must be at least 1, or -1 for what is left of the context")
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs has no effect without logprobs")
        if self.continue_final_message and self.add_generation_prompt:
            raise ValueError("continue_final_message and add_generation_prompt exclude each other; give one of them")
        if self.continue_final_message and self.messages[-1].role != "assistant":
            raise ValueError("continue_final_message needs a last message of the assistant")
        return self

    @property
    def limit(self) -> int | None:
        """Length limit, in tokens; None or -1 for what is left of the context."""
        return self.max_completion_tokens if self.max_tokens is None else self.max_tokens

    @property
    def continues(self) -> bool:
        """Whether the last message is continued."""
        if self.continue_final_message is not None:
            return self.continue_final_message
        last = self.messages[-1]
        return last.role == "assistant" and not last.calls and not self.add_generation_prompt

    @property
    def prompts_assistant(self) -> bool:
        """Whether the conversation ends with the beginning of a message of the assistant."""
        return not self.continues and self.add_generation_prompt is not False


class VerdictRequest(WireModel):
    """``POST /check``: a completion for the static checkers to judge."""

    prompt: Annotated[str, Field(max_length=65_536)]
    """The code before the completion."""

    completion: Annotated[str, Field(max_length=65_536)]
    """The completed code."""
