"""``cosec bench``: Table X of the paper for any pair, what runs it fastest on this machine, and load on a server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from cosec.cli.runtime_flag import Runtime, SecurityCopy, check_draft_length, tell
from cosec.decoding.rules.choice import RuleChoice
from cosec.decoding.rules.schema import changed_rule
from cosec.errors import SettingsError
from cosec.models.loading.embedded import DEFAULT_TARGET

bench_app = App(name="bench", help="Measure speed.")
"""The verb ``cosec bench`` with its subcommands."""


@bench_app.command
def speed(
    *,
    target: str = DEFAULT_TARGET,
    security: str = "default",
    prompt_file: Path | None = None,
    batch: Sequence[int] = (1, 25),
    draft_length: Sequence[int | Literal["auto"]] = (),
    rule: Annotated[RuleChoice | None, Parameter(name="*")] = None,
    rounds: int = 5,
    tokens: int = 40,
    target_records: bool = False,
    format: Literal["text", "json"] = "text",
    dtype: str = "auto",
    device_map: str | None = None,
    runtime: Runtime = "auto",
    security_copy: SecurityCopy = False,
) -> None:
    """Measure the time per 20 tokens, alone and hardened in alternation; with llama.cpp, also of its own loop.

    Args:
        target: The model to harden.
        security: Its security model or adapter.
        prompt_file: The prompt to continue; the default is the longest of the demo prompts.
        batch: Sequences decoded at once; repeatable.
        draft_length: Tokens drafted per verification; repeatable. Default: 1, and auto if more are possible.
        rule: The rule and its settings. Default: the adapter's own rule, else the paper's.
        rounds: Timed rounds of each arm; medians are reported.
        tokens: Tokens timed in each round.
        target_records: Whether to ask the target about each token where it changes none, to tell what it would choose.
        format: Table or JSON.
        dtype: auto, float32, bfloat16 or float16.
        device_map: Passed to transformers.
        runtime: What runs the models.
        security_copy: Whether the security model is a copy with its adapter added.
    """
    _check_speed(rounds, tokens, batch, draft_length, security)
    from cosec import load_pair
    from cosec.decoding.pairing import carried_rule
    from cosec.decoding.settings import decoding_settings
    from cosec.evaluation.environment import environment
    from cosec.evaluation.library_speed import measure_library
    from cosec.evaluation.speed import draft_lengths, measure_speed, table

    own = carried_rule(target, security, security_copy=security_copy)
    chosen = decoding_settings(changed_rule(own, (rule or RuleChoice()).settings()), {}).rule
    prompt = max(_prompts([] if prompt_file is None else [prompt_file]), key=len)
    where: dict[str, Any] = {"dtype": dtype, "device_map": device_map, "runtime": runtime}
    pair = load_pair(target, security, rows=min(batch), security_copy=security_copy, report=tell, **where)
    size: dict[str, Any] = {"rounds": rounds, "tokens": tokens}
    lengths = draft_length or draft_lengths(pair, chosen, target_records=target_records)
    timed = partial(measure_speed, pair, prompt, rule=chosen, target_records=target_records, **size)
    results = [timed(batch=rows, draft_length=length) for rows in batch for length in lengths]
    alone = [asdict(it) for rows in batch if (it := measure_library(pair, prompt, batch=rows, **size)) is not None]
    if format == "text":
        _print_table(table(results))
        for one in alone:
            tell("target alone, batch {batch}: {engine_ms:.1f} ms, {ratio:.2f} of llama.cpp's own loop".format_map(one))
        return
    described = {"rule": chosen.model_dump(mode="json"), "target_records": target_records, "library": alone}
    print(json.dumps({"pairs": list(map(asdict, results)), **described, "environment": environment()}))  # noqa: T201 - the contract


@bench_app.command
def runtime(
    target: str = DEFAULT_TARGET,
    security: str = "default",
    /,
    *,
    convert: Annotated[bool, Parameter(negative=())] = False,
    format: Literal["text", "json"] = "text",
) -> None:
    """Measure what runs a pair fastest on this machine, for ``--runtime auto`` to choose by; takes about a minute.

    Compares llama.cpp and torch with float32 weights, at 1, 4 and 16 completions at once. Also measures
    ``--security-copy``, which no measurement chooses, as it is another model. Run it on an idle machine.

    Args:
        target: The model to harden: a GGUF file or a pulled embedded model.
        security: Its security model or adapter.
        convert: Convert the models for torch if they are not, which takes minutes and 4 bytes of disk a weight.
            Otherwise torch is measured only if they are.
        format: Table or JSON.
    """
    from cosec.evaluation.runtime_speed import measure_runtimes, runtime_table

    timings = measure_runtimes(target, security, tell, convert=convert)
    if format == "json":
        print(timings.model_dump_json())  # noqa: T201 - the contract
        return
    _print_table(runtime_table(timings))


def _check_speed(
    rounds: int, tokens: int, batch: Sequence[int], lengths: Sequence[int | Literal["auto"]], security: str
) -> None:
    """Refuse measurements that would say nothing."""
    if rounds < 5 or tokens < 20 or not batch or min(batch) < 1:
        raise SettingsError("--rounds must be at least 5, --tokens at least 20 and --batch at least 1.")
    for length in lengths:
        check_draft_length(length)
    if security == "none":
        raise SettingsError("There is nothing to compare with --security none; name a security model or adapter.")


def _prompts(files: Sequence[Path]) -> list[str]:
    """The texts of some files; the demo prompts if there are none."""
    from cosec.cli.generate import read_prompts
    from cosec.evaluation.tasks.demo_prompts import demo_prompts

    return read_prompts(None, files, ()) if files else [one.text for one in demo_prompts()]


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text, the first as heading."""
    from rich.table import Table

    from cosec.cli.views.side_by_side import terminal

    view = Table(*rows[0])
    for row in rows[1:]:
        view.add_row(*row)
    terminal().print(view)


