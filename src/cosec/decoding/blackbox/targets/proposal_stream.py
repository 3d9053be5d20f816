"""The target's text, received while what it wrote before is checked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from cosec.decoding.blackbox.targets.text_target import Proposal, TargetFailure


class ProposalStream:
    """What a target sends, received while earlier text is checked.

    Args:
        proposals: The target's continuation.
    """

    def __init__(self, proposals: AsyncIterator[Proposal]) -> None:
        self._queue: asyncio.Queue[Proposal | BaseException] = asyncio.Queue()
        self._failure: BaseException | None = None
        self._task = asyncio.ensure_future(self._receive(proposals))

    async def next(self, at_least: int) -> Proposal:
        """Everything that has arrived, but at least so many characters unless the target ends or fails before.

        Raises:
            TargetFailure: If the target failed after what was returned before.
        """
        text, tokens, pieces = "", list[tuple[str, float]](), 0
        while self._failure is None and (len(text) < at_least or not self._queue.empty()):
            found = await self._queue.get()
            if isinstance(found, BaseException):
                self._failure = found
                break
            text += found.text
            tokens += found.tokens
            pieces += bool(found.text)
            if found.finish_reason is not None:
                return Proposal(text, found.finish_reason, tuple(tokens), pieces)
        if self._failure is not None and not text:
            raise self._failure
        return Proposal(text, None, tuple(tokens), pieces)

    async def aclose(self) -> None:
        """Cancel the request if it is not over."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _receive(self, proposals: AsyncIterator[Proposal]) -> None:
        try:
            async with aclosing(cast(AsyncGenerator[Proposal, None], proposals)) as pieces:
                async for piece in pieces:
                    self._queue.put_nowait(piece)
                    if piece.finish_reason is not None:
                        return
            self._queue.put_nowait(TargetFailure("it stopped before the end of its text"))
        except Exception as error:
            self._queue.put_nowait(error)
