"""The security model and its base on one completion: how far they agree, and what is written where they do not.

Both read the prompt and the checked text in the security model's tokens, as two rows of one batch, in one pass. The
rule says where a token of the security model replaces the target's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cosec.decoding.blackbox.common_tokens import program_tokens
from cosec.decoding.blackbox.interventions import Accepts, GateDecisions, Interventions, ThresholdProposals
from cosec.decoding.blackbox.steering.beginnings import Beginnings
from cosec.decoding.blackbox.targets.text_target import TokenScore
from cosec.decoding.blackbox.text_tokens import TextTokens, segments
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.prompt_cache import PromptCache, ReusePolicy, WholePrompts, most_cached_prompts
from cosec.decoding.rules.gate import divergence_of
from cosec.decoding.rules.schema import Divergence, GateSettings, ThresholdSettings
from cosec.decoding.sampling import Warping
from cosec.decoding.sampling.randomness import sequence_key
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenOrigin, TokenRecord
from cosec.errors import ModelError, PromptError
from cosec.runtime import TokenModel

_BLOCK = 64
"""Tokens that are scored in one pass, rounded up to a whole segment; bounds the memory of the scores."""

_KEPT_BYTES = 2**28
"""Memory of the keys and values of prompts that are kept."""


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
        self._latest: tuple[tuple[int, ...], TokenModel] | None = None
        """The prompt that was read last, of any length, for its samples."""
        self.keep_prompts(WholePrompts())

    def keep_prompts(self, policy: ReusePolicy, most_tokens: int | None = None) -> None:
        """Choose which prompts are kept, so that they are not read again; those kept so far are forgotten.

        Args:
            policy: What a prompt that was read is used again for.
            most_tokens: Number of tokens over all prompts, 0 for none; None for what fits into 256 MiB.
        """
        if most_tokens is None:
            most_tokens = _KEPT_BYTES // (self.pair.cache_bytes_per_token or _KEPT_BYTES)
        self._prompts: PromptCache[TokenModel] = PromptCache(most_tokens, policy, most_cached_prompts(self.pair))

    def open(self, prompt_ids: Sequence[int], sample: int, settings: DecodingSettings) -> Reading:
        """Read a prompt; prompts that are kept are not read again.

        Args:
            prompt_ids: The prompt in the security model's tokens, at least one.
            sample: Index of the sample, for random numbers.
            settings: The rule, temperature, cuts and the seed.

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
        if self._latest is None or self._latest[0] != prompt:
            rows, known = self._prompts.take("both", prompt[:-1]) or (self._model.prefill([(), ()]), 0)
            rows.feed(prompt[known:-1])
            self._prompts.keep("both", prompt[:-1], rows)
            self._latest = prompt, rows
        return self._latest[1].fork(len(prompt) - 1)

    @cached_property
    def program(self) -> list[str]:
        """How the security model divides the program by which its tokens are compared with a server's."""
        return program_tokens(self.pair.tokenizer)

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
    """What is asked of the target before a drawn token replaces its text."""

    position: int
    """Position of the token."""

    token: int
    """The token."""

    before: str
    """The part of the proposal before it."""

    text: str
    """The token's text."""

    accepts: Accepts
    """Whether the token may stand, by the target's scores of its text."""


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

    questions: tuple[Question, ...] = ()
    """What must be known of the target before this text can be checked; nothing was checked then."""


