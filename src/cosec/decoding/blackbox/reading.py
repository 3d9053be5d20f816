"""The security model and its base on one completion: how far they agree, and what is written where they do not.

Both read the prompt and the checked text in the security model's tokens, as two rows of one batch, in one pass. The
first position with a divergence above the gate's threshold is a decision: its token is drawn from the security model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cosec.decoding.blackbox.steering.beginnings import Beginnings
from cosec.decoding.blackbox.text_tokens import TextTokens, segments
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.gate import divergence_of
from cosec.decoding.rules.schema import GateSettings
from cosec.decoding.sampling import Warping
from cosec.decoding.sampling.randomness import Role, sequence_key, uniforms
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenOrigin, TokenRecord
from cosec.errors import ModelError, PromptError
from cosec.runtime import TokenModel

MOST_DRAWS = 4
"""Most tokens that are drawn for a decision; if the target finds none of them plausible, its own text stands."""

_BLOCK = 32
"""Tokens that are scored in one pass, rounded up to a whole segment; bounds the memory of the scores."""


class ContextFull(PromptError):  # noqa: N818 - it says what happened
    """The prompt and the text are longer than the security model's context."""


class SecurityReader:
    """Opens completions for reading. Not thread-safe: one thread uses a reader and everything that it opens.

    Args:
        pair: The security model's own base as target, and the security adapter.

    Raises:
        SettingsError: If the security model is no adapter, so that it has no base to be compared with.
    """

    def __init__(self, pair: PreparedPair) -> None:
        pair.check_contrast("base")
        self.pair = pair
        """The base and the adapter."""
        self.tokens = TextTokens(pair.tokenizer)
        """Encodes text in the security model's tokens."""
        self.written_by_decisions = _whole_tokens(pair, self.tokens)
        """Which tokens a decision may write: those of whole characters, and stop tokens."""
        self._model = pair.security_and_base()
        self._prompt: tuple[tuple[int, ...], TokenModel] | None = None

    def open(self, prompt_ids: Sequence[int], sample: int, settings: DecodingSettings) -> Reading:
        """Read a prompt; samples of the prompt that was read last share the work.

        Args:
            prompt_ids: The prompt in the security model's tokens, at least one.
            sample: Index of the sample, for random numbers.
            settings: The gate, temperature, cuts and the seed.

        Raises:
            ContextFull: If the prompt is longer than the security model's context.
        """
        return Reading(self, self.read_prompt(prompt_ids), tuple(prompt_ids), sample, settings)

    def read_prompt(self, prompt_ids: Sequence[int]) -> TokenModel:
        """The security model and its base, each in a row that was fed the prompt without its last token.

        Args:
            prompt_ids: The prompt in the security model's tokens, at least one.

        Raises:
            ContextFull: If the prompt is longer than the security model's context.
        """
        prompt = tuple(prompt_ids)
        if len(prompt) >= self.pair.context_length:
            raise ContextFull(
                f"The prompt has {len(prompt)} tokens, but the security model's context holds "
                f"{self.pair.context_length}: shorten it."
            )
        if self._prompt is None or self._prompt[0] != prompt:
            self._prompt = prompt, self._model.prefill([prompt[:-1], prompt[:-1]])
        return self._prompt[1].fork(len(prompt) - 1)

    @cached_property
    def beginnings(self) -> Beginnings:
        """The tokens that begin with given bytes; those that stand for no text are left out."""
        added = self.pair.tokenizer.added_tokens_decoder
        spelling = self.tokens.bytes.spelling
        return Beginnings([b"" if token in added else spelling(token) for token in range(self.pair.vocabulary_size)])

    def unchecked(self, text: str, position: int) -> list[TokenRecord]:
        """Records of text that nothing checked, from this position on."""
        tokens = [token for part in segments(text) for token, _ in self.tokens.encode(part)]
        return [
            TokenRecord(
                position=position + place,
                token_id=token,
                origin=TokenOrigin.TARGET,
                changed=False,
                target_log_prob=None,
            )
            for place, token in enumerate(tokens)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether the target finds a drawn token plausible."""

    position: int
    """Position of the decision."""

    token: int
    """The token."""

    before: str
    """The part of the proposal before it."""

    text: str
    """The token's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The verdict on proposed text."""

    content: bytes
    """What is added to the completion: the proposal up to a decision that changes it, and that decision."""

    taken: int
    """Characters of the proposal that were checked; without meaning if ``changed``."""

    records: tuple[TokenRecord, ...]
    """One record for each token of ``content``, and one for a stop token."""

    changed: bool = False
    """Whether a decision replaces the rest of the proposal, so that the target must be asked again."""

    ended: bool = False
    """Whether the completion ends here."""

    question: Question | None = None
    """What must be known of the target before this text can be checked; nothing was checked then."""


class Reading:
    """One completion as the security model and its base read it.

    Args:
        reader: Its models.
        rows: Two rows, which were fed the prompt without its last token.
        prompt: The prompt.
        sample: Index of the sample.
        settings: The gate, temperature, cuts and the seed.
    """

    def __init__(
        self, reader: SecurityReader, rows: TokenModel, prompt: tuple[int, ...], sample: int, settings: DecodingSettings
    ) -> None:
        assert isinstance(settings.rule, GateSettings), "text is hardened by the gate only"
        self._reader, self._rows, self._gate = reader, rows, settings.rule
        self._warped = Warping.of(settings.sampling)
        self._key = sequence_key(settings.sampling.seed, prompt, sample)
        self._room = reader.pair.context_length - len(prompt)
        self._unfed = prompt[-1]
        self._refused: dict[int, list[int]] = {}
        """For each position the drawn tokens that the target does not find plausible."""
        self._plausible: tuple[int, int] | None = None
        """The position and the token that the target was last found to be plausible."""
        self.length = 0
        """Number of tokens of the completion that were checked."""

    def check(self, proposed: str, *, final: bool, target_ended: bool = False) -> Checked:
        """Check text that follows what was checked before, as far as one pass goes.

        Args:
            proposed: The text. Its last segment is left for later unless it is final.
            final: Whether nothing follows the text.
            target_ended: Whether the target ended the completion after it, which is then a proposal too.

        Raises:
            ContextFull: If the text is longer than the security model's context.
            ModelError: If a model's scores are not finite.
        """
        parts = segments(proposed)
        tokens: list[tuple[int, bytes]] = []
        taken = 0
        for part in parts if final else parts[:-1]:
            if len(tokens) >= _BLOCK:
                break
            tokens += self._reader.tokens.encode(part)
            taken += len(part)
        at_end = target_ended and taken == len(proposed)
        if not tokens and not at_end:
            return Checked(content=b"", taken=0, records=())
        if self.length + len(tokens) >= self._room:
            raise ContextFull("The text is longer than the security model's context; ask for fewer tokens.")
        return self._checked(tokens, taken, at_end=at_end)

    def answer(self, question: Question, *, plausible: bool) -> None:
        """Tell whether the target finds a drawn token plausible, before the same text is checked again."""
        if plausible:
            self._plausible = question.position, question.token
        else:
            self._refused.setdefault(question.position, []).append(question.token)

    @torch.inference_mode()
    def _checked(self, tokens: Sequence[tuple[int, bytes]], taken: int, *, at_end: bool) -> Checked:
        ids = [token for token, _ in tokens]
        fed = [self._unfed, *(ids if at_end else ids[:-1])]
        scores = self._rows.advance(torch.tensor([fed, fed])).log_softmax(dim=-1)
        divergences = divergence_of(scores[0], scores[1], self._gate.divergence).tolist()
        if not all(map(isfinite, divergences)):
            raise ModelError("The security model's scores are not finite; load it in float32 with --dtype.")
        content, records, start = b"", list[TokenRecord](), self.length
        for place in range(len(fed)):
            token = ids[place] if place < len(ids) else None
            gated = divergences[place] > self._gate.strength and _is_text(content)
            decided = self._decided(scores[0, place]) if gated else None
            ends = decided in self._reader.pair.stop_token_ids
            replaced = decided is not None and decided != token and not (ends and token is None)
            if token is None and not replaced:
                break
            if replaced and not ends and self._gate.plausibility_floor and self._plausible != (self.length, decided):
                assert decided is not None
                self._rows.rollback([len(fed)] * 2)
                position, self.length = self.length, start
                text = self._reader.tokens.bytes.spelling(decided).decode()
                asked = Question(position=position, token=decided, before=content.decode(), text=text)
                return Checked(content=b"", taken=0, records=(), question=asked)
            chosen = decided if decided is not None and replaced else token
            assert chosen is not None
            log_prob = float(scores[0, place, chosen])
            records.append(self._record(chosen, decided, divergences[place], gated, replaced, log_prob))
            self.length += 1
            if replaced:
                self._rows.rollback([len(fed) - 1 - place] * 2)
                self._unfed = chosen
                added = b"" if ends else self._reader.tokens.bytes.spelling(chosen)
                return Checked(
                    content=content + added, taken=taken, records=tuple(records), changed=not ends, ended=ends
                )
            content += tokens[place][1]
        self._unfed = ids[-1] if ids else self._unfed
        return Checked(content=content, taken=taken, records=tuple(records), ended=at_end)

    def _decided(self, security_log_probs: Float[Tensor, "vocab"]) -> int | None:
        """The token that the security model writes here; None if it has none of whole characters.

        A token that the target does not find plausible is drawn again from the others, a few times.
        """
        refused = self._refused.get(self.length, [])
        if len(refused) == MOST_DRAWS:
            return None
        allowed = self._reader.written_by_decisions.to(security_log_probs.device)
        if refused:
            allowed = allowed.index_fill(0, torch.tensor(refused, device=allowed.device), False)
        limited, possible = self._warped(security_log_probs.unsqueeze(0)).limited_to(allowed.unsqueeze(0))
        if not bool(possible):
            return None
        return int(limited.sample(uniforms([self._key], [self.length + (len(refused) << 32)], Role.PROPOSAL)))

    def _record(
        self, token: int, decided: int | None, divergence: float, gated: bool, changed: bool, log_prob: float
    ) -> TokenRecord:
        return TokenRecord(
            position=self.length,
            token_id=token,
            origin=TokenOrigin.TARGET if decided is None else TokenOrigin.SECURITY,
            changed=changed,
            target_log_prob=None,
            security_log_prob=log_prob,
            proposed_id=decided,
            divergence=divergence,
            gated=gated,
        )


def _is_text(content: bytes) -> bool:
    """Whether bytes end between two characters."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _whole_tokens(pair: PreparedPair, tokens: TextTokens) -> Bool[Tensor, "vocab"]:
    added = {token for token, one in pair.tokenizer.added_tokens_decoder.items() if one.content.strip()}
    size = pair.vocabulary_size

    def is_whole(token: int) -> bool:
        if token in pair.stop_token_ids:
            return True
        spelled = tokens.bytes.spelling(token)
        return bool(spelled) and token not in added and _is_text(spelled)

    return torch.tensor([is_whole(token) for token in range(size)])
