"""The HTTP API: request and response bodies, the endpoints, and the service that answers them.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosec.serving.api.answers import Answer
    from cosec.serving.api.app import create_app
    from cosec.serving.api.llama_cpp.wire import InfillRequest
    from cosec.serving.api.prompt_encoding import PromptEncoder
    from cosec.serving.api.service import Origin, Service
    from cosec.serving.api.translation import Translator
    from cosec.serving.api.wire import ChatRequest, CompletionRequest, CosecFields, VerdictRequest

__all__ = [
    "Answer",
    "ChatRequest",
    "CompletionRequest",
    "CosecFields",
    "InfillRequest",
    "Origin",
    "PromptEncoder",
    "Service",
    "Translator",
    "VerdictRequest",
    "create_app",
]

_MODULES = {
    "Answer": "answers",
    "ChatRequest": "wire",
    "CompletionRequest": "wire",
    "CosecFields": "wire",
    "InfillRequest": "llama_cpp.wire",
    "Origin": "service",
    "PromptEncoder": "prompt_encoding",
    "Service": "service",
    "Translator": "translation",
    "VerdictRequest": "wire",
    "create_app": "app",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
