"""What arrives while earlier text is checked, as one piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from cosec.decoding.blackbox.targets.proposal_stream import ProposalStream
from cosec.decoding.blackbox.targets.text_target import Proposal


def test_what_has_arrived_is_merged_and_its_pieces_with_text_are_counted() -> None:
    async def sent() -> AsyncIterator[Proposal]:
        for text in ("a", "", "b", "c"):
            yield Proposal(text)
        await asyncio.sleep(0)
        yield Proposal("d")
        yield Proposal("", "stop")

    async def received() -> list[Proposal]:
        stream = ProposalStream(sent())
        return [await stream.next(at_least=1), await stream.next(at_least=1)]

    assert asyncio.run(received()) == [Proposal("abc", pieces=3), Proposal("d", "stop", pieces=1)]