@bench_app.command
def serve(
    *,
    url: str = "http://127.0.0.1:8000",
    api_key: str | None = None,
    model: str | None = None,
    prompt_file: Sequence[Path] = (),
    streams: int = 32,
    requests: int = 64,
    tokens: int = 64,
    temperature: float = 0.4,
    cosec: str | None = None,
    check: Annotated[bool, Parameter(negative=())] = False,
    format: Literal["text", "json"] = "text",
) -> None:
    """Put load on an OpenAI-compatible server: ``cosec serve`` or any other.

    Args:
        url: The server's address, with or without /v1.
        api_key: Sent as a bearer token.
        model: The model's name, for servers that require it.
        prompt_file: A prompt to continue; repeatable. Default: the demo prompts.
        streams: Requests at once.
        requests: Total number of requests.
        tokens: Maximum length of each answer, in tokens.
        temperature: Sampling temperature. Top-p is 0.95, and request i has seed i.
        cosec: JSON for the request's cosec field, such as {"enabled": false}.
        check: Send every request again, alone, and count the answers that differ.
        format: Lines or JSON.
    """
    if min(streams, requests, tokens) < 1:
        raise SettingsError("--streams, --requests and --tokens must be at least 1.")
    from cosec.evaluation.load import Target, measure_load

    result = asdict(
        measure_load(
            Target(url=url, api_key=api_key, model=model),
            _prompts(prompt_file),
            streams=streams,
            requests=requests,
            max_tokens=tokens,
            temperature=temperature,
            cosec=_json_object(cosec),
            check=check,
        )
    )
    if format == "json":
        print(json.dumps(result))  # noqa: T201 - the contract
        return
    for name, value in result.items():
        shown = f"{value:.4f}" if isinstance(value, float) else "not measured" if value is None else value
        print(f"{name.replace('_', ' '):<20}{shown}")  # noqa: T201 - plain lines


def _json_object(text: str | None) -> dict[str, object] | None:
    try:
        value = None if text is None else json.loads(text)
    except ValueError:
        value = text
    if value is None or isinstance(value, dict):
        return value
    raise SettingsError(f'--cosec takes a JSON object such as {{"enabled": false}}; found {text!r}.')
