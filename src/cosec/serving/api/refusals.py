"""Refusals: everything a client can be told went wrong, in the shape the OpenAI API gives its errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError
from pydantic_core import ErrorDetails

CWES_REFUSED = (
    "cosec.cwes cannot be chosen: one security model hardens against all the weaknesses it was trained on at once."
)

PROMPT_KINDS = "must be a text, a list of texts, a list of token ids, or a list of such lists"


@dataclass(slots=True)
class Refusal(Exception):  # noqa: N818 - it is what the client is told, not a bug of ours
    """A request that is answered with an error."""

    status: int
    """HTTP status."""

    message: str
    """One or two sentences that name the remedy."""

    param: str | None = None
    """The field at fault, with dots."""

    code: str | None = None
    """A word that programs can match."""

    kind: str = "invalid_request_error"
    """What OpenAI calls the error's ``type``."""

    headers: dict[str, str] = field(default_factory=dict)
    """Further HTTP headers, such as ``Retry-After``."""

    counted: bool = False
    """Whether the metrics have it already."""

    def body(self) -> dict[str, dict[str, str | None]]:
        """The answer's JSON."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    """A request that can never succeed as it is (400)."""
    return Refusal(400, message, param, code)


def overloaded(message: str, retry_after: int) -> Refusal:
    """The queue is full (429)."""
    return Refusal(429, message, None, "queue_full", "rate_limit_error", {"Retry-After": str(retry_after)})


def draining(retry_after: int) -> Refusal:
    """The server is on its way out (503)."""
    return Refusal(
        503,
        "The server is shutting down and takes no new requests; retry in a moment.",
        None,
        "shutting_down",
        "server_error",
        {"Retry-After": str(retry_after)},
    )


def engine_failed() -> Refusal:
    """The engine failed on this request (500); what happened is in the server's log, not in the answer."""
    return Refusal(
        500,
        "The engine failed while decoding this request; the server goes on. Its log says what happened.",
        None,
        "engine_failure",
        "server_error",
    )


def deadline_passed(seconds: float) -> Refusal:
    """The request took longer than the server allows (504)."""
    return Refusal(
        504,
        f"The request was given up after {seconds:g} s, this server's limit; ask for fewer tokens or retry later.",
        None,
        "deadline_exceeded",
        "server_error",
    )


def of_validation(error: ValidationError) -> Refusal:
    """What to say about a body that does not fit its model: the first problem, and every unknown field by name."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = [_place(one) for one in details if one["type"] == "extra_forbidden"]
    if "cosec.cwes" in unknown:
        return invalid(CWES_REFUSED, "cosec.cwes", "unsupported_parameter")
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        return invalid(
            f"Unknown field{plural}: {', '.join(unknown[:8])}. A field that nothing would obey is refused; leave it "
            "out.",
            unknown[0],
            "unknown_parameter",
        )
    first = details[0]
    if first["type"] == "json_invalid":
        return invalid(f"The body is not valid JSON: {_said(first)}.", None, "invalid_json")
    place = _place(first)
    said = PROMPT_KINDS if place.split(".")[0] == "prompt" and first["type"] != "missing" else _said(first)
    return invalid(f"{place or 'body'}: {said}.", place or None, "invalid_value")


def _said(detail: ErrorDetails) -> str:
    message = re.sub(r"^(Value error, |Invalid JSON: )", "", detail["msg"])
    return (message[:1].lower() + message[1:])[:400].rstrip(".")


def _place(detail: ErrorDetails) -> str:
    """The field's path; the names that pydantic gives to the members of a union are left out."""
    parts: Sequence[int | str] = detail["loc"]
    return ".".join(
        str(part) for part in parts if isinstance(part, int) or (re.fullmatch(r"\w+", part) and part not in _TYPES)
    )[:200]


_TYPES = {"str", "int", "float", "bool", "list", "tuple"}
