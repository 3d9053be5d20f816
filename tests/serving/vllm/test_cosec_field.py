"""Settings in the field ``cosec`` reach the plugin, and what vLLM cannot do is refused instead of ignored."""

import asyncio
import json
from typing import Any

import pytest

from cosec.errors import SettingsError
from cosec.serving.vllm import cosec_field
from cosec.serving.vllm.cosec_field import CosecField, NoCosecField, extra_arguments, translated
from cosec.vllm_plugin import PluginSettings
from cosec.vllm_plugin.requests import request_settings


def sent(
    body: bytes, path: str = "/v1/completions", middleware: type[CosecField] = CosecField, **more: str
) -> tuple[Any, Any]:
    """What the application behind the middleware receives, and what the client gets."""
    received: list[Any] = []
    answered: list[Any] = []
    parts = [body[:5], body[5:]]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        length = dict(scope["headers"])[b"content-length"]
        assert int(length) == len(message["body"])
        received.append(message["body"])

    async def receive() -> Any:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-length", b"1"), (b"x", b"y")]}
    asyncio.run(middleware(app)({**scope, **more}, receive, send))
    return (received[0] if received else None), answered


def test_settings_reach_the_plugin_under_its_names() -> None:
    body = {"prompt": "p", "cosec": {"rule": "gate", "strength": 0.2, "audit": "none"}, "vllm_xargs": {"other": 1}}
    received, answered = sent(json.dumps(body).encode())
    assert json.loads(received) == {
        "prompt": "p",
        "vllm_xargs": {"other": 1, "cosec_rule": "gate", "cosec_strength": 0.2},
    }
    assert answered == []


def test_the_plugin_understands_what_it_is_sent() -> None:
    class Parameters:
        temperature, top_p, top_k, min_p, seed, logprobs = 1.0, 1.0, 0, 0.0, None, None
        extra_args = extra_arguments({"rule": "threshold", "threshold": 0.7, "strength": None})

    rule = request_settings(Parameters(), PluginSettings()).rule
    assert (rule.name, rule.model_dump()["threshold"]) == ("threshold", 0.7)
    Parameters.extra_args = extra_arguments({"enabled": False, "threshold": None})
    assert request_settings(Parameters(), PluginSettings()).rule.name == "speculative"


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": "cosec"}',
        b'{"prompt": "say \\"cosec\\""}',
        b'{"cosec": ',
        b'["cosec"]',
        b"",
        b'{"cosec": ' + 100_000 * b"[",
        b'{"cosec": {"threshold": 0.1}, "vllm_xargs": [1]}',
    ],
    ids=lambda body: body[:20],
)
def test_other_bodies_pass_unchanged(body: bytes) -> None:
    assert translated(body) == body


def test_null_is_as_if_the_field_was_left_out() -> None:
    assert json.loads(translated(b'{"cosec": null, "n": 2}')) == {"n": 2}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"audit": "tokens"}, "no audit"),
        ({"code_end": "fence"}, "use stop"),
        ("gate", "must be an object"),
        ({"enabled": "false"}, "true or false, not 'false'"),
        ({"enabled": 0}, "true or false, not 0"),
        ({"enabled": False, "rule": "gate"}, "rule has no effect while hardening is off"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
def test_what_vllm_cannot_do_gets_400_with_the_reason(fields: object, said: str, path: str) -> None:
    received, (start, body) = sent(json.dumps({"cosec": fields}).encode(), path)
    assert received is None
    assert start["status"] == 400
    assert said in json.loads(body["body"])["error"]["message"]


@pytest.mark.parametrize("middleware", [CosecField, NoCosecField])
@pytest.mark.parametrize("path", ["/models/code/v1/completions", "/v1/completions"])
def test_requests_below_a_root_path_are_read_too(path: str, middleware: type[CosecField]) -> None:
    body = b'{"cosec": {"audit": "tokens"}}'
    received, (start, _) = sent(body, path, middleware, root_path="/models/code")
    assert (received, start["status"]) == (None, 400)


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"cosec": {"rule": "gate"}}, False),
        ({"cosec": {"enabled": False}}, False),
        ({"vllm_xargs": {"cosec_rule": "gate"}}, False),
        ({"cosec": {"enabled": True}}, True),
        ({"cosec": None}, True),
        ({"vllm_xargs": {"other": 1}}, True),
    ],
)
def test_settings_that_vllm_ignores_are_refused(fields: dict[str, object], passes: bool) -> None:
    received, answered = sent(json.dumps(fields).encode(), "/v1/messages")
    assert (received is not None) is passes
    if not passes:
        start, body = answered
        assert start["status"] == 400
        assert "takes no settings at /v1/messages" in json.loads(body["body"])["error"]["message"]


def test_a_target_alone_accepts_that_hardening_is_off_everywhere() -> None:
    for fields in ({"cosec": {"enabled": False}}, {"vllm_xargs": {"cosec_rule": "speculative"}}):
        received, _ = sent(json.dumps(fields).encode(), "/v1/messages", NoCosecField)
        assert received is not None


def test_a_body_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosec_field, "_MAX_BODY_BYTES", 100)
    received, (start, _) = sent(b"x" * 101)
    assert (received, start["status"]) == (None, 400)


def test_two_values_for_one_setting_are_refused() -> None:
    with pytest.raises(SettingsError, match="disagree about cosec_threshold"):
        translated(b'{"cosec": {"threshold": 0.1}, "vllm_xargs": {"cosec_threshold": 0.2}}')


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "p", "cosec": {"rule": "threshold"}},
        {"prompt": "p", "cosec": {"enabled": True}},
        {"prompt": "p", "vllm_xargs": {"cosec_threshold": 0.1}},
    ],
    ids=str,
)
def test_a_target_without_a_security_model_hardens_nothing_and_says_so(body: object) -> None:
    received, (start, answer) = sent(json.dumps(body).encode(), middleware=NoCosecField)
    assert (received, start["status"]) == (None, 400)
    assert "target alone" in json.loads(answer["body"])["error"]["message"]


@pytest.mark.parametrize(
    "body", [{"prompt": "p"}, {"prompt": "p", "cosec": {"enabled": False}}, {"prompt": "cosec", "cosec": None}], ids=str
)
def test_a_target_without_a_security_model_answers_who_asks_for_none(body: dict[str, object]) -> None:
    received, answered = sent(json.dumps(body).encode(), middleware=NoCosecField)
    assert answered == []
    assert json.loads(received) == {"prompt": body["prompt"]}


@pytest.mark.parametrize(
    ("path", "middleware"),
    [(cosec_field.MIDDLEWARE, CosecField), (cosec_field.MIDDLEWARE_ALONE, NoCosecField)],
)
def test_vllm_finds_the_middleware_by_its_path(path: str, middleware: type[CosecField]) -> None:
    module, _, name = path.rpartition(".")
    assert (module, name) == (cosec_field.__name__, middleware.__name__)
