"""Measure what hardening costs in time (Table X of the paper): target alone and hardened, in turn, in one process.

Every number is a median over rounds in which both arms decode the same prompt once, after a round that warms up. Stop
tokens are ignored, so both arms always decode the same number of tokens.
"""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import torch

from cosec.decoding.batch import batch_setup
from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.draft_length import DraftLength, draft_length_for
from cosec.decoding.engine.lanes import Lanes, PairedLanes, ProposalLane
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.schema import AnyRule, ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.decoding.trace import TokenOrigin

WARM_UP_TOKENS = 4
"""Tokens of each sequence that are decoded before time is taken."""

_SETTLING_TOKENS = 18
"""Tokens after which ``auto`` has tried its draft lengths, if nearly all proposals are accepted."""
_VERIFICATION_LENGTHS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedResult:
    """One row of the table."""

    batch: int
    """Sequences decoded at once."""

    mode: str
    """``shared``: both models in one forward pass. ``two-models``: a pass for each. ``security-alone``: no pass of the
    target, which changes no token.
    """

    target_seconds_per_20: float
    """Seconds for 20 tokens of every sequence with the target alone."""

    hardened_seconds_per_20: float
    """Seconds for 20 tokens of every sequence, hardened."""

    ratio: float
    """Median over rounds of the time hardened, divided by the time of the target alone."""

    alpha: float
    """Accepted proposals, divided by judged proposals."""

    c: float
    """Time of one drafting step in steps of the target. With shared weights, what the second row adds."""

    v: dict[str, float]
    """Time in which the target scores k tokens, in steps of the target, by k."""

    draft_length: int
    """Tokens drafted per verification: the setting, or the last choice of ``auto``."""

    auto: bool
    """Whether ``auto`` chose the draft length."""

    prefill_seconds: float
    """Seconds to prefill the prompt, hardened."""

    target_prefill_seconds: float
    """Seconds to prefill the prompt with the target alone."""

    peak_mib: float
    """Peak memory during the hardened arm, in MiB: resident memory of the process, or memory allocated on the GPU."""


@dataclass(frozen=True, slots=True)
class _Timing:
    prefill_seconds: float
    seconds_per_20: float
    accepted: int
    judged: int


class _Remembered:
    """A draft-length chooser that remembers its last choice and the times of drafting steps."""

    def __init__(self, inner: DraftLength) -> None:
        self._inner = inner
        self.last = 1
        self.draft_steps: list[float] = []

    def next(self) -> int:
        self.last = self._inner.next()
        return self.last

    def observe(
        self, k: int, *, rows: int, accepted: int, judged: int, draft_seconds: float, target_seconds: float
    ) -> None:
        self.draft_steps.append(draft_seconds / k)
        self._inner.observe(
            k,
            rows=rows,
            accepted=accepted,
            judged=judged,
            draft_seconds=draft_seconds,
            target_seconds=target_seconds,
        )


