"""A model in this process as a target that gives text, for a security model with another tokenizer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from cosec.decoding.blackbox.targets.text_target import Ask, InReaderThread, Proposal
from cosec.decoding.completer import Completer, Piece
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import DecodingSettings
from cosec.errors import PromptError


class LocalTarget:
    """A loaded model that continues text.

    Args:
        pair: The model as the target of a pair; its security model is not used.
        in_reader_thread: Runs a function in the thread that owns all models.
    """

    def __init__(self, pair: PreparedPair, in_reader_thread: InReaderThread) -> None:
        self._pair = pair
        self._in_reader_thread = in_reader_thread

    async def propose(self, ask: Ask) -> AsyncIterator[Proposal]:
        """Continue a text; see :class:`~cosec.decoding.blackbox.targets.text_target.TextTarget`."""
        if ask.prompt.messages is not None or ask.prompt.suffix is not None:
            raise PromptError("A model in this process continues texts only; serve it to use chats and infills.")
        sampling = ask.sampling.model_copy(
            update={
                "max_new_tokens": ask.max_tokens,
                "seed": ask.seed,
                "stop": (),
                "code_end": "none",
                "top_logprobs": None,
            }
        )
        completer = Completer(self._pair, DecodingSettings(sampling=sampling), alone="target", rows=1)
        pieces = completer.stream([ask.prompt.text + ask.written])

        def following(pieces: Iterator[Piece] = pieces) -> Piece:
            return next(pieces)

        while True:
            piece = await self._in_reader_thread(following)
            assert isinstance(piece, Piece)
            ended = None if piece.completion is None else piece.completion.finish_reason
            yield Proposal(piece.text, None if ended is None else "stop" if ended == "stop" else "length")
            if ended is not None:
                return

    async def close(self) -> None:
        """Nothing: the weights are the pair's."""