class Reading:
    """One completion as the security model and its base read it.

    Args:
        reader: Its models.
        rows: Two rows, which were fed the prompt without its last token.
        prompt: The prompt.
        sample: Index of the sample.
        settings: The rule, temperature, cuts and the seed.
    """

    def __init__(
        self, reader: SecurityReader, rows: TokenModel, prompt: tuple[int, ...], sample: int, settings: DecodingSettings
    ) -> None:
        self._reader, self._rows, rule = reader, rows, settings.rule
        key = sequence_key(settings.sampling.seed, prompt, sample)
        tokens = reader.written_by_decisions, frozenset(reader.pair.stop_token_ids)
        self._interventions: Interventions
        if isinstance(rule, ThresholdSettings):
            self._interventions = ThresholdProposals(rule, Warping.of(settings.sampling), key, *tokens)
        else:
            assert isinstance(rule, GateSettings), "text is hardened by the gate or the paper's rule"
            self._interventions = GateDecisions(rule, Warping.of(settings.sampling), key, *tokens)
        self._divergence: Divergence = rule.divergence if isinstance(rule, GateSettings) else "kl"
        self._room = reader.pair.context_length - len(prompt)
        self._unfed = prompt[-1]
        self._known: tuple[list[int], Float[Tensor, "two fed vocab"], list[float]] | None = None
        """The tokens that were fed last, if they are not checked yet, with what was computed from them."""
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
        if self.length + len(tokens) > self._room:
            raise ContextFull("The text is longer than the security model's context; ask for fewer tokens.")
        return self._checked(tokens, taken, at_end=at_end)

    def answer(self, question: Question, scores: Sequence[TokenScore]) -> None:
        """Tell how the target scores a drawn token, before the same text is checked again."""
        self._interventions.answer(question.position, question.token, accepted=question.accepts(scores))

    @torch.inference_mode()
    def _checked(self, tokens: Sequence[tuple[int, bytes]], taken: int, *, at_end: bool) -> Checked:
        ids = [token for token, _ in tokens]
        fed = [self._unfed, *(ids if at_end else ids[:-1])]
        scores, divergences = self._scored(fed)
        content, records, questions = b"", list[TokenRecord](), list[Question]()
        for place in range(len(fed)):
            token, position = ids[place] if place < len(ids) else None, self.length + place
            log_probs = scores[0, place]
            gated = _is_text(content) and self._interventions.at(divergences[place])
            drawn = self._interventions.drawn(position, log_probs) if gated else None
            ends = drawn in self._reader.pair.stop_token_ids
            replaces = drawn is not None and drawn != token and not (ends and token is None)
            if replaces and (asked := self._asked(position, drawn, content, log_probs)) is not None:
                questions.append(asked)
                if not self._interventions.asks_at_once:
                    break
                replaces = False
            elif replaces:
                assert drawn is not None
                replaces = self._interventions.allows(position, drawn)
            if token is None and not replaces:
                break
            chosen = drawn if replaces else token
            assert chosen is not None
            seen = divergences[place], gated, replaces, float(log_probs[chosen])
            records.append(self._record(position, chosen, drawn, *seen))
            if replaces:
                if questions:
                    break
                added = b"" if ends else self._reader.tokens.bytes.spelling(chosen)
                self._keep(place + 1, len(records), chosen)
                return Checked(
                    content=content + added, taken=taken, records=tuple(records), changed=not ends, ended=ends
                )
            content += tokens[place][1]
        if questions:
            return Checked(content=b"", taken=0, records=(), questions=tuple(questions))
        self._keep(len(fed), len(records), ids[-1] if ids else self._unfed)
        return Checked(content=content, taken=taken, records=tuple(records), ended=at_end)

    def _scored(self, fed: list[int]) -> tuple[Float[Tensor, "two fed vocab"], list[float]]:
        """Log-probabilities of both models after each token, and their divergences.

        They are kept until the text is checked, as it is checked again after the target has answered questions.
        """
        if self._known is None or self._known[0] != fed:
            if self._known is not None:  # a text that the target has withdrawn since
                self._rows.rollback([len(self._known[0])] * 2)
                self._known = None
                self._interventions.forget()
            scores = self._rows.advance(torch.tensor([fed, fed]))
            divergences = _normalised(scores, self._divergence)
            self._known = fed, scores, divergences
            if not all(map(isfinite, divergences)):
                raise ModelError("The security model's scores are not finite; load it in float32 with --dtype.")
        return self._known[1:]

    def _keep(self, fed: int, written: int, unfed: int) -> None:
        """Keep so many of the tokens that were fed last, and what was written."""
        assert self._known is not None, "tokens were fed"
        if fed < len(self._known[0]):
            self._rows.rollback([len(self._known[0]) - fed] * 2)
        self._known, self._unfed = None, unfed
        self.length += written
        self._interventions.forget()

    def _asked(
        self, position: int, token: int | None, before: bytes, log_probs: Float[Tensor, "vocab"]
    ) -> Question | None:
        """What must be asked before a drawn token replaces the target's text."""
        assert token is not None, "a token was drawn"
        if not self._interventions.allows(position, token):
            return None
        text = self._reader.tokens.bytes.spelling(token).decode(errors="replace")
        accepts = self._interventions.question(position, token, text, log_probs)
        if accepts is None:
            return None
        return Question(position=position, token=token, before=before.decode(), text=text, accepts=accepts)

    def _record(
        self,
        position: int,
        token: int,
        drawn: int | None,
        divergence: float,
        gated: bool,
        changed: bool,
        log_prob: float,
    ) -> TokenRecord:
        return TokenRecord(
            position=position,
            token_id=token,
            origin=TokenOrigin.SECURITY if drawn == token else TokenOrigin.TARGET,
            changed=changed,
            target_log_prob=None,
            security_log_prob=log_prob,
            proposed_id=drawn,
            divergence=divergence,
            gated=gated if self._interventions.decides else None,
        )


def _normalised(scores: Float[Tensor, "two fed vocab"], kind: Divergence) -> list[float]:
    """Turn logits into log-probabilities in place, and measure the divergences of the two models.

    A processor goes through one position after the other, whose scores stay in its cache.
    """
    found: list[float] = []
    at_once = 1 if scores.device.type == "cpu" else scores.shape[1]
    for part in torch.split(scores, at_once, dim=1):
        for one in part:
            torch.log_softmax(one, dim=-1, out=one)
        found += divergence_of(part[0], part[1], kind).tolist()
    return found


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
