"""``cosec bench speed``: Table X of the paper for any pair, on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from cosec.errors import SettingsError

bench_app = App(name="bench", help="Measure speed.")


@bench_app.command
def speed(
    *,
    target: str = "smollm2-135m",
    security: str = "default",
    prompt_file: Path | None = None,
    batch: Annotated[Sequence[int], Parameter(negative=())] = (1, 25),
    draft_length: Annotated[Sequence[int | Literal["auto"]], Parameter(negative=())] = (),
    rounds: int = 5,
    tokens: int = 40,
    format: Literal["text", "json"] = "text",
    dtype: str = "auto",
    device_map: str | None = None,
) -> None:
    """Time per 20 tokens of the target alone and hardened, alternating in one process, warm.

    Args:
        target: The model to harden.
        security: Its security model or adapter.
        prompt_file: The prompt to continue; the default is the longest of the demo prompts.
        batch: Sequences decoded at once; may be repeated.
        draft_length: Tokens drafted per verification; may be repeated. Default: 1 with shared weights, else 1 and auto.
        rounds: Timed rounds of each arm; medians are reported.
        tokens: Tokens timed in each round.
        format: Table or JSON.
        dtype: auto, float32, bfloat16 or float16.
        device_map: Passed to transformers.
    """
    if rounds < 5 or tokens < 20 or not batch or min(batch) < 1:
        raise SettingsError("--rounds must be at least 5, --tokens at least 20 and --batch at least 1.")
    if security == "none":
        raise SettingsError("There is nothing to compare with --security none; name a security model or adapter.")
    from cosec.cli.demo import demo_prompts
    from cosec.cli.generate import load, read_prompts
    from cosec.evaluation.environment import environment
    from cosec.evaluation.speed import measure_speed, table

    prompt = (
        read_prompts(None, [prompt_file], ())[0] if prompt_file else max((one.text for one in demo_prompts()), key=len)
    )
    pair = load(target, security, dtype, device_map)
    lengths = draft_length or ((1,) if pair.shared_weights else (1, "auto"))
    results = [
        measure_speed(pair, prompt, batch=rows, draft_length=length, rounds=rounds, tokens=tokens)
        for rows in batch
        for length in lengths
    ]
    if format == "json":
        record = {"pairs": [asdict(result) for result in results], "environment": environment()}
        print(json.dumps(record))  # noqa: T201 - the contract
        return
    from rich.table import Table

    from cosec.cli.side_by_side import terminal

    heading, *rows_of_text = table(results)
    view = Table(*heading)
    for row in rows_of_text:
        view.add_row(*row)
    terminal().print(view)