def measure_speed(
    pair: PreparedPair,
    prompt: str,
    *,
    batch: int,
    draft_length: int | Literal["auto"] = "auto",
    rounds: int = 5,
    tokens: int = 40,
    settings: SamplingSettings | None = None,
    rule: AnyRule | None = None,
    target_records: bool = False,
) -> SpeedResult:
    """Time both arms on one prompt, ``batch`` samples of it at once.

    Args:
        pair: Target and security model.
        prompt: The text to continue.
        batch: Sequences decoded at once.
        draft_length: Tokens drafted per verification.
        rounds: Timed rounds. One more round warms up.
        tokens: Tokens of each sequence that are timed in each round, after four that are not.
        settings: Temperature and top-p. Other sampling settings have no effect.
        rule: Acceptance rule.
        target_records: Whether the hardened arm records what the target gives each token, unlike ``cosec serve``.
    """
    sampling = (settings or SamplingSettings()).model_copy(
        update={"max_new_tokens": tokens + WARM_UP_TOKENS + 64, "draft_length": draft_length}
    )
    decoding = DecodingSettings(rule=rule or ThresholdSettings(), sampling=sampling)
    ids = tuple(pair.tokenizer(prompt).input_ids)
    target, hardened = pair.target_lane(), batch_setup(pair, decoding, target_records=target_records).lanes
    chooser = _Remembered(draft_length_for(draft_length, hardened.longest_draft))
    target_runs, hardened_runs = [], []
    for round_index in range(rounds + 1):
        seeded = decoding.model_copy(update={"sampling": sampling.model_copy(update={"seed": round_index})})
        target_runs.append(_timed(target, seeded.for_one_model(), ids, batch, tokens))
        if round_index == rounds:
            _reset_peak()
        hardened_runs.append(_timed(hardened, seeded, ids, batch, tokens, chooser))
    peak = _peak_mib()
    verification = _verification_seconds(pair, ids, batch)
    runs = target_runs, hardened_runs = target_runs[1:], hardened_runs[1:]
    target_seconds, hardened_seconds = (median(one.seconds_per_20 for one in arm) for arm in runs)
    second_row = (hardened_seconds - target_seconds) / 20
    draft_step = second_row if isinstance(hardened, PairedLanes) else median(chooser.draft_steps)
    return SpeedResult(
        batch=batch,
        mode=_mode(hardened),
        target_seconds_per_20=target_seconds,
        hardened_seconds_per_20=hardened_seconds,
        ratio=median(h.seconds_per_20 / t.seconds_per_20 for h, t in zip(hardened_runs, target_runs, strict=True)),
        alpha=sum(run.accepted for run in hardened_runs) / sum(run.judged for run in hardened_runs),
        c=20 * draft_step / target_seconds,
        v={str(k): seconds / verification[1] for k, seconds in verification.items()},
        draft_length=chooser.last,
        auto=draft_length == "auto",
        prefill_seconds=median(run.prefill_seconds for run in hardened_runs),
        target_prefill_seconds=median(run.prefill_seconds for run in target_runs),
        peak_mib=peak,
    )


def draft_lengths(
    pair: PreparedPair, rule: AnyRule, *, target_records: bool = False
) -> tuple[int | Literal["auto"], ...]:
    """The draft lengths worth measuring: 1, and ``auto`` where a longer draft is possible."""
    lanes = batch_setup(pair, DecodingSettings(rule=rule), target_records=target_records).lanes
    return (1,) if lanes.longest_draft == 1 else (1, "auto")


def _mode(lanes: Lanes) -> str:
    if isinstance(lanes, ProposalLane):
        return "security-alone"
    return "shared" if isinstance(lanes, PairedLanes) else "two-models"


def seconds_per_token(
    pair: PreparedPair, prompt: str, *, batch: int, tokens: int, rule: AnyRule | None = None
) -> float:
    """Time one prompt, ``batch`` samples of it at once, once ``auto`` has chosen a draft length.

    Args:
        pair: Target and security model, or a target alone.
        prompt: The text to continue.
        batch: Sequences decoded at once.
        tokens: Tokens of each sequence that are timed.
        rule: Acceptance rule; without a security model it has no effect.

    Returns:
        Seconds in which every sequence gets one token.
    """
    if not pair.has_security:
        return target_seconds_per_token(pair, prompt, batch=batch, tokens=tokens)
    rule = rule or ThresholdSettings()
    sampling = SamplingSettings(max_new_tokens=tokens + _SETTLING_TOKENS + 64, draft_length="auto")
    decoding = DecodingSettings(rule=rule, sampling=sampling)
    lanes = batch_setup(pair, decoding, target_records=False).lanes
    warm_up = WARM_UP_TOKENS if lanes.longest_draft == 1 else _SETTLING_TOKENS
    chooser = draft_length_for("auto", lanes.longest_draft)
    ids = tuple(pair.tokenizer(prompt).input_ids)
    return _timed(lanes, decoding, ids, batch, tokens, chooser, warm_up).seconds_per_20 / 20


