"""Measure which way of running a pair is the fastest on this machine, for one, a few and many rows at once.

Each way decodes the longest of the demo prompts, hardened by the pair's own rule. ``cosec.decoding.runtime_choice``
chooses a runtime by what is kept of it. A security copy is another model, so it is measured for information only.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from types import MappingProxyType

from cosec.decoding.hardening import load_pair
from cosec.decoding.pairing import PreparedPair, carried_rule
from cosec.decoding.rules.choice import described_rule
from cosec.decoding.runtime_timings import Timings, Way, keep_timings
from cosec.decoding.settings import decoding_settings
from cosec.errors import CosecError
from cosec.evaluation.speed import seconds_per_token
from cosec.evaluation.tasks.demo_prompts import demo_prompts
from cosec.models.description import describe_model
from cosec.models.identity import file_sha256
from cosec.models.loading.embedded import BUNDLED_MODELS
from cosec.models.loading.load import converted_folder
from cosec.models.loading.quantised import GgufModel, GgufPair, load_gguf_pair, require_gguf_file
from cosec.runtime import machine_facts

TOKENS = MappingProxyType({1: 32, 4: 16, 16: 8})
"""Tokens of each row that are timed, by the number of rows."""


def measure_runtimes(target: str, security: str, report: Callable[[str], None], *, convert: bool = False) -> Timings:
    """Measure a pair in every way that this machine has ready, and keep the result in the cache.

    Args:
        target: A GGUF file or a pulled embedded model.
        security: Its security model or adapter, as for ``load_pair``.
        report: Called with a line of text before each long step, and for each way that cannot be measured.
        convert: Convert the models to float32 for torch if they are not. Otherwise torch is measured only if they are.

    Raises:
        CosecError: If llama.cpp cannot run the pair.
    """
    rule = decoding_settings(carried_rule(target, security), {}).rule
    prompt = max((one.text for one in demo_prompts()), key=len)
    times: dict[Way, dict[int, float]] = {}
    for way, load in _ways(target, security, report, convert):
        try:
            pair = load()
        except CosecError as error:
            if way == "llama.cpp":
                raise
            report(f"Not measured, {way}: {error}")
            continue
        report(f"Measuring {way} ...")
        times[way] = {
            rows: 1000 * seconds_per_token(pair, prompt, batch=rows, tokens=tokens, rule=rule)
            for rows, tokens in TOKENS.items()
        }
        del pair  # one pair is in memory at a time
    timings = Timings(
        target=target,
        security=security,
        rule=described_rule(rule) if security != "none" else "none",
        machine=machine_facts(),
        measured=datetime.date.today().isoformat(),
        milliseconds=times,
        torch_bytes=_float32_bytes(target, security) if "torch" in times else 0,
    )
    keep_timings(timings, target, security)
    return timings


def _ways(
    target: str, security: str, report: Callable[[str], None], convert: bool
) -> Iterator[tuple[Way, Callable[[], PreparedPair]]]:
    """Every way, with what loads its pair."""
    yield "llama.cpp", lambda: load_pair(target, security, runtime="llama.cpp")
    found = load_gguf_pair(target, security)
    if found.adapter is not None and found.security is None:
        yield "llama.cpp with a copy", lambda: load_pair(target, security, security_copy=True, report=report)
    missing = [one.name for one in _models(found) if not _is_converted(one.name)]
    if missing and not convert:
        report(f"Not measured, torch: {' and '.join(missing)} is not converted to float32 (--convert does it)")
        return
    yield "torch", lambda: load_pair(target, security, runtime="torch")


def _models(pair: GgufPair) -> list[GgufModel]:
    return [one for one in (pair.target, pair.security) if one is not None]


def _is_converted(name: str) -> bool:
    """Whether torch can open a GGUF model without converting it first."""
    bundled = BUNDLED_MODELS.get(name)
    return (
        bundled.is_converted if bundled is not None else converted_folder(file_sha256(require_gguf_file(name))).is_dir()
    )


def _float32_bytes(target: str, security: str) -> int:
    names = {one.name for one in _models(load_gguf_pair(target, security))}
    return sum(describe_model(name).weight_bytes("float32") for name in names)


def runtime_table(timings: Timings) -> list[list[str]]:
    """A measurement as rows of text, after a row of headings."""
    counts = list(TOKENS)
    rows = [[way, *(f"{times[count]:.0f} ms" for count in counts)] for way, times in timings.milliseconds.items()]
    return [["a token of each", *(f"{count} at once" for count in counts)], *rows]
