"""Correct the rate of secure completions by what readers found: rate times the share of secure verdicts that are right.

The rate is an average over scenarios of averages over seeds, so each secure verdict has a weight in it. Readings have
the same weights in the share. Insecure verdicts are taken to be right.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cosec.evaluation.judging.verdict import Verdict
from cosec.evaluation.report.audit.draw import is_counted
from cosec.evaluation.report.audit.readings import Place, Reading
from cosec.evaluation.report.estimates import ALL, Estimate, Key, compared_arms
from cosec.evaluation.report.statistics.audited import Share, corrected_difference, corrected_interval
from cosec.evaluation.report.statistics.metrics import arm_of, engaged_security_ratio

CORRECTED = "corrected_security"
"""Name of the metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCount:
    """What was read of one arm on one benchmark."""

    secure: int
    """Verdicts that could be drawn: secure and engaged."""

    read: int
    """Those about which a reader could tell."""

    right: int
    """Those that the last reader called secure too."""

    unclear: int
    """Those about which no reader could tell."""

    disputed: int
    """Those that readers called both secure and insecure."""


def audit_counts(verdicts: Mapping[Key, Sequence[Verdict]], readings: Sequence[Reading]) -> dict[Key, AuditCount]:
    """Count what was read, by benchmark and arm; those of which nothing was read are left out.

    Args:
        verdicts: By benchmark and arm.
        readings: The earliest first; of each reader, the last one of a completion counts.
    """
    said: dict[Place, list[bool | None]] = defaultdict(list)
    for one in _last_of_each_reader(readings):
        said[one.place].append(one.secure)
    counts = {}
    for (benchmark, arm), found in verdicts.items():
        places = [Place.of(benchmark, arm, one) for one in found if is_counted(one)]
        answers = [[answer for answer in said[place] if answer is not None] for place in places if place in said]
        if answers:
            counts[benchmark, arm] = AuditCount(
                secure=len(places),
                read=sum(bool(some) for some in answers),
                right=sum(some[-1] for some in answers if some),
                unclear=sum(not some for some in answers),
                disputed=sum(len(set(some)) > 1 for some in answers),
            )
    return counts


def audit_estimates(
    verdicts: Mapping[Key, Sequence[Verdict]], readings: Sequence[Reading], against: str
) -> Iterator[Estimate]:
    """The corrected rate of every arm that was read.

    Args:
        verdicts: By benchmark and arm.
        readings: The earliest first; of each reader, the last one of a completion counts.
        against: The arm that differences are to.
    """
    answers = {one.place: one.secure for one in _last_of_each_reader(readings) if one.secure is not None}
    shares = {key: _share(key, found, answers) for key, found in verdicts.items()}
    arms = {key: arm_of(verdicts[key]) for key, share in shares.items() if share is not None}
    for (benchmark, name), arm in arms.items():
        share, other = shares[benchmark, name], shares.get((benchmark, against))
        assert share is not None
        difference = simultaneous = None
        if other is not None and name != against:
            one, its = arm.limited_to(arms[benchmark, against]), arms[benchmark, against].limited_to(arm)
            pair = one.table(engaged_security_ratio), share, its.table(engaged_security_ratio), other
            difference = corrected_difference(*pair)
            simultaneous = corrected_difference(*pair, comparisons=compared_arms(verdicts, benchmark, against))
        yield Estimate(
            benchmark=benchmark,
            arm=name,
            cwe=ALL,
            metric=CORRECTED,
            interval=corrected_interval(arm.table(engaged_security_ratio), share),
            difference=difference,
            simultaneous=simultaneous,
        )


def _last_of_each_reader(readings: Sequence[Reading]) -> list[Reading]:
    """What each reader said last about each completion, the earliest first."""
    last = {(one.place, one.reader): number for number, one in enumerate(readings)}
    return [readings[number] for number in sorted(last.values())]


def _share(key: Key, verdicts: Sequence[Verdict], answers: Mapping[Place, bool]) -> Share | None:
    """The share of secure verdicts that are right; None if none was read."""
    scored = Counter((one.scenario, one.seed) for one in verdicts if one.scored and one.engaged)
    seeds = Counter(scenario for scenario, _ in scored)
    read = {Place.of(*key, one): one for one in verdicts if is_counted(one)}
    weights = {
        place: 1 / (scored[one.scenario, one.seed] * seeds[one.scenario])
        for place, one in read.items()
        if place in answers
    }
    if not weights:
        return None
    return Share.of([(weight, answers[place]) for place, weight in weights.items()])
