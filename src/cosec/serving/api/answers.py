"""The response bodies: the objects of the OpenAI API, whole or in chunks, with the fields that CoSec adds."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import PreTrainedTokenizerFast

from cosec.decoding.rules.choice import as_choice
from cosec.decoding.trace import TokenRecord, summary
from cosec.serving.api.token_texts import TokenPlaces, TokenTexts, finite, finite_if_known
from cosec.serving.scheduler.prompt_scoring import ScoredToken
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Progress, PromptScores

Json = dict[str, Any]
"""An object of a response."""


@dataclass(slots=True)
class Choice:
    """One completion of a request, as far as it is decoded."""

    places: TokenPlaces
    """Finds where its tokens begin in the returned text."""

    end: int = 0
    """Where the returned text ends so far, an echoed prompt included."""

    text: str = ""
    records: list[TokenRecord] = field(default_factory=list)
    finish_reason: str | None = None
    stop_text: str | None = None
    """The stop text that ended it."""

    incomplete: bytes = b""
    """The bytes of the character that its end cut."""

    cut: bool = False
    """Whether the text ends before its last tokens, where the code ended."""

    offsets: list[int] = field(default_factory=list)
    """Where each token begins in the returned text."""

    unchecked_from: int | None = None
    """Character from which on nothing was checked; None if all of it was."""

    told: int = 0
    """Number of tokens whose log-probabilities a stream has sent."""

    def take(self, progress: Progress) -> None:
        """Add the progress of one decoding step."""
        self.text += progress.text
        self.end += len(progress.text)
        self.records.extend(progress.records)
        self.offsets.extend(self.places.place(record.token_id) for record in progress.records)
        self.finish_reason = progress.finish_reason or self.finish_reason
        self.stop_text, self.incomplete, self.cut = progress.stop_text, progress.incomplete, progress.cut
        self.unchecked_from = progress.unchecked_from

    def untold(self) -> range:
        """The tokens whose log-probabilities can be sent and were not yet; they count as sent from now on.

        A token is sent once the text in which it begins is. A token without text that ends the completion, or that
        holds part of a character, is sent at the end. Tokens after the end of the text, where a stop text was or the
        code ended, are not.
        """
        first = self.told
        while self.told < len(self.records) and self._is_out(self.told):
            self.told += 1
        return range(first, self.told)

    def _is_out(self, place: int) -> bool:
        ended = self.finish_reason is not None and self.stop_text is None and not self.cut
        return ended or self.offsets[place] < self.end


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
        self._tokens = TokenTexts(tokenizer)
        self._chat = chat
        self._echoed = echoed
        kind = "chat.completion" if chat else "text_completion"
        prefix = "chatcmpl-" if chat else "cmpl-"
        self._head = {"id": prefix + secrets.token_hex(12), "created": int(time.time()), "model": model}
        self._kind = kind
        starts = [len(self._echo(index)) for index in range(len(asked.prompts) * asked.samples)]
        self.choices = [Choice(self._tokens.places(start), end=start) for start in starts]
        """The completions, by the index of their choice."""
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
    def hardening(self) -> Json:
        """What the hardening did in the whole request."""
        totals = summary(record for choice in self.choices for record in choice.records)
        sampling = self._asked.settings.sampling
        found: Json = {"enabled": self._asked.hardened, "seed": sampling.seed, "tokens": totals.tokens}
        if self._asked.hardened:
            found.update(as_choice(self._asked.settings.rule))
            rate = totals.acceptance_rate
            found["accept_rate"] = None if rate is None else round(rate, 4)
            changed = totals.changed if totals.target_asked else None
            found.update(drafted=totals.drafted, accepted=totals.accepted, changed=changed)
            if self._asked.settings.rule.marks_decisions:
                found["decisions"] = totals.decisions
        if self._asked.notes:
            found["warnings"] = list(self._asked.notes)
        return found

    def interventions(self, *, with_text: bool) -> list[Json]:
        """Every token that a decision put in place of the target's text, for the audit log.

        Args:
            with_text: Whether the texts of the tokens are told.
        """
        found = []
        for index, choice in enumerate(self.choices):
            for record, offset in zip(choice.records, choice.offsets, strict=True):
                if record.gated and record.changed:
                    entry: Json = {"choice": index, "token": record.position, "character": offset}
                    entry["divergence"] = None if record.divergence is None else round(record.divergence, 6)
                    found.append({**entry, "text": self._text(record.token_id)} if with_text else entry)
        return found

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
            scores = self._scores.get(index // self._asked.samples, ())
            body["logprobs"] = self._logprobs(index, choice.untold(), scores) if self._wants_logprobs else None
            self._add_audit(body, choice, choice.records)
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
            return [self._echo_chunk(index, self._logprobs(index, (), event.tokens)) for index in choices]
        chunk = self.chunk(event)
        return [] if chunk is None else [chunk]

    def chunk(self, progress: Progress) -> Json | None:
        """The chunk for the progress of a completion; None if there is nothing to send."""
        choice = self.choices[progress.choice]
        choice.take(progress)
        body: Json = {"index": progress.choice}
        if self._chat:
            body["delta"] = {"content": progress.text} if progress.text else {}
        else:
            body["text"] = progress.text
        untold = choice.untold() if self._wants_logprobs else ()
        body["logprobs"] = self._logprobs(progress.choice, untold) if untold else None
        body["finish_reason"] = progress.finish_reason
        self._add_audit(body, choice, progress.records)
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
        return body if self._asked.audit == "none" else {**body, "metrics": {"cosec": self.hardening}}

    def _echo(self, index: int) -> str:
        return self._echoed[index // self._asked.samples] if self._echoed else ""

    def _add_audit(self, body: Json, choice: Choice, records: Sequence[TokenRecord]) -> None:
        found: Json = {}
        if self._asked.audit == "tokens" and records:
            found["tokens"] = [self._audited(record) for record in records]
        if choice.unchecked_from is not None:
            found["unchecked_from"] = choice.unchecked_from
        if choice.incomplete:
            found["incomplete_bytes"] = list(choice.incomplete)
        if found:
            body["cosec"] = found

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

    @property
    def _wants_logprobs(self) -> bool:
        return self._asked.settings.sampling.top_logprobs is not None

    def _logprobs(self, index: int, places: Sequence[int], scores: Sequence[ScoredToken] = ()) -> Json:
        """Log-probabilities of some of a completion's tokens, and of the tokens of its prompt if it was scored."""
        choice = self.choices[index]
        records = [choice.records[place] for place in places]
        if self._chat:
            return {"content": [self._chat_entry(record) for record in records], "refusal": None}
        token_ids = [*(one.token_id for one in scores), *(record.token_id for record in records)]
        echoed = self._tokens.places_in(self._echo(index), token_ids[: len(scores)]) if scores else []
        of_prompt = [finite_if_known(one.log_prob) for one in scores]
        return {
            "tokens": [self._tokens.name(token) for token in token_ids],
            "token_logprobs": [*of_prompt, *(finite_if_known(record.target_log_prob) for record in records)],
            "top_logprobs": [
                *(self._alternatives(one.token_id, one.log_prob, one.top_logprobs) for one in scores),
                *(self._alternatives(one.token_id, one.target_log_prob, one.top_logprobs) for one in records),
            ],
            "text_offset": [*echoed, *(choice.offsets[place] for place in places)],
        }

    def _alternatives(
        self, token_id: int, log_prob: float | None, best: Sequence[tuple[int, float]] | None
    ) -> dict[str, float] | None:
        """The most likely tokens by name, and the chosen token; None if it has no log-probability."""
        if log_prob is None:
            return None
        found: dict[str, float] = {}
        for token, value in best or ():  # two tokens may have one text; the likelier has it, unless the other is chosen
            found.setdefault(self._tokens.name(token), finite(value))
        return {**found, self._tokens.name(token_id): finite(log_prob)}

    def _chat_entry(self, record: TokenRecord) -> Json:
        def entry(token_id: int, value: float | None) -> Json:
            name, spelling = self._tokens.name(token_id), self._tokens.bytes_of(token_id)
            return {"token": name, "logprob": finite_if_known(value), "bytes": list(spelling)}

        return {
            **entry(record.token_id, record.target_log_prob),
            "top_logprobs": [entry(token, value) for token, value in record.top_logprobs or ()],
        }
