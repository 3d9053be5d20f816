"""Errors that clients get, in the format of the OpenAI API."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

CWES_REFUSED = (
    "cosec.cwes cannot be chosen: a security model hardens against all the weaknesses that it was trained on."
)
"""Message that refuses a choice of weaknesses."""

PROMPT_KINDS = "must be a text, a list of texts, a list of token ids, or a list of such lists"
"""What a prompt may be, as the end of a message."""

_MOST_NAMED = 8
"""So many unknown fields are named."""


@dataclass(slots=True)
class ApiError(Exception):
    """The error that a request is answered with."""

    status: int
    """HTTP status."""

    message: str
    """One or two sentences that name the remedy."""

    param: str | None = None
    """Path of the invalid field, joined with dots."""

    code: str | None = None
    """A name of the error for programs."""

    kind: str = "invalid_request_error"
    """The error's ``type`` in the OpenAI API."""

    headers: dict[str, str] = field(default_factory=dict)
    """Additional HTTP headers, such as ``Retry-After``."""

    def body(self) -> dict[str, dict[str, str | None]]:
        """The response body."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """400: the request cannot succeed as it is."""
    return ApiError(400, message, param, code)


def overloaded(message: str, retry_after: int) -> ApiError:
    """429: the queue is full."""
    return ApiError(429, message, None, "queue_full", "rate_limit_error", {"Retry-After": str(retry_after)})


def draining(retry_after: int) -> ApiError:
    """503: the server is shutting down."""
    return ApiError(
        503,
        "The server is shutting down and takes no new requests; retry in a moment.",
        None,
        "shutting_down",
        "server_error",
        {"Retry-After": str(retry_after)},
    )


def engine_failed() -> ApiError:
    """500: the engine failed on this request; only the server's log has the details."""
    return ApiError(
        500,
        "The engine failed while decoding this request; the server's log has the details.",
        None,
        "engine_failure",
        "server_error",
    )


def deadline_passed(seconds: float) -> ApiError:
    """504: the request took longer than the server allows."""
    return ApiError(
        504,
        f"The request exceeded this server's time limit of {seconds:g} s; ask for fewer tokens or retry later.",
        None,
        "deadline_exceeded",
        "server_error",
    )


def of_validation(error: ValidationError, model: type[BaseModel]) -> ApiError:
    """400: a body does not fit its model. Names the unknown fields, else the first invalid one."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = [_place(one) for one in details if one["type"] == "extra_forbidden"]
    if "cosec.cwes" in unknown:
        return invalid(CWES_REFUSED, "cosec.cwes", "unsupported_parameter")
    if unknown:
        plural, named = "s" if len(unknown) > 1 else "", unknown[:_MOST_NAMED]
        meant = ", ".join(filter(None, (_nearest(one, model) for one in named)))
        hint = f" Did you mean {meant}?" if meant else ""
        return invalid(
            f"Unknown field{plural}: {', '.join(named)}.{hint} Leave out fields that this server does not know.",
            unknown[0],
            "unknown_parameter",
        )
    first = details[0]
    if first["type"] == "json_invalid":
        return invalid(f"The body is not valid JSON: {_said(first)}.", None, "invalid_json")
    # A field that may be a text or a list has an error for each; the one of an item says more.
    told = max((detail for detail in details if detail["loc"][:1] == first["loc"][:1]), key=_items)
    place = _place(told)
    if place.partition(".")[0] != "prompt" or told["type"] == "missing":
        return invalid(f"{place or 'body'}: {_said(told)}.", place or None, "invalid_value")
    if not _items(told):
        return invalid(f"prompt: {PROMPT_KINDS}.", "prompt", "invalid_value")
    mixed = told["type"].endswith("_type")
    said = f"it is of another kind; a prompt {PROMPT_KINDS}" if mixed else _said(told)
    return invalid(f"{place}: {said}.", place, "invalid_value")


def _nearest(place: str, model: type[BaseModel]) -> str | None:
    """The path of the known field whose name is most like that of an unknown one; None if none is."""
    *outer, name = place.split(".")
    kinds = [model]
    for part in outer:
        fields = [kind.model_fields[part] for kind in kinds if part in kind.model_fields]
        kinds = kinds if part.isdigit() else [inner for field in fields for inner in _models_in(field.annotation)]
    near = difflib.get_close_matches(name, {field for kind in kinds for field in kind.model_fields}, n=1)
    return ".".join((*outer, *near)) if near else None


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The models in the type of a field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for part in get_args(annotation) for inner in _models_in(part)]


def _items(detail: ErrorDetails) -> tuple[int, ...]:
    """Places in lists on the way to an error."""
    return tuple(part for part in detail["loc"] if isinstance(part, int))


def _said(detail: ErrorDetails) -> str:
    message = re.sub(r"^(Value error, |Invalid JSON: )", "", detail["msg"])
    first = message[:1] if message[1:2].isupper() else message[:1].lower()  # "EOF" stays as it is
    return (first + message[1:])[:400].rstrip(".")


def _place(detail: ErrorDetails) -> str:
    """The path of a field, without the names that pydantic gives to the members of a union."""
    parts: Sequence[int | str] = detail["loc"]
    return ".".join(
        str(part) for part in parts if isinstance(part, int) or (re.fullmatch(r"\w+", part) and part not in _TYPES)
    )[:200]


_TYPES = {"str", "int", "float", "bool", "list", "tuple"}
