"""Log-probabilities that a server gives: of a prompt that it echoes, and of what it writes."""

from __future__ import annotations

import re
from typing import Any

from cosec.decoding.blackbox.targets.text_target import TokenScore

_NO_TEXT = re.compile(rb"bytes:(.*\\x[0-9a-fA-F]{2}.*)", re.DOTALL)
"""Name of a token that is no whole text, such as ``bytes:\\xf0\\x9f``."""

_BYTE = re.compile(rb"\\x([0-9a-fA-F]{2})")
"""A byte in such a name."""


def echoed_scores(answer: Any, begin: int, end: int | None = None) -> list[TokenScore]:
    """The tokens of an echoed text that have some of a part of it.

    Args:
        answer: The answer to a request with ``echo`` and ``logprobs``.
        begin: Character at which the part begins.
        end: Character at which it ends; None for the end of the text, which the server may have continued.

    Returns:
        The score of each token.

    Raises:
        LookupError: If the server does not give the log-probabilities of a prompt, or in another form.
    """
    found, rows = [], _rows(answer)
    starts = [start for _, start, *_ in rows]
    for place, (token, start, log_prob, top) in enumerate(rows):
        # The name of a token that is no whole text is longer than its text, so that what follows says where it ends.
        ends = max(starts[place + 1], start + (token != "")) if place + 1 < len(rows) else start + len(token)
        if ends > begin and (end is None or start < end):
            if log_prob is None:
                raise LookupError("no log-probability of a token of the prompt")
            best = max([float(log_prob), *(top or {}).values()])
            found.append(TokenScore(token, float(log_prob), best))
    return found


def echoed_tokens(answer: Any, end: int) -> list[str]:
    """The tokens of an echoed text.

    Args:
        answer: The answer to a request with ``echo`` and ``logprobs``.
        end: Number of characters of the text, which the server may have continued.

    Raises:
        LookupError: If the server does not give the tokens of a prompt, or in another form.
    """
    return [token for token, start, *_ in _rows(answer) if start < end]


def streamed_tokens(known: Any) -> tuple[tuple[bytes, float], ...]:
    """The tokens of a piece of text that a server writes, with their log-probabilities.

    Args:
        known: The choice's ``logprobs``, in the form of completions or of chats.

    Returns:
        The bytes of each token, and its value; empty if the server does not give them, or in another form.
    """
    try:
        if "content" in known:
            return tuple((_bytes_of(one["token"], one.get("bytes")), float(one["logprob"])) for one in known["content"])
        rows = zip(known["tokens"], known["token_logprobs"], strict=True)
        return tuple((_bytes_of(token), float(value)) for token, value in rows)
    except (LookupError, TypeError, ValueError):
        return ()


def _bytes_of(token: Any, given: Any = None) -> bytes:
    """The bytes of a token: those that the server gives, or those of its name."""
    if isinstance(given, list):
        return bytes(given)
    name = str(token).encode(errors="surrogatepass")
    found = _NO_TEXT.fullmatch(name)
    return name if found is None else _BYTE.sub(lambda byte: bytes.fromhex(byte[1].decode()), found[1])


def _rows(answer: Any) -> list[tuple[str, int, Any, Any]]:
    """For each token its text, its first character, its log-probability, and those of the most likely tokens."""
    try:
        known = answer["choices"][0]["logprobs"]
        if known is None:
            raise LookupError("no log-probabilities")
        columns = (known["tokens"], known["text_offset"], known["token_logprobs"], known["top_logprobs"])
        rows = list(zip(*columns, strict=True))
        shift = min((offset for _, offset, *_ in rows), default=0)
        return [(token, offset - shift, log_prob, top) for token, offset, log_prob, top in rows]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise LookupError("its log-probabilities have another form") from error
