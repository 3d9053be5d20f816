"""Translate API requests for a target that gives text: what it continues, and the same for the security model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cosec.decoding.blackbox.targets.text_target import TargetPrompt
from cosec.decoding.blackbox.text_rule import text_rule
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.schema import rule_schemas
from cosec.errors import SettingsError
from cosec.serving.api.llama_cpp.wire import InfillRequest, LlamaCppCompletionRequest
from cosec.serving.api.prompt_ids import PromptIds
from cosec.serving.api.translation import Translator
from cosec.serving.api.wire import ChatRequest, CompletionRequest, CosecFields, GenerationRequest
from cosec.serving.api_errors import invalid
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.settings import ServerSettings


class TargetTranslator(Translator):
    """Translates requests for a target of which only the text is known.

    Args:
        pair: The security model's base as target, and the security adapter.
        limits: What the server allows.
        rule: Settings of the gate for requests that name none.

    Raises:
        SettingsError: If the rule needs the target's probabilities.
    """

    def __init__(self, pair: PreparedPair, limits: ServerSettings, rule: Mapping[str, object]) -> None:
        super().__init__(pair, limits, text_rule(pair.own_rule, rule))
        self.prompts = _SecurityPrompts(pair, limits)

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        """The rules that requests may name."""
        return {"gate": rule_schemas()["gate"]}

    def completion(self, request: CompletionRequest) -> DecodingRequest:
        """Translate ``/v1/completions``.

        Raises:
            ApiError: If a prompt is not a text, or the request asks for what only the target's tokens could give.
        """
        if request.alternatives is not None:
            raise _unknown_probabilities("logprobs")
        given = [request.prompt] if isinstance(request.prompt, str) else request.prompt
        texts = [one for one in given if isinstance(one, str)]
        if len(texts) != len(given):
            raise invalid("prompt: the target has its own tokens; send texts, not token ids.", "prompt")
        _refuse_token_fields(request)
        prompts = [TargetPrompt(text=one, suffix=request.suffix or None) for one in texts]
        return replace(super().completion(request), target_prompts=tuple(prompts))

    def chat(self, request: ChatRequest) -> DecodingRequest:
        """Translate ``/v1/chat/completions``: the target gets the conversation as it is.

        Raises:
            ApiError: As for completions.
        """
        if request.logprobs:
            raise _unknown_probabilities("logprobs")
        _refuse_token_fields(request)
        messages = [message.model_dump(exclude_none=True) for message in request.messages]
        if request.continues:
            messages[-1]["content"] = request.messages[-1].text
        prompt = TargetPrompt(messages=messages, continues=request.continues)
        return replace(super().chat(request), target_prompts=(prompt,))

    def infill(self, request: InfillRequest) -> DecodingRequest:
        """Translate ``/infill``.

        Raises:
            ApiError: If the security model was not trained to fill in the middle, or as for completions.
        """
        if request.n_probs:
            raise _unknown_probabilities("n_probs")
        prompt = TargetPrompt(text=request.input_prefix + request.prompt, suffix=request.input_suffix)
        return replace(super().infill(request), target_prompts=(prompt,))

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
        return replace(
            super().llama_cpp_completion(request), target_prompts=tuple(TargetPrompt(text=one) for one in texts)
        )

    def _rule_of(self, fields: CosecFields) -> tuple[bool, dict[str, object], tuple[str, ...]]:
        hardened, rule, notes = super()._rule_of(fields)
        try:
            return hardened, text_rule(rule, rule) if hardened else rule, notes
        except SettingsError as error:
            raise invalid(f"cosec: {error}", "cosec", "invalid_value") from error


class _SecurityPrompts(PromptIds):
    """Prompts for the security model; a base without a chat template reads a conversation as plain text."""

    def of_chat(self, request: ChatRequest) -> tuple[int, ...]:
        if self._pair.tokenizer.chat_template:
            return super().of_chat(request)
        texts: Sequence[str] = [message.text for message in request.messages]
        return self.of_parts(["\n\n".join(texts) + ("" if request.continues else "\n\n")], "messages")


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