def target_seconds_per_token(
    pair: PreparedPair, prompt: str, *, batch: int, tokens: int, temperature: float = 0.4
) -> float:
    """Time the target of a pair alone on one prompt, ``batch`` samples of it at once.

    Args:
        pair: The models, of which only the target runs.
        prompt: The text to continue.
        batch: Sequences decoded at once.
        tokens: Tokens of each sequence that are timed, after ``WARM_UP_TOKENS`` that are not.
        temperature: Of the sampling.

    Returns:
        Seconds in which every sequence gets one token.
    """
    sampling = SamplingSettings(max_new_tokens=tokens + WARM_UP_TOKENS + 64, temperature=temperature)
    decoding = DecodingSettings(sampling=sampling).for_one_model()
    ids = tuple(pair.tokenizer(prompt).input_ids)
    return _timed(pair.target_lane(), decoding, ids, batch, tokens).seconds_per_20 / 20


def _timed(
    lanes: Lanes,
    settings: DecodingSettings,
    prompt_ids: tuple[int, ...],
    batch: int,
    tokens: int,
    chooser: DraftLength | None = None,
    warm_up: int = WARM_UP_TOKENS,
) -> _Timing:
    """Decode ``tokens`` tokens of each row after ``warm_up`` tokens."""
    limit = settings.sampling.max_new_tokens
    requests = [SequenceRequest(prompt_ids=prompt_ids, sample_index=i, max_new_tokens=limit) for i in range(batch)]
    started = _now()
    run = Run(lanes, rule_for(settings), settings, requests, chooser)
    prefilled = _now()
    warm = 0
    while warm < warm_up * batch:
        warm += sum(len(emission.records) for emission in run.step())
    emitted = accepted = judged = 0
    begun = _now()
    while emitted < tokens * batch:
        for emission in run.step():
            emitted += len(emission.records)
            accepted += sum(record.origin is TokenOrigin.SECURITY for record in emission.records)
            judged += sum(record.proposed_id is not None for record in emission.records)
    return _Timing(prefilled - started, (_now() - begun) * 20 * batch / emitted, accepted, judged)


def _verification_seconds(pair: PreparedPair, prompt_ids: tuple[int, ...], batch: int) -> dict[int, float]:
    """Time in which the target scores k tokens in one pass, by k; medians of five passes each, in turn."""
    lane = pair.target_model().prefill([prompt_ids])
    lane.select([0] * batch)
    seconds: dict[int, list[float]] = {k: [] for k in _VERIFICATION_LENGTHS}
    for _ in range(6):
        for k, measured in seconds.items():
            tokens = torch.tensor([list(prompt_ids[:1]) * k] * batch)
            started = _now()
            lane.advance(tokens)
            measured.append(_now() - started)
            lane.rollback([k] * batch)
    return {k: median(measured[1:]) for k, measured in seconds.items()}


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _reset_peak() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # the peak then covers the whole life of the process


def _peak_mib() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def table(results: Sequence[SpeedResult]) -> list[list[str]]:
    """The rows of Table X as text, after a row of headings."""
    heading = [
        "batch",
        "mode",
        "k",
        "target s/20",
        "hardened s/20",
        "ratio",
        "alpha",
        "c",
        "v(4)",
        "prefill s",
        "peak MiB",
    ]
    rows = [
        [
            str(r.batch),
            r.mode,
            f"auto: {r.draft_length}" if r.auto else str(r.draft_length),
            f"{r.target_seconds_per_20:.3f}",
            f"{r.hardened_seconds_per_20:.3f}",
            f"{r.ratio:.2f}",
            f"{r.alpha:.3f}",
            f"{r.c:.2f}",
            f"{r.v['4']:.2f}",
            f"{r.prefill_seconds:.3f}",
            f"{r.peak_mib:.0f}",
        ]
        for r in results
    ]
    return [heading, *rows]
