"""One completion of a target in this process, steered over text, token by token of the target.

Law of one position, with T the target and d(x) what the bytes of the token x add to the adapter's change of the text:
``softmax(log T(x) + strength * d(x))`` after temperature and cuts. Tokens that the target finds much less likely than
its best one are not read by the security model, and have d = 0; see `LEAST_SHARE` and `MOST_CANDIDATES`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cosec.decoding.blackbox.gated_text import TextGrowth, TextRequest
from cosec.decoding.blackbox.growing_text import GrowingText
from cosec.decoding.blackbox.reading import ContextFull, SecurityReader
from cosec.decoding.blackbox.steering.adapter_change import AdapterChange
from cosec.decoding.blackbox.targets.local_target import LocalTarget
from cosec.decoding.blackbox.targets.text_target import InReaderThread
from cosec.decoding.completion import FinishReason
from cosec.decoding.rules.schema import SteerSettings
from cosec.decoding.sampling import Warping
from cosec.decoding.sampling.randomness import Role, sequence_key, uniforms
from cosec.decoding.trace import TokenOrigin, TokenRecord

LEAST_SHARE = 0.01
"""Tokens with at least this share of the target's highest probability are steered."""

MOST_CANDIDATES = 16
"""Most tokens of a position that are steered: the most likely ones."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What one position added."""

    text: str
    changed: bool
    """Whether the token differs from the target's most likely one."""
    ends: bool


class SteeredText:
    """Writes one completion.

    Args:
        target: The target.
        reader: The security model.
        request: What is asked for; its rule is `steer`.
        in_reader_thread: Runs a function in the thread that owns both models.
    """

    requests = 1
    """The target is in this process and is never asked again."""

    def __init__(
        self, target: LocalTarget, reader: SecurityReader, request: TextRequest, in_reader_thread: InReaderThread
    ) -> None:
        assert isinstance(request.settings.rule, SteerSettings), "text is steered by the rule steer"
        self._target, self._reader, self._request = target, reader, request
        self._strength = request.settings.rule.strength
        self._in_reader_thread = in_reader_thread
        self._warped = Warping.of(request.settings.sampling)
        self._text = GrowingText(request.settings.sampling.stop, request.watcher)
        self._written = 0
        """Number of the target's tokens."""
        self._changed: list[tuple[int, bool]] = []
        """For each piece of text its size in bytes, and whether steering changed a token of it."""
        self._unfinished = False
        """Whether steering changed a token of a character that is not complete."""
        self._bytes = 0
        """Bytes of the tokens whose records were handed out."""
        self._recorded = 0
        """Number of the security model's tokens whose records were handed out."""

    async def write(self) -> AsyncGenerator[TextGrowth, None]:
        """Write the completion.

        Yields:
            What was added; the last one has a finish reason.

        Raises:
            ContextFull: If the text is longer than the security model's context, and its length was asked for.
            PromptError: If the prompt is longer than the target's context.
        """
        await self._in_reader_thread(self._open)
        finish: FinishReason | None = None
        while finish is None:
            if self._written >= min(self._request.max_new_tokens, self._room):
                finish = "length"
            else:
                finish = await self._next()
            yield TextGrowth(
                text=self._text.release(final=finish is not None),
                records=tuple(self._records(final=finish is not None)),
                finish_reason=finish,
                stop_text=self._text.stop_text,
            )

    async def _next(self) -> FinishReason | None:
        """Add a token of the target; where nobody limited the text, it ends with the security model's context."""
        try:
            step = await self._in_reader_thread(self._step)
        except ContextFull:
            if self._request.prompt.open_ended and self._written:
                return "length"
            raise
        assert isinstance(step, _Step)
        self._add(step)
        return "stop" if step.ends or self._text.ended else None

    def _open(self) -> None:
        """Let both models read the prompt."""
        prompt_ids = self._target.prompt_ids(self._request.prompt)
        self._rows = self._target.read_prompt(prompt_ids)
        self._pending = prompt_ids[-1]
        self._room = self._target.pair.context_length - len(prompt_ids)
        self._key = sequence_key(self._request.settings.sampling.seed, prompt_ids, self._request.sample)
        self._change = AdapterChange(self._reader, self._request.prompt_ids)

    @torch.inference_mode()
    def _step(self) -> _Step:
        """Draw one token of the target."""
        log_probs = self._rows.advance(torch.tensor([[self._pending]]))[:, -1].log_softmax(dim=-1)
        law = self._warped(log_probs + self._strength * self._shifts(log_probs))
        self._pending = int(law.sample(uniforms([self._key], [self._written], Role.FALLBACK)))
        self._written += 1
        changed = self._pending != int(log_probs.argmax())
        if self._pending in self._target.pair.stop_token_ids:
            return _Step("", changed, ends=True)
        return _Step(self._change.add(self._target.tokens.bytes.of(self._pending)), changed, ends=False)

    def _add(self, step: _Step) -> None:
        self._text.add(step.text)
        changed = step.changed or self._unfinished
        self._unfinished = changed and not step.text
        if step.text:
            self._changed.append((len(step.text.encode()), changed))

    def _shifts(self, log_probs: Float[Tensor, "one vocab"]) -> Float[Tensor, "one vocab"]:
        """What each token adds to the adapter's change of the text; 0 for tokens that are not steered."""
        shifts = torch.zeros_like(log_probs)
        if self._strength == 0:
            return shifts
        best = log_probs[0].topk(min(MOST_CANDIDATES, log_probs.shape[-1]))
        likely = best.indices[best.values >= best.values[0] + math.log(LEAST_SHARE)].tolist()
        stops = self._target.pair.stop_token_ids
        change = self._change.of([None if token in stops else self._target.tokens.bytes.of(token) for token in likely])
        shifts[0, likely] = torch.tensor(change, device=shifts.device)
        return shifts

    def _records(self, *, final: bool) -> list[TokenRecord]:
        """Records of the security model's tokens that cannot change any more, in the completion's order."""
        tokens, found = self._change.tokens, list[TokenRecord]()
        for place in range(self._recorded, len(tokens) if final else self._change.settled):
            size = len(self._reader.tokens.bytes.spelling(tokens[place]))
            found.append(
                TokenRecord(
                    position=place,
                    token_id=tokens[place],
                    origin=TokenOrigin.TARGET,
                    changed=self._is_changed(self._bytes, self._bytes + size),
                    target_log_prob=None,
                )
            )
            self._bytes += size
            self._recorded += 1
        return found

    def _is_changed(self, begin: int, end: int) -> bool:
        """Whether steering changed a token of the target that has some of these bytes."""
        start = 0
        for size, changed in self._changed:
            if changed and start < end and start + size > begin:
                return True
            start += size
        return False
