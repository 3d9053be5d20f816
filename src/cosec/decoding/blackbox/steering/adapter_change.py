"""How much an adapter changes the probability of a text, as the text grows.

Both the security model and its base read the text in their own tokens, as `TextTokens` divides it. The last token is
open: what follows may belong to it. It counts with all tokens that begin with its bytes. With tokens z1 … zn, the
probability of a text under a model M is ``M(z1) · … · M(zn-1 | …) · sum of M(t | z1 … zn-1)`` over the tokens t that
begin with the bytes of zn. A text that ends has all its tokens as they are, and then any stop token.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cosec.decoding.blackbox.reading import ContextFull, SecurityReader
from cosec.decoding.blackbox.text_tokens import segments

_Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Continued:
    """A text after the tokens that are settled, in the security model's tokens."""

    tokens: _Tokens
    last: bytes
    """Bytes of the last token; empty if there is none."""
    ends: bool

    @property
    def before_last(self) -> _Tokens:
        """The tokens after which a probability is needed, the longest such list."""
        return self.tokens if self.ends else self.tokens[:-1]


class AdapterChange:
    """The change of one completion.

    Args:
        reader: The security model with its base.
        prompt_ids: The prompt in the security model's tokens, at least one.

    Raises:
        ContextFull: If the prompt is longer than the security model's context.
    """

    def __init__(self, reader: SecurityReader, prompt_ids: Sequence[int]) -> None:
        self._reader = reader
        self._rows = reader.read_prompt(prompt_ids)
        self._room = reader.pair.context_length - len(prompt_ids)
        self._unfed = prompt_ids[-1]
        self._fed = len(prompt_ids) - 1
        self._open = ""
        """The last segment of the text, whose tokens may still change."""
        self._incomplete = b""
        """The beginning of a character that the text ends inside of."""
        self._settled: list[int] = []
        """Tokens of the segments before it."""
        self._scores: dict[_Tokens, Float[Tensor, "two vocab"]] = {}
        """Log-probabilities of both models after the settled tokens and these."""

    def of(self, continuations: Sequence[bytes | None]) -> list[float]:
        """The change that each continuation adds to the text so far.

        Args:
            continuations: Bytes that may follow; None stands for the end of the text.

        Returns:
            For each, the difference of ``log security - log base`` between the text with it and without it.

        Raises:
            ContextFull: If a text is longer than the security model's context.
        """
        now = self._continued(b"")
        then = [self._continued(one) for one in continuations]
        self._score([now, *then])
        start = self._change(now)
        return [self._change(one) - start for one in then]

    def add(self, written: bytes) -> str:
        """Continue the text.

        Returns:
            The characters that are complete now.
        """
        text, self._incomplete = self._decoded(written)
        *closed, self._open = segments(self._open + text) or [""]
        tokens = [token for segment in closed for token, _ in self._reader.tokens.encode(segment)]
        if tokens:
            self._settled += tokens
            self._rows.feed([self._unfed, *tokens[:-1]], later=True)
            self._fed += len(tokens)
            self._unfed = tokens[-1]
            size = len(tokens)
            kept = [(known[size:], scores) for known, scores in self._scores.items() if list(known[:size]) == tokens]
            self._scores = dict(kept)
        return text

    @property
    def tokens(self) -> list[int]:
        """The text in the security model's tokens; those of its last segment may still change."""
        return [*self._settled, *(token for token, _ in self._encoded(self._open))]

    @property
    def settled(self) -> int:
        """Number of the tokens that cannot change any more."""
        return len(self._settled)

    def _decoded(self, written: bytes) -> tuple[str, bytes]:
        """The complete characters after what is incomplete, and what is incomplete then."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(self._incomplete + written)
        return text, decoder.getstate()[0]

    def _encoded(self, text: str) -> list[tuple[int, bytes]]:
        return [token for segment in segments(text) for token in self._reader.tokens.encode(segment)]

    def _continued(self, written: bytes | None) -> _Continued:
        encoded = self._encoded(self._open + self._decoded(written or b"")[0])
        tokens = tuple(token for token, _ in encoded)
        if len(self._settled) + len(tokens) > self._room:
            raise ContextFull("The text is longer than the security model's context; ask for fewer tokens.")
        return _Continued(tokens, encoded[-1][1] if encoded else b"", written is None)

    @torch.inference_mode()
    def _score(self, texts: Sequence[_Continued]) -> None:
        """Run both models after every list of tokens that is not scored yet, in one pass."""
        needed = dict.fromkeys(one.before_last for one in texts if one.tokens or one.ends)
        known, paths = set(self._scores), list[_Tokens]()
        for one in sorted(needed, key=len, reverse=True):
            missing = any(one[:size] not in known for size in range(len(one) + 1))
            if missing:
                paths.append(one)
                known.update(one[:size] for size in range(len(one) + 1))
        if not paths:
            return
        longest = max(map(len, paths))
        fed = torch.tensor([[self._unfed, *path, *[self._unfed] * (longest - len(path))] for path in paths])
        rows, both = self._rows, fed.repeat(2, 1)
        if len(paths) > 1:
            rows = rows.fork(self._fed)
            rows.select([0] * len(paths) + [1] * len(paths))
        scores = rows.advance(both).log_softmax(dim=-1)
        if len(paths) == 1:
            rows.rollback([longest + 1] * 2)
        for row, path in enumerate(paths):
            for size in range(len(path) + 1):
                self._scores[path[:size]] = scores[[row, len(paths) + row], size]

    def _change(self, text: _Continued) -> float:
        """``log security - log base`` of a text after the settled tokens."""
        total = 0.0
        for place, token in enumerate(text.before_last):
            security, base = self._scores[text.before_last[:place]][:, token].tolist()
            total += security - base
        if text.ends:
            last = torch.tensor(sorted(self._reader.pair.stop_token_ids))
        elif text.tokens:
            last = self._reader.beginnings.of(text.last, text.tokens[-1])
        else:
            return total
        security, base = self._scores[text.before_last][:, last].logsumexp(dim=-1).tolist()
        return total + float(security - base)
