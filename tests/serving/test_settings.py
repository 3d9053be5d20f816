"""Limits of a server."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cosec.serving.settings import ServerSettings


def test_an_origin_is_what_browsers_send() -> None:
    ServerSettings(cors_origins=("*", "null", "http://localhost:3000", "https://app.example", "vscode-webview://a-b"))
    for wrong in ("localhost", "http://localhost:3000/", "https://App.example", "https://app.example/page", ""):
        with pytest.raises(ValidationError, match=r"is no origin: .* http://localhost:3000"):
            ServerSettings(cors_origins=(wrong,))
