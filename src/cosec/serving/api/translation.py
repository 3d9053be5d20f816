"""Translate API requests into token ids, decoding settings and limits, or refuse them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from cosec.decoding.completion import MakeWatcher, code_watcher
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.choice import as_choice
from cosec.decoding.rules.schema import changed_rule, current_names, rule_schemas
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.errors import SettingsError
from cosec.serving.api.llama_cpp.wire import InfillRequest, LlamaCppCompletionRequest, LlamaCppRequest
from cosec.serving.api.prompt_ids import PromptIds
from cosec.serving.api.wire import ChatRequest, CompletionRequest, CosecFields, GenerationRequest
from cosec.serving.api_errors import CWES_REFUSED, ApiError, invalid, of_validation
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.settings import ServerSettings

XARGS_PREFIX = "cosec_"
"""Prefix of the extension's fields in ``vllm_xargs``."""

DEFAULT_COMPLETION_TOKENS = 16
"""Default ``max_tokens`` of the OpenAI API's completions."""


class Translator:
    """Translates requests for one pair of models under the limits of one server."""

    def __init__(self, pair: PreparedPair, limits: ServerSettings, rule: Mapping[str, object]) -> None:
        """Prepare to translate.

        Args:
            pair: The models.
            limits: What the server allows.
            rule: Name and settings of the rule for requests that name none, as ``decoding_settings`` takes them. If
                empty, the adapter's own rule, else the paper's.

        Raises:
            SettingsError: If those settings do not fit the rule or the models.
        """
        self._pair = pair
        self._limits = limits
        self._rule = changed_rule(pair.own_rule, rule)
        self.prompts = PromptIds(pair, limits)
        """Encodes the prompts of requests."""
        default = decoding_settings(self._rule, {})
        if pair.has_security:
            pair.check_contrast(default.rule.contrast)
        elif self._rule:
            raise SettingsError("A rule has no effect without a security model; name one with --security.")

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        """The rules that requests may name; see :func:`~cosec.decoding.rules.schema.rule_schemas`."""
        return rule_schemas()

    @property
    def defaults(self) -> dict[str, object]:
        """The ``cosec`` fields that apply to a request without them."""
        if not self._pair.has_security:
            return {"enabled": False}
        return {"enabled": True, **as_choice(decoding_settings(self._rule, {}).rule)}

    def echo(self, request: CompletionRequest) -> tuple[str, ...]:
        """The text of each prompt; token ids are decoded."""
        given = request.prompt
        if isinstance(given, str):
            return (given,)
        if given and isinstance(given[0], int):
            return (str(self._pair.tokenizer.decode(given)),)
        return tuple(one if isinstance(one, str) else str(self._pair.tokenizer.decode(one)) for one in given)

    def completion(self, request: CompletionRequest) -> DecodingRequest:
        """Translate ``/v1/completions``.

        Raises:
            ApiError: If the models or the server's limits do not allow it.
        """
        prompts = self.prompts.of_completion(request)
        max_tokens = DEFAULT_COMPLETION_TOKENS if request.max_tokens is None else request.max_tokens
        if max_tokens < 0:
            max_tokens = min(map(self.prompts.room, prompts))
        asked = self._asked(request, prompts, max_tokens, request.alternatives)
        return replace(
            asked,
            watchers=self._watchers(request, self.echo(request)),
            scores_prompts=bool(request.echo) and request.alternatives is not None,
        )

    def chat(self, request: ChatRequest) -> DecodingRequest:
        """Translate ``/v1/chat/completions``.

        Raises:
            ApiError: If the model has no chat template, or as for completions.
        """
        prompt = self.prompts.of_chat(request)
        if _with_xargs(request).code_end not in (None, "none"):
            raise invalid("cosec: code_end has no effect in a chat, whose answer is text; leave it out.", "cosec")
        alternatives = (request.top_logprobs or 0) if request.logprobs else None
        limit = self.prompts.room(prompt) if request.limit in (None, -1) else request.limit
        return self._asked(request, (prompt,), limit, alternatives)

    def infill(self, request: InfillRequest) -> DecodingRequest:
        """Translate ``/infill``.

        Raises:
            ApiError: If the model was not trained to fill in the middle, or as for completions.
        """
        prompt = self.prompts.of_infill(request)
        return self._of_llama_cpp(request, (prompt,), (request.input_prefix + request.prompt,))

    def llama_cpp_completion(self, request: LlamaCppCompletionRequest) -> DecodingRequest:
        """Translate ``/completion``.

        Raises:
            ApiError: As for completions.
        """
        parts = request.prompts
        self.prompts.check_count(len(parts))
        several = len(parts) > 1
        prompts = [
            self.prompts.of_parts(one, f"prompt.{place}" if several else "prompt") for place, one in enumerate(parts)
        ]
        texts = [str(self._pair.tokenizer.decode(list(one), skip_special_tokens=True)) for one in prompts]
        return self._of_llama_cpp(request, tuple(prompts), texts)

    def _of_llama_cpp(
        self, request: LlamaCppRequest, prompts: tuple[tuple[int, ...], ...], texts: Sequence[str]
    ) -> DecodingRequest:
        try:
            generation = GenerationRequest(
                temperature=request.temperature,
                top_p=request.top_p,
                top_k=max(0, request.top_k),
                min_p=request.min_p,
                seed=request.seed if request.seed >= 0 else None,
                stop=request.stop,
                ignore_eos=request.ignore_eos,
                cosec=request.cosec,
            )
        except ValidationError as error:  # a seed that completions would not take either
            raise of_validation(error, GenerationRequest) from error
        room = min(map(self.prompts.room, prompts))
        max_tokens = room if request.n_predict < 0 else min(max(1, request.n_predict), room)
        asked = self._asked(generation, prompts, max_tokens, request.n_probs or None)
        return replace(asked, watchers=self._watchers(generation, texts))

    def _asked(
        self,
        request: GenerationRequest,
        prompts: tuple[tuple[int, ...], ...],
        max_tokens: int,
        top_logprobs: int | None,
    ) -> DecodingRequest:
        samples = request.n or 1
        if len(prompts) * samples > self._limits.max_samples:
            raise invalid(
                f"{len(prompts)} prompts times n={samples} is more than the {self._limits.max_samples} completions a "
                "request may ask for; split it.",
                "n",
            )
        self.prompts.check_limit(prompts, max_tokens)
        if request.min_tokens and request.min_tokens > max_tokens:
            raise invalid(f"min_tokens is {request.min_tokens}, but max_tokens is {max_tokens}.", "min_tokens")
        self.prompts.check_tokens(request.stop_token_ids or (), "stop_token_ids")
        fields = _with_xargs(request)
        hardened, rule, notes = self._rule_of(fields)
        settings = self._settings(request, rule, max_tokens, top_logprobs, hardened=hardened)
        return DecodingRequest(
            prompts=prompts,
            samples=samples,
            settings=settings,
            hardened=hardened,
            max_new_tokens=max_tokens,
            min_new_tokens=request.min_tokens or 0,
            stop_token_ids=frozenset(request.stop_token_ids or ()),
            ignore_eos=bool(request.ignore_eos),
            audit=fields.audit,
            notes=notes,
        )

    def _settings(
        self,
        request: GenerationRequest,
        rule: Mapping[str, object],
        max_tokens: int,
        top_logprobs: int | None,
        *,
        hardened: bool,
    ) -> DecodingSettings:
        sampling = {
            "temperature": 1.0 if request.temperature is None else request.temperature,
            "top_p": 1.0 if request.top_p is None else request.top_p,
            "top_k": max(0, request.top_k or 0),
            "min_p": request.min_p or 0.0,
            "max_new_tokens": max(1, max_tokens),
            "seed": secrets.randbits(62) if request.seed in (None, -1) else request.seed,
            "stop": request.stop_texts,
            "top_logprobs": top_logprobs,
        }
        try:
            settings = decoding_settings(rule, sampling)
            if hardened:
                self._pair.check_contrast(settings.rule.contrast)
        except SettingsError as error:
            raise invalid(str(error), "cosec", "invalid_value") from error
        return settings

    def _watchers(self, request: GenerationRequest, texts: Sequence[str]) -> tuple[MakeWatcher | None, ...]:
        """What ends the completions of each prompt where their code ends; empty if they must have a certain length."""
        if request.min_tokens or request.ignore_eos:
            return ()
        end = _with_xargs(request).code_end or self._limits.code_end
        return tuple(code_watcher(text, end) for text in texts)

    def _rule_of(self, fields: CosecFields) -> tuple[bool, dict[str, object], tuple[str, ...]]:
        """Whether to harden, the rule that results from the server's own and the request, and notes on old names."""
        given, notes = current_names(fields.settings())
        enabled = self._pair.has_security if fields.enabled is None else fields.enabled
        if not self._pair.has_security and (given or enabled):
            raise invalid("This server runs the target alone; it has no security model to harden with.", "cosec")
        if not enabled:
            if given:
                name = next("rule" if one == "name" else one for one in given)
                raise invalid(
                    f"cosec: {name} has no effect while hardening is off; leave it out or enable it.", "cosec"
                )
            return False, {}, ()
        return True, changed_rule(self._rule, given), notes


