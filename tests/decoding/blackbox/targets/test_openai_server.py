"""The client of a target server: the addresses that it takes."""

from __future__ import annotations

import pytest

from cosec.decoding.blackbox.targets.openai_server import ServerAddress
from cosec.errors import SettingsError


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:999999/v1",
        "http://127.0.0.1:-1/v1",
        "http://127.0.0.1:0/v1",
        "http://127.0.0.1:port/v1",
        "http://[::1/v1",
        "http:///v1",
        "http://:8000/v1",
    ],
)
def test_a_malformed_url_is_refused_with_the_form_that_is_right(url: str) -> None:
    with pytest.raises(SettingsError, match="write http://HOST:PORT/v1"):
        ServerAddress(url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:65535/v1", "https://[::1]:8000/v1", "https://models.example/v1/"])
def test_other_urls_are_taken_as_they_are(url: str) -> None:
    assert ServerAddress(url=url).url == url
