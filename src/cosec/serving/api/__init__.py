"""The HTTP API: request and response bodies, the endpoints, and the service that answers them.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "answers": ("Answer",),
        "app": ("create_app",),
        "llama_cpp.wire": ("InfillRequest",),
        "prompt_encoding": ("PromptEncoder",),
        "service": ("Origin", "Service"),
        "translation": ("Translator",),
        "wire": ("ChatRequest", "CompletionRequest", "CosecFields", "VerdictRequest"),
    },
)
