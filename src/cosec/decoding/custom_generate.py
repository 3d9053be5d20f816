"""Co-decoding for transformers users: ``model.generate(..., custom_generate=CoDecoding(pair))``.

The usual arguments keep their meaning: ``max_new_tokens``, ``do_sample``, ``temperature``, ``top_k``, ``top_p``,
``num_return_sequences`` and ``eos_token_id``. As always with ``generate``, sampling has a top-k of 50 unless the call
says otherwise (``top_k=0``). Arguments that co-decoding cannot honour are refused, never ignored. A streamer is an
argument of :class:`CoDecoding`, because transformers does not pass its own to a custom method.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
from transformers.generation.configuration_utils import GenerationMode
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria
from transformers.generation.streamers import BaseStreamer

from cosec.decoding.batch import Batch, CompletionRequest, batch_setup
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.errors import PromptError, SettingsError
from cosec.models.loading.quantised import GgufPair

_HONOURED_WARPERS = {TemperatureLogitsWarper: "temperature", TopKLogitsWarper: "top_k", TopPLogitsWarper: "top_p"}
"""Warpers that ``generate`` makes from a configuration, by the entry that each stands for."""


class CoDecoding:
    """A decoding method for transformers' ``generate``: the security model proposes, the called model verifies."""

    def __init__(
        self,
        pair: PreparedPair,
        *,
        rule: Mapping[str, object] | None = None,
        draft_length: int | str = "auto",
        seed: int | None = None,
        streamer: BaseStreamer | None = None,
    ) -> None:
        """Choose how ``generate`` decodes.

        Args:
            pair: Target and security model, from ``cosec.load_pair``. The model whose ``generate`` is called is
                ``pair.pair.target.model``.
            rule: A rule's ``name`` and settings, such as ``{"name": "gate", "strength": 0.1}`` or
                ``{"threshold": 0.3}``; by default the rule that the adapter carries, or the paper's.
            draft_length: Tokens proposed before one verification, or ``"auto"``.
            seed: The same seed gives the same text; without one, texts follow torch's global generator.
            streamer: Receives the prompt and then the tokens of a single row.

        Raises:
            SettingsError: If ``rule`` is no mapping.
        """
        if isinstance(rule, str):
            raise SettingsError(f"A rule is a mapping of its name and settings, such as {{'name': {rule!r}}}.")
        self._pair = pair
        self._rule = dict(pair.own_rule if rule is None else rule)
        self._draft_length = draft_length
        self._seed = seed
        self._streamer = streamer

    def __call__(
        self,
        model: PreTrainedModel,
        input_ids: Int[Tensor, "rows prompt"],
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **model_kwargs: object,
    ) -> Int[Tensor, "rows prompt_and_completion"]:
        """Complete every row of ``input_ids``, called by ``generate``.

        Args:
            model: The target; must be the model of the pair.
            input_ids: Prompts, padded on the left.
            logits_processor: Temperature, top-k and top-p only, as ``generation_config`` says.
            stopping_criteria: Maximum length and end tokens only.
            generation_config: The arguments of the call, with transformers' defaults filled in.
            model_kwargs: ``attention_mask`` marks the padding.

        Returns:
            Prompts and completions, padded on the right with the pad token.

        Raises:
            SettingsError: If a requested processor, criterion or output cannot be honoured.
            PromptError: If a row holds padding alone or fills the models' context.
        """
        pair = self._pair.pair
        if isinstance(pair, GgufPair):
            raise SettingsError("llama.cpp runs this pair, and torch runs generate: load it with runtime='torch'.")
        if model is not pair.target.model:
            raise SettingsError(
                "CoDecoding was made for another target model: call generate on pair.pair.target.model."
            )
        _refuse_unsupported(logits_processor, stopping_criteria, generation_config)
        if self._streamer is not None:
            if input_ids.shape[0] > 1:
                raise SettingsError("A streamer takes one row; pass one prompt and num_return_sequences=1.")
            self._streamer.put(input_ids.cpu())  # type: ignore[no-untyped-call]
        settings = self._settings(generation_config, room=int(generation_config.max_length) - input_ids.shape[1])
        mask = model_kwargs.get("attention_mask")
        prompts = _prompts(input_ids, mask if isinstance(mask, Tensor) else None)
        requests = _requests(prompts, settings.sampling.max_new_tokens, self._pair.context_length)
        stop_token_ids = _stop_token_ids(generation_config) or self._pair.stop_token_ids
        with self._pair.lock:
            batch = Batch(batch_setup(self._pair, settings, target_records=False), stop_token_ids=stop_token_ids)
            completions = _completed(batch, requests, prompts, self._streamer)
        pad = generation_config.pad_token_id
        pad_id = int(pad) if pad is not None else min(stop_token_ids, default=0)
        width = max(len(tokens) for tokens in completions)
        padded = [tokens + [pad_id] * (width - len(tokens)) for tokens in completions]
        return torch.cat([input_ids, torch.tensor(padded, device=input_ids.device)], dim=1)

    def _settings(self, config: GenerationConfig, room: int) -> DecodingSettings:
        seed = self._seed if self._seed is not None else int(torch.randint(2**62, (1,)))
        temperature = float(config.temperature or 1.0) if config.do_sample else 0.0
        sampling: dict[str, object] = {
            "temperature": temperature,
            "top_p": 1.0 if config.top_p is None or not config.do_sample else float(config.top_p),
            "top_k": int(config.top_k or 0) if config.do_sample else 0,
            "max_new_tokens": room,
            "draft_length": self._draft_length,
            "seed": seed,
        }
        return decoding_settings(self._rule, sampling)


