"""The response bodies: the objects of the OpenAI API, whole or in chunks, with the fields that CoSec adds."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from transformers import PreTrainedTokenizerFast

from cosec.decoding.rules.choice import as_choice
from cosec.decoding.trace import TokenRecord, summary
from cosec.serving.scheduler.prompt_scoring import ScoredToken
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Progress, PromptScores

Json = dict[str, Any]
"""An object of a response."""

_LEAST_LOG_PROB = -9999.0
"""Stands for minus infinity, which JSON lacks, as in the OpenAI API."""


@dataclass(slots=True)
class Choice:
    """One completion of a request, as far as it is decoded."""

    text: str = ""
    records: list[TokenRecord] = field(default_factory=list)
    finish_reason: str | None = None

    def take(self, progress: Progress) -> None:
        """Add the progress of one decoding step."""
        self.text += progress.text
        self.records.extend(progress.records)
        self.finish_reason = progress.finish_reason or self.finish_reason


class Answer:
    """Builds the answer to one request for completions or chat completions."""

    def __init__(
        self,
        asked: DecodingRequest,
        tokenizer: PreTrainedTokenizerFast,
        model: str,
        *,
        chat: bool,
        echoed: Sequence[str] = (),
    ) -> None:
        """Start an answer.

        Args:
            asked: The request.
            tokenizer: For the texts of single tokens.
            model: The name the client used.
            chat: Whether it is a chat completion.
            echoed: The text of each prompt, if the client wants it back.
        """
        self._asked = asked
        self._tokenizer = tokenizer
        self._chat = chat
        self._echoed = echoed
        kind = "chat.completion" if chat else "text_completion"
        prefix = "chatcmpl-" if chat else "cmpl-"
        self._head = {"id": prefix + secrets.token_hex(12), "created": int(time.time()), "model": model}
        self._kind = kind
        self.choices = [Choice() for _ in range(len(asked.prompts) * asked.samples)]
        """The completions, by the index of their choice."""
        self._offsets = [len(self._echo(index)) for index in range(len(self.choices))]
        self._scores: dict[int, tuple[ScoredToken, ...]] = {}

    @property
    def open(self) -> int:
        """Number of completions that are not done yet."""
        return sum(choice.finish_reason is None for choice in self.choices)

    @property
    def usage(self) -> Json:
        """Token counts of the whole request."""
        prompt = sum(map(len, self._asked.prompts))
        completion = sum(len(choice.records) for choice in self.choices)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    @property
    def metrics(self) -> Json | None:
        """What the hardening did in the whole request; None if the client asked for nothing."""
        if self._asked.audit == "none":
            return None
        totals = summary(record for choice in self.choices for record in choice.records)
        sampling = self._asked.settings.sampling
        found: Json = {"enabled": self._asked.hardened, "seed": sampling.seed, "tokens": totals.tokens}
        if self._asked.hardened:
            found.update(as_choice(self._asked.settings.rule))
            rate = totals.acceptance_rate
            found["accept_rate"] = None if rate is None else round(rate, 4)
            found.update(drafted=totals.drafted, accepted=totals.accepted, changed=totals.changed)
            if self._asked.settings.rule.marks_decisions:
                found["decisions"] = totals.decisions
        if self._asked.notes:
            found["warnings"] = list(self._asked.notes)
        return {"cosec": found}

    def take(self, event: Progress | PromptScores) -> None:
        """Add the progress of a completion, or the scores of a prompt."""
        if isinstance(event, PromptScores):
            self._scores[event.prompt_index] = event.tokens
        else:
            self.choices[event.choice].take(event)

    def whole(self) -> Json:
        """The whole response body."""
        choices = []
        for index, choice in enumerate(self.choices):
            body: Json = {"index": index, "finish_reason": choice.finish_reason}
            if self._chat:
                body["message"] = {"role": "assistant", "content": choice.text, "refusal": None}
            else:
                body["text"] = self._echo(index) + choice.text
            body["logprobs"] = self._logprobs(index, choice.records, self._scores.get(index // self._asked.samples, ()))
            self._add_audit(body, choice.records)
            choices.append(body)
        answer = {**self._head, "object": self._kind, "choices": choices, "usage": self.usage}
        return self._with_metrics(answer)

    def opening(self) -> list[Json]:
        """Chunks before the first token: the role of a chat message, or the echo of a prompt."""
        if self._chat:
            return [
                self._chunk({"index": index, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
                for index in range(len(self.choices))
            ]
        if self._asked.scores_prompts:  # the echo comes with its scores
            return []
        return [self._echo_chunk(index, None) for index in range(len(self.choices)) if self._echo(index)]

    def _echo_chunk(self, index: int, logprobs: Json | None) -> Json:
        return self._chunk({"index": index, "text": self._echo(index), "logprobs": logprobs, "finish_reason": None})

    def chunks(self, event: Progress | PromptScores) -> list[Json]:
        """The chunks for the progress of a completion or the scores of a prompt; empty if there is nothing to send."""
        if isinstance(event, PromptScores):
            samples = self._asked.samples
            choices = range(event.prompt_index * samples, (event.prompt_index + 1) * samples)
            return [self._echo_chunk(index, self._completion_logprobs(index, (), event.tokens)) for index in choices]
        chunk = self.chunk(event)
        return [] if chunk is None else [chunk]

    def chunk(self, progress: Progress) -> Json | None:
        """The chunk for the progress of a completion; None if there is nothing to send."""
        self.choices[progress.choice].take(progress)
        body: Json = {"index": progress.choice}
        if self._chat:
            body["delta"] = {"content": progress.text} if progress.text else {}
        else:
            body["text"] = progress.text
        body["logprobs"] = self._logprobs(progress.choice, progress.records) if progress.records else None
        body["finish_reason"] = progress.finish_reason
        self._add_audit(body, progress.records)
        if not (progress.text or progress.finish_reason or body["logprobs"] or body.get("cosec")):
            return None
        chunk = self._chunk(body)
        return chunk if self.open else self._with_metrics(chunk)

    def usage_chunk(self) -> Json:
        """The last chunk of a stream with ``include_usage``."""
        return {**self._chunk(None), "usage": self.usage}

    def _chunk(self, choice: Json | None) -> Json:
        kind = "chat.completion.chunk" if self._chat else "text_completion"
        return {**self._head, "object": kind, "choices": [] if choice is None else [choice]}

    def _with_metrics(self, body: Json) -> Json:
        metrics = self.metrics
        return body if metrics is None else {**body, "metrics": metrics}

    def _echo(self, index: int) -> str:
        return self._echoed[index // self._asked.samples] if self._echoed else ""

    def _add_audit(self, body: Json, records: Sequence[TokenRecord]) -> None:
        if self._asked.audit == "tokens" and records:
            body["cosec"] = {"tokens": [self._audited(record) for record in records]}

    def _audited(self, record: TokenRecord) -> Json:
        entry: Json = {"text": self._text(record.token_id)}
        for name, value in record.to_json().items():
            if name.endswith("log_prob") and isinstance(value, float):
                entry[name.replace("log_prob", "prob")] = round(math.exp(value), 6)
            elif name != "top_logprobs":
                entry[name] = round(value, 6) if isinstance(value, float) else value
        if record.proposed_id is not None and record.proposed_id != record.token_id:
            entry["proposed_text"] = self._text(record.proposed_id)
        return entry

    def _text(self, token_id: int) -> str:
        return str(self._tokenizer.decode([token_id]))

    def _logprobs(self, index: int, records: Sequence[TokenRecord], scores: Sequence[ScoredToken] = ()) -> Json | None:
        if self._asked.settings.sampling.top_logprobs is None:
            return None
        return self._chat_logprobs(records) if self._chat else self._completion_logprobs(index, records, scores)

    def _completion_logprobs(
        self, index: int, records: Sequence[TokenRecord], scores: Sequence[ScoredToken] = ()
    ) -> Json:
        """Log-probabilities of the tokens of a prompt, if it was scored, and of a completion."""
        echoed, tokens = ([self._text(one.token_id) for one in part] for part in (scores, records))
        offsets = list(accumulate(map(len, echoed), initial=0))[: len(echoed)]
        for token in tokens:
            offsets.append(self._offsets[index])
            self._offsets[index] += len(token)
        of_prompt = [None if one.log_prob is None else finite(one.log_prob) for one in scores]
        found = [*(one.top_logprobs for one in scores), *(record.top_logprobs for record in records)]
        alternatives = [{self._text(token): finite(value) for token, value in one or ()} for one in found]
        return {
            "tokens": [*echoed, *tokens],
            "token_logprobs": [*of_prompt, *(finite(record.target_log_prob) for record in records)],
            "top_logprobs": [None if scores and not place else one for place, one in enumerate(alternatives)],
            "text_offset": offsets,
        }

    def _chat_logprobs(self, records: Sequence[TokenRecord]) -> Json:
        def entry(token_id: int, value: float) -> Json:
            text = self._text(token_id)
            whole = "\N{REPLACEMENT CHARACTER}" not in text  # otherwise the token is part of a character
            return {"token": text, "logprob": finite(value), "bytes": list(text.encode()) if whole else None}

        return {
            "content": [
                {
                    **entry(record.token_id, record.target_log_prob),
                    "top_logprobs": [entry(token, value) for token, value in record.top_logprobs or ()],
                }
                for record in records
            ],
            "refusal": None,
        }


class Infill(Answer):
    """The answer to ``/infill`` in the format of llama.cpp."""

    def __init__(self, asked: DecodingRequest, tokenizer: PreTrainedTokenizerFast, model: str, *, silent: bool) -> None:
        """Start an answer.

        Args:
            asked: The request.
            tokenizer: For the texts of single tokens.
            model: The name of the model.
            silent: Whether the completion is left out, as for a request of no tokens, which decodes one all the same.
        """
        super().__init__(asked, tokenizer, model, chat=False)
        self._silent = silent

    def whole(self) -> Json:
        """The whole response body."""
        choice = self.choices[0]
        return self._ended("" if self._silent else choice.text)

    def chunk(self, progress: Progress) -> Json | None:
        """The chunk for the progress of the completion; None if there is nothing to send."""
        choice = self.choices[0]
        choice.take(progress)
        text = "" if self._silent else progress.text
        if choice.finish_reason is not None:
            return self._ended(text)
        return {"content": text, "stop": False} if text else None

    def _ended(self, text: str) -> Json:
        usage = self.usage
        body = {
            "content": text,
            "stop": True,
            "stop_type": "limit" if self.choices[0].finish_reason == "length" else "eos",
            "model": self._head["model"],
            "tokens_predicted": 0 if self._silent else usage["completion_tokens"],
            "tokens_evaluated": usage["prompt_tokens"],
        }
        return self._with_metrics(body)


def finite(log_prob: float) -> float:
    """A log-probability that JSON can represent."""
    return max(log_prob, _LEAST_LOG_PROB)
