"""Prompts of requests as token ids, within the limits of the models and of the server."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cosec.decoding.pairing import PreparedPair
from cosec.errors import PromptError
from cosec.models.families import FimTokens
from cosec.serving.api.llama_cpp.wire import InfillRequest
from cosec.serving.api.prompt_encoding import Encode, Ending, PromptEncoder
from cosec.serving.api.wire import ChatMessage, ChatRequest, CompletionRequest
from cosec.serving.api_errors import ApiError, invalid
from cosec.serving.settings import ServerSettings

_CHARACTERS_PER_TOKEN = 8
"""More than code has; decides how much of a long text is encoded before it is refused."""

_EXTRA_TOKENS = 64
"""Tokens that the beginning of a text may have in addition to those of the same part of the whole."""


class PromptIds:
    """Encodes the prompts of requests for one pair of models under the limits of one server."""

    def __init__(self, pair: PreparedPair, limits: ServerSettings) -> None:
        self._pair = pair
        self._limits = limits
        self._encoder = PromptEncoder(pair.tokenizer)
        self._vocabulary = set(pair.tokenizer.get_vocab().values())

    @property
    def fim(self) -> FimTokens | None:
        """The target's tokens for filling in the middle; None if it was not trained for that."""
        family = self._pair.pair.target.family
        return None if family is None else family.fim

    def room(self, prompt: Sequence[int]) -> int:
        """How many tokens may follow a prompt, at least 1."""
        return max(1, min(self._limits.max_tokens, self._pair.context_length - len(prompt)))

    def of_completion(self, request: CompletionRequest) -> tuple[tuple[int, ...], ...]:
        """The prompts of ``/v1/completions``.

        Raises:
            ApiError: If a prompt is empty or too long, or has unknown tokens.
        """
        given = request.prompt
        if isinstance(given, str):
            texts: Sequence[str | list[int]] = [given]
        elif given and isinstance(given[0], int):
            texts = [[token for token in given if isinstance(token, int)]]
        else:
            texts = [one for one in given if isinstance(one, str | list)]
        self.check_count(len(texts))
        if request.suffix and request.echo:
            raise invalid("echo cannot be combined with suffix.", "echo")
        several = isinstance(given, list) and not (given and isinstance(given[0], int))
        return tuple(
            self._of_one(text, request.suffix, f"prompt.{place}" if several else "prompt")
            for place, text in enumerate(texts)
        )

    def check_count(self, prompts: int) -> None:
        """Check the number of a request's prompts before any of them is encoded.

        Raises:
            ApiError: If there are none, or too many.
        """
        most = self._limits.max_samples
        if not prompts:
            raise invalid("prompt: the list is empty; give at least one prompt.", "prompt")
        if prompts > most:
            raise invalid(
                f"prompt: {prompts} prompts are more than the {most} completions a request may ask for; split it.",
                "prompt",
            )

    def _of_one(self, prompt: str | list[int], suffix: str | None, param: str) -> tuple[int, ...]:
        if suffix:
            if not isinstance(prompt, str):
                raise invalid("suffix needs a prompt of text, not of token ids.", "suffix")
            ids = self._filled(prompt, suffix, "suffix")
        else:
            ids = self.of_parts([prompt] if isinstance(prompt, str) else prompt, param)
        return ids

    def of_parts(self, parts: Sequence[str | int], param: str) -> tuple[int, ...]:
        """A prompt of texts and token ids that follow each other.

        The family's first token is added if the prompt begins with a text.

        Args:
            parts: The texts and token ids.
            param: The field, for messages.

        Raises:
            ApiError: If the prompt is empty or too long, or has unknown tokens.
        """
        ids: list[int] = []
        for place, part in enumerate(parts):
            if isinstance(part, str):
                ids += self._encoded(part, param, self.raw if not place else self._encoder.plain) if part else []
            elif part in self._vocabulary:
                ids.append(part)
            else:
                field = f"{param}.{place}"
                raise invalid(f"{field}: there is no token {part} in this model's vocabulary.", field)
        if not ids:
            raise invalid(f"{param}: it is empty; give the code to continue.", param)
        self.check_length(ids, param)
        return tuple(ids)

    def of_chat(self, request: ChatRequest) -> tuple[int, ...]:
        """The prompt of ``/v1/chat/completions``.

        Raises:
            ApiError: If the model has no chat template, or it refuses the conversation.
        """
        template = self._pair.tokenizer.chat_template
        if not template:
            raise invalid("This model has no chat template; use /v1/completions.", "messages", "unsupported_endpoint")
        knows_calls = "tool_calls" in str(template)
        messages = [_as_template_message(message, knows_calls) for message in request.messages]
        ending: Ending = "open" if request.continues else "prompt" if request.prompts_assistant else "closed"
        try:
            text, encode = self._encoder.chat(messages, ending)
        except Exception as error:  # a template is a program and may raise anything
            raise invalid(f"The model's chat template refuses this conversation: {error}", "messages") from error
        ids = tuple(self._encoded(text, "messages", encode))
        self.check_length(ids, "messages")
        return ids

    def of_infill(self, request: InfillRequest) -> tuple[int, ...]:
        """The prompt of ``/infill``.

        Raises:
            ApiError: If the model was not trained to fill in the middle.
        """
        return self._filled(request.input_prefix + request.prompt, request.input_suffix, "input_suffix")

    def _filled(self, prefix: str, suffix: str, param: str) -> tuple[int, ...]:
        """The fill-in-the-middle prompt: prefix, suffix, and then the model writes the middle.

        The two texts are encoded one by one, and a control token spelled in them is text.
        """
        marks = self.fim
        if marks is None:
            raise invalid(
                "This model was not trained to fill in the middle; send the code before the cursor as prompt alone.",
                param,
                "unsupported_parameter",
            )
        ids = self._pair.tokenizer.get_vocab()
        before, after = (self._encoded(text, param, self._encoder.text) if text else [] for text in (prefix, suffix))
        start = self.raw("")  # some families begin every text with a token
        filled = (*start, ids[marks.prefix], *before, ids[marks.suffix], *after, ids[marks.middle])
        self.check_length(filled, param)
        return filled

    def raw(self, text: str) -> list[int]:
        """Encode a raw prompt: with the family's first token, and with spelled control tokens as control tokens."""
        return list(self._pair.tokenizer(text).input_ids)

    def tokenized(self, text: str, *, special: bool, spelled: bool) -> list[int]:
        """Encode a text by itself.

        Args:
            text: The text.
            special: Whether to add tokens that begin or end every text.
            spelled: Whether the spelling of a control token is that token.

        Raises:
            ApiError: If the text is too long, or this tokenizer cannot encode a control token's spelling as text.
        """
        if spelled:
            return self._encoded(text, "content", self.raw if special else self._encoder.plain)
        return [*(self.raw("") if special else ()), *self._encoded(text, "content", self._encoder.text)]

    def check_tokens(self, token_ids: Sequence[int], param: str) -> None:
        """Check that all tokens of a list exist.

        Raises:
            ApiError: If one is not in the vocabulary; it names the place.
        """
        for place, token in enumerate(token_ids):
            if token not in self._vocabulary:
                field = f"{param}.{place}"
                raise invalid(f"{field}: there is no token {token} in this model's vocabulary.", field)

    def _encoded(self, text: str, param: str, encode: Encode) -> list[int]:
        """Encode a text; refuse one that is far too long after encoding its beginning.

        Encoding a megabyte at once takes gigabytes of memory.
        """
        size = _CHARACTERS_PER_TOKEN * self._longest_prompt
        try:
            while size < len(text):
                if len(encode(text[:size])) > self._longest_prompt + _EXTRA_TOKENS:
                    raise self._too_long(f"more than {self._longest_prompt}", param)
                size *= 2
            return encode(text)
        except PromptError as error:
            raise invalid(str(error), param) from error

    @property
    def _longest_prompt(self) -> int:
        context = self._pair.context_length
        return min(context, self._limits.max_prompt_tokens or context)

    def _too_long(self, tokens: str, param: str) -> ApiError:
        return invalid(
            f"{param}: it has {tokens} tokens, at most {self._longest_prompt} are allowed; shorten it.",
            param,
            "context_length_exceeded",
        )

    def check_length(self, prompt: Sequence[int], param: str) -> None:
        """Check that a prompt is not too long.

        Raises:
            ApiError: If it is.
        """
        if len(prompt) > self._longest_prompt:
            raise self._too_long(str(len(prompt)), param)

    def check_limit(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
        """Check that so many tokens may follow each prompt.

        Raises:
            ApiError: If the server or the models' context does not allow it.
        """
        if max_tokens > self._limits.max_tokens:
            raise invalid(f"max_tokens: at most {self._limits.max_tokens} on this server.", "max_tokens")
        longest, context = max(map(len, prompts)), self._pair.context_length
        if longest + max_tokens > context:
            raise invalid(
                f"The prompt has {longest} tokens and max_tokens is {max_tokens}, but the models' context holds "
                f"{context} together; shorten one of them.",
                "max_tokens",
                "context_length_exceeded",
            )


def _as_template_message(message: ChatMessage, knows_calls: bool) -> dict[str, object]:
    """A message as chat templates read it; calls become text for a template that does not know them."""
    role = "system" if message.role == "developer" else message.role  # a newer name
    found: dict[str, object] = {"role": role, "content": message.text}
    for name in ("name", "tool_call_id", "reasoning_content"):
        if getattr(message, name) is not None:
            found[name] = getattr(message, name)
    calls = [{"name": call.name, "arguments": _arguments(call.arguments)} for call in message.calls]
    if calls and knows_calls:
        ids = [call.id for call in message.tool_calls or ()] or [None]
        found["tool_calls"] = [
            {"type": "function", "function": call, **({} if name is None else {"id": name})}
            for call, name in zip(calls, ids, strict=False)
        ]
    elif calls:
        found["content"] = "\n".join([*filter(None, [message.text]), *(json.dumps(call) for call in calls)])
    return found


def _arguments(text: str) -> object:
    """A call's arguments as an object, which templates write as JSON themselves; as text if they are no object."""
    try:
        arguments = json.loads(text)
    except ValueError:
        return text
    return arguments if isinstance(arguments, dict) else text
