"""Log-probabilities of a prompt that a server echoes, as the API of completions gives them."""

from __future__ import annotations

from typing import Any

from cosec.decoding.blackbox.targets.text_target import TargetFailure, TokenScore


def echoed_scores(answer: Any, begin: int, end: int | None = None) -> list[tuple[str, TokenScore]]:
    """The tokens of an echoed text that have some of a part of it.

    Args:
        answer: The answer to a request with ``echo`` and ``logprobs``.
        begin: Character at which the part begins.
        end: Character at which it ends; None for the end of the text, which the server may have continued.

    Returns:
        Each token with its score.

    Raises:
        TargetFailure: If the answer has another form.
        LookupError: If the server does not give the log-probabilities of a prompt.
    """
    try:
        known = answer["choices"][0]["logprobs"]
        if known is None:
            raise LookupError("no log-probabilities")
        columns = (known["tokens"], known["token_logprobs"], known["top_logprobs"], known["text_offset"])
        rows = list(zip(*columns, strict=True))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise TargetFailure("it sent log-probabilities of another form") from error
    shift = min(offset for *_, offset in rows) if rows else 0
    found = []
    for token, log_prob, top, offset in rows:
        start = offset - shift
        if start + len(token) > begin and (end is None or start < end):
            if log_prob is None:
                raise LookupError("no log-probability of a token of the prompt")
            found.append((token, TokenScore(float(log_prob), max([float(log_prob), *(top or {}).values()]))))
    return found