def _refuse_unsupported(
    processors: LogitsProcessorList, criteria: StoppingCriteriaList, config: GenerationConfig
) -> None:
    unknown = [type(one).__name__ for one in processors if not _is_of(one, config)]
    unknown += [type(one).__name__ for one in criteria if not _ends_as(one, config)]
    mode = config.get_generation_mode()
    if mode not in (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE):
        unknown.append(mode.value)
    if config.return_dict_in_generate:
        unknown.append("return_dict_in_generate")
    if unknown:
        raise SettingsError(
            f"Co-decoding cannot honour {', '.join(unknown)}; leave these arguments of generate out, or give the value "
            "without effect, such as repetition_penalty=1.0, if the model's own generation_config sets them."
        )


def _is_of(processor: object, config: GenerationConfig) -> bool:
    """Whether ``generate`` made a processor from the configuration, whose temperature, top-k and top-p are honoured."""
    for kind, name in _HONOURED_WARPERS.items():
        if isinstance(processor, kind):
            return bool(getattr(processor, name) == getattr(config, name))
    return False


def _ends_as(criterion: object, config: GenerationConfig) -> bool:
    """Whether a criterion ends completions as the configuration does."""
    if isinstance(criterion, MaxLengthCriteria):
        return bool(criterion.max_length == config.max_length)
    if isinstance(criterion, EosTokenCriteria):
        return {int(token) for token in criterion.eos_token_id.flatten()} == set(_stop_token_ids(config))
    return False


def _prompts(input_ids: Tensor, mask: Tensor | None) -> list[tuple[int, ...]]:
    """The rows without their padding."""
    rows = input_ids if mask is None else [ids[kept.bool()] for ids, kept in zip(input_ids, mask, strict=True)]
    return [tuple(row.tolist()) for row in rows]


def _requests(prompts: Sequence[tuple[int, ...]], max_new_tokens: int, context_length: int) -> list[CompletionRequest]:
    """One request for each distinct prompt, within the context; equal rows are its samples."""
    for row, prompt in enumerate(prompts):
        if not 0 < len(prompt) < context_length:
            raise PromptError(
                f"Row {row} of input_ids has {len(prompt)} tokens, but the models' context holds {context_length}: "
                "give at least one token and leave room for one more."
            )
    return [
        CompletionRequest(
            prompt_ids=prompt,
            samples=tuple(range(count)),
            max_new_tokens=min(max_new_tokens, context_length - len(prompt)),
        )
        for prompt, count in Counter(prompts).items()
    ]


def _stop_token_ids(config: GenerationConfig) -> frozenset[int]:
    stop = config.eos_token_id
    if stop is None:
        return frozenset()
    return frozenset(int(token) for token in (stop if isinstance(stop, list | tuple) else [stop]))


def _completed(
    batch: Batch,
    requests: Sequence[CompletionRequest],
    prompts: Sequence[tuple[int, ...]],
    streamer: BaseStreamer | None,
) -> list[list[int]]:
    """The new tokens of each row of the prompts."""
    readings = [batch.start_reading(request) for request in requests]
    for reading in readings:
        reading.feed()
    numbers = batch.join(readings)
    tokens: dict[int, list[int]] = {number: [] for ones in numbers for number in ones}
    while batch.active:
        for progress in batch.step():
            new = [record.token_id for record in progress.records]
            tokens[progress.sequence].extend(new)
            if streamer is not None:
                streamer.put(torch.tensor(new))  # type: ignore[no-untyped-call] # transformers does not annotate it
    if streamer is not None:
        streamer.end()  # type: ignore[no-untyped-call] # transformers does not annotate it
    samples = {request.prompt_ids: iter(ones) for request, ones in zip(requests, numbers, strict=True)}
    return [tokens[next(samples[prompt])] for prompt in prompts]
