"""The answers to ``/completion`` and ``/infill`` in the format of llama.cpp."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerFast

from cosec.decoding.completion import FinishReason
from cosec.serving.api.answers import Answer, Choice, Json
from cosec.serving.api.llama_cpp.wire import LlamaCppRequest
from cosec.serving.api.token_texts import finite_if_known
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Progress, PromptScores

_STEP_SECONDS = 1e-6
"""Shortest time that speeds are computed with, for coarse clocks."""


class LlamaCppAnswer(Answer):
    """Builds the answer to one request; a list of answers if it has several prompts."""

    def __init__(
        self,
        asked: DecodingRequest,
        tokenizer: PreTrainedTokenizerFast,
        model: str,
        request: LlamaCppRequest,
        prompts: Sequence[str] = (),
    ) -> None:
        """Start an answer.

        Args:
            asked: The request, as it is decoded.
            tokenizer: For the texts of single tokens.
            model: The name of the model.
            request: The request, as the client sent it. If ``n_predict`` is 0, the one token that is decoded all the
                same is left out.
            prompts: The text of each prompt, if the answer repeats them.
        """
        super().__init__(asked, tokenizer, model, chat=False)
        self._model = model
        self._request = request
        self._prompts = prompts
        self._silent = request.n_predict == 0
        self._started = time.monotonic()
        self._first_token: float | None = None

    def take(self, event: Progress | PromptScores) -> None:
        """Add the progress of a completion."""
        super().take(self._shown(event) if isinstance(event, Progress) else event)
        if self._first_token is None:
            self._first_token = time.monotonic()

    def whole(self) -> Any:
        """The whole response body."""
        found = [self._ended(index, choice.text) for index, choice in enumerate(self.choices)]
        return found[0] if len(found) == 1 else found

    def opening(self) -> list[Json]:
        """No chunks before the first token."""
        return []

    def chunk(self, progress: Progress) -> Json | None:
        """The chunk for the progress of a completion; None if there is nothing to send."""
        self.take(progress)
        shown, choice = self._shown(progress), self.choices[progress.choice]
        if choice.finish_reason is not None:
            return self._ended(progress.choice, shown.text)
        if not shown.text:
            return None
        body: Json = {"index": progress.choice, "content": shown.text, "stop": False}
        return {**body, "tokens": [record.token_id for record in shown.records], **self._probabilities(choice)}

    def _shown(self, progress: Progress) -> Progress:
        """What the answer shows of the progress of a completion: nothing but its end, if no token was asked for."""
        if not self._silent:
            return progress
        end: FinishReason | None = None if progress.finish_reason is None else "length"
        return Progress(choice=progress.choice, text="", records=(), finish_reason=end)

    def _ended(self, index: int, text: str) -> Json:
        choice = self.choices[index]
        prompt = len(self._asked.prompts[index])
        predicted = len(choice.records)
        body: Json = {
            "index": index,
            "content": text,
            "tokens": [record.token_id for record in choice.records] if self._request.return_tokens else [],
            "id_slot": -1,
            "stop": True,
            "stop_type": self._stop_type(choice),
            "stopping_word": choice.stop_text or "",
            "model": self._model,
            "tokens_predicted": predicted,
            "tokens_evaluated": prompt,
            "tokens_cached": prompt + predicted,
            "truncated": False,
            "has_new_line": "\n" in choice.text,
            "generation_settings": {**sampling_json(self._asked), "n_predict": self._asked.max_new_tokens},
            "timings": self._timings(prompt, predicted),
            **self._probabilities(choice),
        }
        if self._prompts:
            body["prompt"] = self._prompts[index]
        if choice.incomplete:
            body["incomplete_bytes"] = list(choice.incomplete)
        return self._chosen(self._with_metrics(body))

    def _stop_type(self, choice: Choice) -> str:
        if choice.stop_text is not None:
            return "word"
        return "limit" if choice.finish_reason == "length" else "eos"

    def _timings(self, prompt: int, predicted: int) -> Json:
        """Times in milliseconds; that of the prompt includes waiting, and the first token."""
        now = time.monotonic()
        first = self._first_token or now
        found: Json = {}
        for name, count, seconds in (
            ("prompt", prompt, first - self._started),
            ("predicted", predicted, now - first),
        ):
            seconds = max(seconds, _STEP_SECONDS)
            found |= {
                f"{name}_n": count,
                f"{name}_ms": round(1000 * seconds, 3),
                f"{name}_per_token_ms": round(1000 * seconds / max(1, count), 3),
                f"{name}_per_second": round(count / seconds, 3),
            }
        return found

    def _probabilities(self, choice: Choice) -> Json:
        """The target's log-probabilities of the tokens that were not sent yet, if they are asked for."""
        if not self._request.n_probs:
            return {}
        records = [choice.records[place] for place in choice.untold()]
        return {
            "completion_probabilities": [
                {
                    **self._entry(record.token_id, record.target_log_prob),
                    "top_logprobs": [self._entry(token, value) for token, value in record.top_logprobs or ()],
                }
                for record in records
            ]
        }

    def _entry(self, token_id: int, log_prob: float | None) -> Json:
        spelling = self._tokens.bytes_of(token_id)
        text = spelling.decode(errors="replace")
        return {"id": token_id, "token": text, "bytes": list(spelling), "logprob": finite_if_known(log_prob)}

    def _chosen(self, body: Json) -> Json:
        """The fields that the request names; ``timings/prompt_n`` is the field ``prompt_n`` of ``timings``."""
        if self._request.response_fields is None:
            return body
        found: Json = {}
        for path in self._request.response_fields:
            value: Any = body
            for name in path.split("/"):
                value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
            if value is not _MISSING:
                found[path] = value
        return found


_MISSING = object()


def sampling_json(asked: DecodingRequest) -> Json:
    """The sampling settings of a request under llama.cpp's names."""
    sampling = asked.settings.sampling
    return {
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop),
        "ignore_eos": asked.ignore_eos,
        "n_probs": sampling.top_logprobs or 0,
        "samplers": ["temperature", "min_p", "top_k", "top_p"],
    }
