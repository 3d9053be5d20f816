"""Verdicts on completed code: a program of its own judges it, within limits, while the server goes on serving.

Which program that is, is decided where the server is started; it takes JSON with ``prompt`` and ``completion`` on its
standard input and answers JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from cosec.serving.api.refusals import Refusal, overloaded

_SECONDS = 20.0
_AT_ONCE = 1
_MAY_WAIT = 8
_RETRY_AFTER = 2


class Judge:
    """Runs the program, one at a time."""

    def __init__(self, command: Sequence[str], seconds: float = _SECONDS) -> None:
        """Take the program with its arguments, and how long it may think about one text."""
        self._command = tuple(command)
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def verdict(self, prompt: str, completion: str) -> Any:
        """What the program says about this text.

        Raises:
            Refusal: 429 when too many wait, 500 when the program fails, 504 when it takes too long.
        """
        if self._waiting >= _MAY_WAIT:
            raise overloaded(f"{self._waiting} texts wait to be judged; retry in a moment.", _RETRY_AFTER)
        self._waiting += 1
        try:
            async with self._turns:
                return await self._run(json.dumps({"prompt": prompt, "completion": completion}).encode())
        finally:
            self._waiting -= 1

    async def _run(self, asked: bytes) -> Any:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(asked), self._seconds)
        except TimeoutError:
            raise Refusal(
                504, f"No verdict within {self._seconds:g} s; give a shorter text.", None, "verdict_timeout"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            return json.loads(said)
        except ValueError:
            raise Refusal(500, "The checker failed on this text.", None, "checker_failure", "server_error") from None
