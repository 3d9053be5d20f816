"""Verdicts on completed code, by a separate program with a time limit, while the server continues to serve.

The program is chosen when the server is started. It reads JSON with ``prompt`` and ``completion`` from its standard
input and writes JSON to its standard output.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from cosec.serving.api_errors import ApiError, overloaded

_SECONDS = 20.0
_CONCURRENT = 1
_MAX_WAITING = 8
_RETRY_AFTER_SECONDS = 2


class Judge:
    """Runs the program that judges completions, for one text at a time."""

    def __init__(self, command: Sequence[str], seconds: float = _SECONDS) -> None:
        """Prepare to run a program.

        Args:
            command: The program and its arguments.
            seconds: Time limit for one text.
        """
        self._command = tuple(command)
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_CONCURRENT)
        self._waiting = 0

    async def verdict(self, prompt: str, completion: str) -> Any:
        """Judge a text.

        Args:
            prompt: The code before the completion.
            completion: The completed code.

        Returns:
            The JSON value that the program wrote.

        Raises:
            ApiError: 429 if too many texts wait, 500 if the program fails, 504 if it exceeds its time limit.
        """
        if self._waiting >= _MAX_WAITING:
            raise overloaded(f"{self._waiting} texts wait to be judged; retry in a moment.", _RETRY_AFTER_SECONDS)
        self._waiting += 1
        try:
            async with self._turns:
                return await self._run(json.dumps({"prompt": prompt, "completion": completion}).encode())
        finally:
            self._waiting -= 1

    async def _run(self, request: bytes) -> Any:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            answer, _ = await asyncio.wait_for(process.communicate(request), self._seconds)
        except TimeoutError:
            raise ApiError(
                504, f"No verdict within {self._seconds:g} s; give a shorter text.", None, "verdict_timeout"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            return json.loads(answer)
        except ValueError:
            raise ApiError(500, "The checker failed on this text.", None, "checker_failure", "server_error") from None
