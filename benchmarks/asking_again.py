"""What it costs to ask a server again after a decision: with what it has read and written kept, and without.

A completion is stopped after some tokens, as a decision stops it. Then the server is asked to continue the prompt, the
text so far and one changed word. The same is asked of prompts that it has never read. The time is that to the first
piece of text; ``--server-process`` adds the processor time of the server.

    cosec serve --target qwen2.5-coder-1.5b --security none --port 8001 &
    python benchmarks/asking_again.py http://127.0.0.1:8001/v1 --prompts 8 --tokens 24

Give the server no room for prompts (``--prefix-cache-tokens 0``) to see what its cache saves.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import cast

from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress
from cosec.decoding.blackbox.targets.text_target import Ask, Proposal, TargetPrompt
from cosec.decoding.settings import SamplingSettings
from cosec.evaluation.tasks.demo_prompts import demo_prompts

_CHANGED = " checked_value"


def processor_seconds(process: int | None) -> float:
    """Processor time of a process so far; 0 for none."""
    if process is None:
        return 0.0
    told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


async def written(server: OpenAiServer, prompt: str, so_far: str, tokens: int, stop_after: int) -> str:
    """What a server writes in so many pieces; the request is then cancelled."""
    ask = Ask(
        prompt=TargetPrompt(text=prompt),
        written=so_far,
        max_tokens=tokens,
        sampling=SamplingSettings(temperature=0.0),
    )
    text, pieces = "", 0
    async with aclosing(cast(AsyncGenerator[Proposal, None], server.propose(ask))) as proposals:
        async for one in proposals:
            text += one.text
            pieces += bool(one.text)
            if pieces == stop_after:
                break
    return text


async def measured(url: str, prompts: int, tokens: int, process: int | None) -> dict[str, object]:
    """Ask for texts, again after each, and for new prompts of the same length."""
    server = OpenAiServer(ServerAddress(url=url, seconds=600))
    known = [f"# {index}\n{one.text}" for index, one in enumerate(demo_prompts()[:prompts])]
    clock: dict[str, list[float]] = {"again": [], "new": []}
    work: dict[str, list[float]] = {"again": [], "new": []}

    async def timed(kind: str, prompt: str, so_far: str) -> None:
        began, used = time.perf_counter(), processor_seconds(process)
        await written(server, prompt, so_far, 1, 1)
        clock[kind].append(1000 * (time.perf_counter() - began))
        work[kind].append(1000 * (processor_seconds(process) - used))

    try:
        await written(server, "# warm\n", "", 4, 4)
        for index, prompt in enumerate(known):
            text = await written(server, prompt, "", 2 * tokens, tokens)
            await timed("again", prompt, text + _CHANGED)
            await timed("new", f"# new {index}\n{prompt}", text + _CHANGED)
    finally:
        await server.close()
    return {
        "prompts": len(known),
        "tokens": tokens,
        "milliseconds_to_first_text": {kind: round(statistics.median(times), 1) for kind, times in clock.items()},
        "processor_milliseconds_of_the_server": {
            kind: round(statistics.median(times), 1) for kind, times in work.items()
        },
    }


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="base URL of the server, up to /v1")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=24, help="tokens after which a text is stopped")
    parser.add_argument("--server-process", type=int, help="process id of the server, if it runs on this machine")
    given = parser.parse_args()
    found = asyncio.run(measured(given.url, given.prompts, given.tokens, given.server_process))
    print(json.dumps(found, indent=1))  # noqa: T201 - the measurement


if __name__ == "__main__":
    main()
