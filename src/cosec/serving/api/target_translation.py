"""Translate API requests for a target that gives text: what it continues, and the same for the security model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cosec.decoding.blackbox.targets.text_target import TargetPrompt
from cosec.decoding.blackbox.text_rule import text_rule, text_rule_schemas
from cosec.decoding.pairing import PreparedPair
from cosec.errors import SettingsError
from cosec.serving.api.llama_cpp.wire import InfillRequest, LlamaCppCompletionRequest
from cosec.serving.api.prompt_ids import PromptIds
from cosec.serving.api.translation import Translator
from cosec.serving.api.wire import ChatRequest, CompletionRequest, CosecFields, GenerationRequest
from cosec.serving.api_errors import invalid
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.settings import ServerSettings


class TargetTranslator(Translator):
    """Translates requests for a target that is hardened as text.

    Args:
        pair: The security model's base as target, and the security adapter.
        limits: What the server allows.
        rule: The rule and its settings for requests that name none.
        target: The target if it is in this process; None for a server.

    Raises:
        SettingsError: If the target does not allow the rule.
    """

    def __init__(
        self,
        pair: PreparedPair,
        limits: ServerSettings,
        rule: Mapping[str, object],
        target: PreparedPair | None = None,
    ) -> None:
        self._in_process = target is not None
        chosen = text_rule(pair.rule_over_text, rule, in_process=self._in_process)
        super().__init__(pair, limits, chosen)
        self._rule = chosen
        self.prompts = _SecurityPrompts(pair, limits)
        self._target_prompts = None if target is None else PromptIds(target, limits)

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        """The rules that requests may name."""
        return text_rule_schemas(in_process=self._in_process)

    def completion(self, request: CompletionRequest) -> DecodingRequest:
        """Translate ``/v1/completions``.

        Raises:
            ApiError: If a prompt is not a text, or the request asks for what only the target's tokens could give.
        """
        if request.alternatives is not None:
            self._check_log_probs(request.alternatives, echo=bool(request.echo))
        given = [request.prompt] if isinstance(request.prompt, str) else request.prompt
        texts = [one for one in given if isinstance(one, str)]
        if len(texts) != len(given):
            raise invalid("prompt: the target has its own tokens; send texts, not token ids.", "prompt")
        _refuse_token_fields(request)
        prompts = [TargetPrompt(text=one, suffix=request.suffix or None) for one in texts]
        asked, open_ended = super().completion(request), request.max_tokens == -1
        return self._asking(asked, prompts, lambda own: own.of_completion(request), open_ended=open_ended)

    def chat(self, request: ChatRequest) -> DecodingRequest:
        """Translate ``/v1/chat/completions``: the target gets the conversation as it is.

        Raises:
            ApiError: As for completions.
        """
        if request.logprobs:
            self._check_log_probs(request.top_logprobs or 0, echo=False)
        _refuse_token_fields(request)
        messages = [message.model_dump(exclude_none=True) for message in request.messages]
        if request.continues:
            messages[-1]["content"] = request.messages[-1].text
        anew = request.messages[-1].role == "assistant" and request.prompts_assistant
        open_ended = request.limit in (None, -1)
        prompt = TargetPrompt(messages=messages, continues=request.continues, begins_anew=anew, open_ended=open_ended)
        asked = super().chat(request)
        return self._asking(asked, [prompt], lambda own: (own.of_chat(request),), open_ended=open_ended)

    def infill(self, request: InfillRequest) -> DecodingRequest:
        """Translate ``/infill``.

        Raises:
            ApiError: If the security model was not trained to fill in the middle, or as for completions.
        """
        if request.n_probs:
            raise _unknown_probabilities("n_probs")
        prompt = TargetPrompt(text=request.input_prefix + request.prompt, suffix=request.input_suffix)
        asked = super().infill(request)
        return self._asking(asked, [prompt], lambda own: (own.of_infill(request),), open_ended=True)

    def llama_cpp_completion(self, request: LlamaCppCompletionRequest) -> DecodingRequest:
        """Translate ``/completion``.

        Raises:
            ApiError: As for completions.
        """
        if request.n_probs:
            raise _unknown_probabilities("n_probs")
        texts = ["".join(part for part in parts if isinstance(part, str)) for parts in request.prompts]
        if any(not isinstance(part, str) for parts in request.prompts for part in parts):
            raise invalid("prompt: the target has its own tokens; send texts, not token ids.", "prompt")
        prompts = [TargetPrompt(text=one) for one in texts]
        asked = super().llama_cpp_completion(request)
        return self._asking(
            asked, prompts, lambda own: tuple(own.of_parts([one], "prompt") for one in texts), open_ended=True
        )

    def _check_log_probs(self, alternatives: int, *, echo: bool) -> None:
        """Refuse log-probabilities that are not known.

        Raises:
            ApiError: If they are of a target in this process, of the prompt, or of other tokens than the text's.
        """
        if self._in_process:
            raise _unknown_probabilities("logprobs")
        if alternatives or echo:
            raise invalid(
                "logprobs: only those of the server's own text are known here, without alternatives and without those "
                "of the prompt; send 0 (in chats: true), and no echo.",
                "logprobs",
                "unsupported_parameter",
            )

    def _asking(
        self,
        asked: DecodingRequest,
        prompts: Sequence[TargetPrompt],
        encoded: Callable[[PromptIds], Sequence[tuple[int, ...]]],
        *,
        open_ended: bool,
    ) -> DecodingRequest:
        """A request with what the target continues; a target in this process gets it in its own tokens.

        Args:
            asked: The request, with the limit that the security model has room for.
            prompts: What the target continues.
            encoded: Gives the same in the target's tokens.
            open_ended: Whether the limit may be lowered to what a target in this process has room for.

        Raises:
            ApiError: If a prompt is too long for the target, or it cannot read it.
        """
        if self._target_prompts is None:
            return replace(asked, target_prompts=tuple(prompts))
        ids = encoded(self._target_prompts)
        limit = asked.max_new_tokens
        if open_ended:
            limit = min(limit, *map(self._target_prompts.room, ids))
        self._target_prompts.check_limit(ids, limit)
        in_tokens = tuple(replace(one, ids=own) for one, own in zip(prompts, ids, strict=True))
        return replace(asked, max_new_tokens=limit, target_prompts=in_tokens)

    def _rule_of(self, fields: CosecFields) -> tuple[bool, dict[str, object], tuple[str, ...]]:
        hardened, rule, notes = super()._rule_of(fields)
        try:
            return hardened, text_rule(rule, rule, in_process=self._in_process) if hardened else rule, notes
        except SettingsError as error:
            raise invalid(f"cosec: {error}", "cosec", "invalid_value") from error


class _SecurityPrompts(PromptIds):
    """Prompts for the security model; a base without a chat template reads a conversation as plain text.

    A control token that a message spells is text in either case.
    """

    def of_chat(self, request: ChatRequest) -> tuple[int, ...]:
        if self._pair.tokenizer.chat_template:
            return super().of_chat(request)
        text = "\n\n".join(message.text for message in request.messages) + ("" if request.continues else "\n\n")
        if not text:
            raise invalid("messages: they are empty; give the conversation to continue.", "messages")
        ids = (*self.raw(""), *self._encoded(text, "messages", self._encoder.text))
        self.check_length(ids, "messages")
        return ids


def _unknown_probabilities(field: str) -> Exception:
    return invalid(
        f"{field}: only the target's text is known here, not its probabilities; leave it out.",
        field,
        "unsupported_parameter",
    )


def _refuse_token_fields(request: GenerationRequest) -> None:
    """Refuse what is said in the target's tokens, which are not known here."""
    for name in ("stop_token_ids", "ignore_eos", "min_tokens"):
        if getattr(request, name):
            raise invalid(
                f"{name}: only the target's text is known here, not its tokens; leave it out.",
                name,
                "unsupported_parameter",
            )
