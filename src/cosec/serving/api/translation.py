"""Translate API requests into token ids, decoding settings and limits, or refuse them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.choice import as_choice
from cosec.decoding.rules.schema import changed_rule, current_names, rules_without_base
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.errors import PromptError, SettingsError
from cosec.models.families import FimTokens
from cosec.serving.api.prompt_encoding import Encode, PromptEncoder
from cosec.serving.api.wire import ChatRequest, CompletionRequest, CosecFields, GenerationRequest, InfillRequest
from cosec.serving.api_errors import CWES_REFUSED, ApiError, invalid, of_validation
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.settings import ServerSettings

XARGS_PREFIX = "cosec_"
"""Prefix of the extension's fields in ``vllm_xargs``."""

DEFAULT_COMPLETION_TOKENS = 16
"""Default ``max_tokens`` of the OpenAI API's completions."""

_CHARACTERS_PER_TOKEN = 8
"""More than code has; decides how much of a long text is encoded before it is refused."""

_EXTRA_TOKENS = 64
"""Tokens that the beginning of a text may have in addition to those of the same part of the whole."""


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
        self._encoder = PromptEncoder(pair.tokenizer)
        self._vocabulary = set(pair.tokenizer.get_vocab().values())
        default = decoding_settings(self._rule, {})
        if pair.has_security:
            self._check_base(default)
        elif self._rule:
            raise SettingsError("A rule has no effect without a security model; name one with --security.")

    @property
    def fim(self) -> FimTokens | None:
        """The target's tokens for filling in the middle; None if it was not trained for that."""
        family = self._pair.pair.target.family
        return None if family is None else family.fim

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
        prompts = self._prompt_ids(request)
        max_tokens = DEFAULT_COMPLETION_TOKENS if request.max_tokens is None else request.max_tokens
        asked = self._asked(request, prompts, max_tokens, request.logprobs)
        return replace(asked, scores_prompts=bool(request.echo) and request.logprobs is not None)

    def chat(self, request: ChatRequest) -> DecodingRequest:
        """Translate ``/v1/chat/completions``.

        Raises:
            ApiError: If the model has no chat template, or as for completions.
        """
        if not self._pair.tokenizer.chat_template:
            raise invalid("This model has no chat template; use /v1/completions.", "messages", "unsupported_endpoint")
        messages = [{"role": _role(message.role), "content": message.text} for message in request.messages]
        try:
            text, encode = self._encoder.chat(messages)
        except Exception as error:  # a template is a program and may raise anything
            raise invalid(f"The model's chat template refuses this conversation: {error}", "messages") from error
        prompt = tuple(self._encoded(text, "messages", encode))
        alternatives = (request.top_logprobs or 0) if request.logprobs else None
        room = max(1, min(self._limits.max_tokens, self._pair.context_length - len(prompt)))
        max_tokens = request.max_completion_tokens or request.max_tokens or room
        return self._asked(request, (prompt,), max_tokens, alternatives)

    def infill(self, request: InfillRequest) -> DecodingRequest:
        """Translate ``/infill``.

        Raises:
            ApiError: If the model was not trained to fill in the middle, or as for completions.
        """
        prompt = self._filled(request.input_prefix + request.prompt, request.input_suffix, "input_suffix")
        room = max(1, min(self._limits.max_tokens, self._pair.context_length - len(prompt)))
        try:
            generation = GenerationRequest(
                temperature=request.temperature,
                top_p=request.top_p,
                seed=request.seed if request.seed >= 0 else None,
                stop=request.stop,
                cosec=request.cosec,
            )
        except ValidationError as error:  # a seed or a stop text that completions would not take either
            raise of_validation(error) from error
        max_tokens = room if request.n_predict < 0 else min(max(1, request.n_predict), room)
        return self._asked(generation, (prompt,), max_tokens, None)

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
        self._check_lengths(prompts, max_tokens)
        fields = _with_xargs(request)
        hardened, rule, notes = self._rule_of(fields)
        sampling = {
            "temperature": 1.0 if request.temperature is None else request.temperature,
            "top_p": 1.0 if request.top_p is None else request.top_p,
            "max_new_tokens": max(1, max_tokens),
            "seed": secrets.randbits(62) if request.seed is None else request.seed,
            "stop": request.stop_texts,
            "top_logprobs": top_logprobs,
        }
        try:
            settings = decoding_settings(rule, sampling)
            if hardened:
                self._check_base(settings)
        except SettingsError as error:
            raise invalid(str(error), "cosec", "invalid_value") from error
        return DecodingRequest(
            prompts=prompts,
            samples=samples,
            settings=settings,
            hardened=hardened,
            max_new_tokens=max_tokens,
            audit=fields.audit,
            notes=notes,
        )

    def _rule_of(self, fields: CosecFields) -> tuple[bool, dict[str, object], tuple[str, ...]]:
        """Whether to harden, the rule that results from the server's own and the request, and notes on old names."""
        given, notes = current_names(fields.settings())
        enabled = self._pair.has_security if fields.enabled is None else fields.enabled
        if not enabled:
            if given:
                name = next(iter(given))
                raise invalid(
                    f"cosec: {name} has no effect while hardening is off; leave it out or enable it.", "cosec"
                )
            return False, {}, ()
        if not self._pair.has_security:
            raise invalid("This server runs the target alone; it has no security model to harden with.", "cosec")
        return True, changed_rule(self._rule, given), notes

    def _check_base(self, settings: DecodingSettings) -> None:
        if settings.rule.needs_base and not self._pair.has_base:
            raise SettingsError(
                f"The rule {settings.rule.name} compares an adapter with its own base, and this security model is a "
                f"whole model: choose the rule {rules_without_base()}."
            )

    def _prompt_ids(self, request: CompletionRequest) -> tuple[tuple[int, ...], ...]:
        given = request.prompt
        if isinstance(given, str):
            texts: Sequence[str | list[int]] = [given]
        elif given and isinstance(given[0], int):
            texts = [[token for token in given if isinstance(token, int)]]
        else:
            texts = [one for one in given if isinstance(one, str | list)]
        if not texts:
            raise invalid("prompt: the list is empty; give at least one prompt.", "prompt")
        if len(texts) > self._limits.max_samples:
            raise invalid(f"prompt: at most {self._limits.max_samples} prompts a request; split it.", "prompt")
        if request.suffix:
            if request.echo:
                raise invalid("echo cannot be combined with suffix.", "echo")
            filled = []
            for text in texts:
                if not isinstance(text, str):
                    raise invalid("suffix needs a prompt of text, not of token ids.", "suffix")
                filled.append(self._filled(text, request.suffix, "suffix"))
            return tuple(filled)
        return tuple(self._ids(text) for text in texts)

    def _ids(self, prompt: str | list[int]) -> tuple[int, ...]:
        if isinstance(prompt, str):
            if not prompt.strip():
                raise invalid("prompt: it is empty; give the code to continue.", "prompt")
            return tuple(self._encoded(prompt, "prompt", self._with_control_tokens))
        if not prompt:
            raise invalid("prompt: the list of token ids is empty.", "prompt")
        unknown = next((token for token in prompt if token not in self._vocabulary), None)
        if unknown is not None:
            raise invalid(f"prompt: there is no token {unknown} in this model's vocabulary.", "prompt")
        return tuple(prompt)

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
        start = self._with_control_tokens("")  # some families begin every text with a token
        return (*start, ids[marks.prefix], *before, ids[marks.suffix], *after, ids[marks.middle])

    def _with_control_tokens(self, text: str) -> list[int]:
        """Encode a raw prompt: with the family's first token, and with spelled control tokens as control tokens."""
        return list(self._pair.tokenizer(text).input_ids)

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
            f"The prompt has {tokens} tokens, at most {self._longest_prompt} are allowed; shorten it.",
            param,
            "context_length_exceeded",
        )

    def _check_lengths(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
        limits, context = self._limits, self._pair.context_length
        if max_tokens > limits.max_tokens:
            raise invalid(f"max_tokens: at most {limits.max_tokens} on this server.", "max_tokens")
        longest = max(map(len, prompts))
        if longest > self._longest_prompt:
            raise self._too_long(str(longest), "prompt")
        if longest + max_tokens > context:
            raise invalid(
                f"The prompt has {longest} tokens and max_tokens is {max_tokens}, but the models' context holds "
                f"{context} together; shorten one of them.",
                "max_tokens",
                "context_length_exceeded",
            )


def _role(role: str) -> str:
    """The role as templates know it: ``developer`` is a newer name of ``system``."""
    return "system" if role == "developer" else role


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