def _with_xargs(request: GenerationRequest) -> CosecFields:
    """The ``cosec`` fields, including those given as ``vllm_xargs``."""
    fields = request.cosec or CosecFields()
    if not request.vllm_xargs:
        return fields
    extra: dict[str, object] = {}
    for name, value in request.vllm_xargs.items():
        if not name.startswith(XARGS_PREFIX):
            raise invalid(
                f"vllm_xargs: {name!r} is unknown here; entries are named cosec_*, for example cosec_threshold.",
                f"vllm_xargs.{name}"[:200],
                "unknown_parameter",
            )
        key = name.removeprefix(XARGS_PREFIX)
        if key == "cwes":
            raise invalid(CWES_REFUSED, f"vllm_xargs.{name}", "unsupported_parameter")
        if key in fields.model_fields_set and getattr(fields, key, None) != value:
            raise invalid(f"cosec.{key} and vllm_xargs.{name} disagree; give one of them.", f"vllm_xargs.{name}")
        extra[key] = value
    try:
        return CosecFields.model_validate({**fields.model_dump(include=fields.model_fields_set), **extra})
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        place = f"vllm_xargs.{XARGS_PREFIX}{'.'.join(map(str, detail['loc']))}"[:200]
        raise ApiError(
            400, f"{place}: {detail['msg'][:1].lower()}{detail['msg'][1:]}.", place, "invalid_value"
        ) from error
