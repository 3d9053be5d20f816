"""What the OpenAPI schema says about the endpoints, which read their bodies themselves to limit their size."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text}
    for status, text in {
        400: "The request cannot succeed as it is",
        401: "No valid API key",
        404: "No such model",
        408: "The body did not arrive in time",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "The queue is full",
        500: "The engine failed",
        502: "The target server failed",
        503: "The server is shutting down",
        504: "The request took too long",
    }.items()
}
"""What each status of an error means."""


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """The request body of an endpoint."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(model)}}}}


def _inlined(model: type[BaseModel]) -> Any:
    """The model's JSON schema with all references resolved."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolved(definitions[node["$ref"].rpartition("/")[2]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(one) for one in node] if isinstance(node, list) else node

    return resolved(schema)
