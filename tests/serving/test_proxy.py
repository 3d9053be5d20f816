"""The hardening proxy: a real server in front of a fake target, asked by the official client."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from openai import APIStatusError, OpenAI

from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress
from cosec.decoding.pairing import PreparedPair
from cosec.serving.access.audit_log import AuditLog
from cosec.serving.api.service import Service
from cosec.serving.api_errors import ApiError
from cosec.serving.server import Server, build_proxy
from cosec.serving.settings import ServerSettings
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.decoding.blackbox.test_completer import NEVER, OFTEN, prompt, written

PLAINLY = {"cosec": {"strength": NEVER}}
PLAIN = {"enabled": True, "rule": "gate", "strength": NEVER}


@contextmanager
def proxy(
    pair: PreparedPair, target: FakeServer, audit_log: AuditLog | None = None, limits: ServerSettings | None = None
) -> Iterator[str]:
    address = ServerAddress(url=target.url, seconds=20)
    service = build_proxy(
        lambda _: OpenAiServer(address),
        SecurityReader(pair),
        ("hardened",),
        rule={"strength": OFTEN},
        audit_log=audit_log,
        limits=limits,
    )
    with answering(service) as url:
        yield url


@contextmanager
def answering(service: Service) -> Iterator[str]:
    """The address of a running server."""
    server = Server(service, None, "127.0.0.1", 0)
    service.scheduler.start()
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        service.scheduler.stop()


@pytest.fixture(scope="module")
def target() -> Iterator[FakeServer]:
    with running(FakeServer(written)) as server:
        yield server


@pytest.fixture(scope="module")
def client(tiny_pair: PreparedPair, target: FakeServer) -> Iterator[OpenAI]:
    with proxy(tiny_pair, target) as url, OpenAI(base_url=url, api_key="none", max_retries=0) as found:
        yield found


def test_the_texts_are_the_targets_where_nothing_is_decided(client: OpenAI) -> None:
    prompts = [prompt(number) for number in range(3)]
    answer = client.completions.create(
        model="hardened", prompt=prompts, n=2, temperature=0, max_tokens=100, extra_body={"cosec": PLAIN}
    )
    assert [one.text for one in answer.choices] == [written(one) for one in prompts for _ in range(2)]
    assert {one.finish_reason for one in answer.choices} == {"stop"}
    assert answer.model_extra["metrics"]["cosec"]["decisions"] == 0


def test_a_stream_has_the_text_of_the_whole_answer(client: OpenAI) -> None:
    asked = {"model": "hardened", "prompt": prompt(1), "temperature": 0.7, "seed": 4, "max_tokens": 40}
    whole = client.completions.create(**asked)
    streamed = "".join(one.choices[0].text for one in client.completions.create(**asked, stream=True) if one.choices)
    assert streamed == whole.choices[0].text
    assert whole.model_extra["metrics"]["cosec"]["decisions"] > 0


def test_chats_are_continued_as_the_assistants_message(client: OpenAI, target: FakeServer) -> None:
    messages = [{"role": "user", "content": "write f\n:"}]
    target.bodies.clear()
    answer = client.chat.completions.create(model="hardened", messages=messages, max_tokens=40, seed=1, temperature=0)
    first, *others = (body for body in target.bodies if body.get("stream"))
    assert first["messages"] == messages
    assert "continue_final_message" not in first
    text = answer.choices[0].message.content
    assert others
    for body in others:
        assert body["continue_final_message"] is True
        assert body["messages"][:-1] == messages
        assert text.startswith(body["messages"][-1]["content"])


def test_a_gap_is_filled_by_the_target_with_its_suffix(client: OpenAI, target: FakeServer) -> None:
    target.bodies.clear()
    client.completions.create(
        model="hardened", prompt=prompt(0), suffix="return x", max_tokens=30, extra_body={"cosec": PLAIN}
    )
    assert [(body["prompt"], body["suffix"]) for body in target.bodies] == [(prompt(0), "return x")]


def test_switched_off_the_target_answers_alone(client: OpenAI) -> None:
    answer = client.completions.create(
        model="hardened", prompt=prompt(5), max_tokens=100, temperature=0, extra_body={"cosec": {"enabled": False}}
    )
    assert answer.choices[0].text == written(prompt(5))
    assert answer.model_extra["metrics"]["cosec"]["enabled"] is False


def test_stop_texts_and_limits(client: OpenAI) -> None:
    whole = written(prompt(2))
    common = {"model": "hardened", "prompt": prompt(2), "temperature": 0, "extra_body": {"cosec": PLAIN}}
    stopped = client.completions.create(**common, max_tokens=100, stop=whole[10:14]).choices[0]
    assert (stopped.text, stopped.finish_reason) == (whole[: whole.index(whole[10:14])], "stop")
    limited = client.completions.create(**common, max_tokens=9).choices[0]
    assert (limited.text, limited.finish_reason) == (whole[:9], "length")


@pytest.mark.parametrize("given", [{}, {"max_tokens": -1}, {"max_completion_tokens": 9}])
def test_a_chat_without_a_limit_leaves_its_length_to_the_target(
    client: OpenAI, target: FakeServer, given: dict[str, int]
) -> None:
    target.bodies.clear()
    messages = [{"role": "user", "content": "write f\n:"}]
    answer = client.chat.completions.create(
        model="hardened", messages=messages, seed=1, temperature=0, extra_body={**given, "cosec": PLAIN}
    )
    limit = given.get("max_completion_tokens")
    assert [body.get("max_tokens") for body in target.bodies] == [limit]
    text = written("<user>write f\n:<assistant>")[:limit]
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (text, "length" if limit else "stop")


def test_a_chat_without_a_limit_ends_at_that_of_the_proxy(tiny_pair: PreparedPair) -> None:
    messages = [{"role": "user", "content": "go"}]
    limits = ServerSettings(max_tokens=12)
    with (
        running(FakeServer(lambda _: "a b " * 20000, chunk=1)) as endless,
        proxy(tiny_pair, endless, limits=limits) as url,
    ):
        answer = httpx2.post(f"{url}/chat/completions", json={"messages": messages, "cosec": PLAIN}, timeout=60)
    (choice,) = answer.json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("a b " * 3, "length")


@pytest.mark.parametrize(
    ("end", "status"), [("eos", 200), ("eos_token", 200), ("stop_sequence", 200), ("content_filter", 502)]
)
@pytest.mark.parametrize("streams", [True, False])
def test_an_end_of_the_text_is_one_whatever_the_server_calls_it(
    tiny_pair: PreparedPair, end: str, status: int, streams: bool
) -> None:
    with running(FakeServer(written, end=end, streams=streams)) as server, proxy(tiny_pair, server) as url:
        body = {"prompt": prompt(0), "max_tokens": 100, "cosec": PLAIN}
        answer = httpx2.post(f"{url}/completions", json=body, timeout=60)
    assert answer.status_code == status
    if status == 200:
        (choice,) = answer.json()["choices"]
        assert (choice["text"], choice["finish_reason"]) == (written(prompt(0)), "stop")


def test_a_target_that_begins_a_new_answer_cannot_harden_a_chat(tiny_pair: PreparedPair) -> None:
    asked = {"model": "hardened", "messages": [{"role": "user", "content": "x\n:"}], "max_tokens": 40}
    with (
        running(FakeServer(written, continues=False)) as anew,
        proxy(tiny_pair, anew) as url,
        OpenAI(base_url=url, api_key="none", max_retries=0) as client,
    ):
        with pytest.raises(APIStatusError, match="begins a new answer instead of continuing") as error:
            client.chat.completions.create(**asked, seed=1, extra_body={"cosec": {"strength": 0.0}})
        assert error.value.status_code == 502
        alone = client.chat.completions.create(**asked, extra_body={"cosec": {"enabled": False}})
    assert alone.choices[0].message.content


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cosec": {"rule": "threshold", "preset": "release"}}, "Use --preset paper"),
        ({"cosec": {"rule": "steer"}}, "Use --rule gate or --rule threshold"),
        ({"cosec": {"decision": "steered"}}, "Decisions cannot be steered"),
        ({"logprobs": 2}, "without alternatives"),
        ({"logprobs": 0, "echo": True}, "no echo"),
        ({"ignore_eos": True}, "tokens"),
    ],
)
def test_what_needs_the_targets_probabilities_is_refused(client: OpenAI, given: dict[str, object], said: str) -> None:
    with pytest.raises(APIStatusError, match=said) as error:
        client.completions.create(model="hardened", prompt="x", max_tokens=4, extra_body=given)
    assert error.value.status_code == 400


def test_log_probabilities_are_the_servers_where_its_text_was_kept(client: OpenAI) -> None:
    asked = {"model": "hardened", "prompt": prompt(0), "max_tokens": 30, "seed": 2, "extra_body": {}}
    (choice,) = client.completions.create(**asked, logprobs=0).choices
    assert choice.logprobs is not None
    tokens, values = choice.logprobs.tokens, choice.logprobs.token_logprobs
    assert None in values, "what a decision wrote has none"
    assert all(value is None for token, value in zip(tokens, values, strict=True) if token.startswith("bytes:"))
    kept = [(token, value) for token, value in zip(tokens, values, strict=True) if value is not None]
    assert len(kept) > 5
    for token, value in kept:
        assert token in choice.text
        assert value == pytest.approx(-sum(map(ord, token)) / 100)
    streamed = client.completions.create(**asked, logprobs=0, stream=True)
    pieces = [one.choices[0].logprobs.token_logprobs for one in streamed if one.choices and one.choices[0].logprobs]
    assert [value for piece in pieces for value in piece] == values


def test_a_chat_has_the_servers_log_probabilities_too(client: OpenAI) -> None:
    asked = client.chat.completions.create(
        model="hardened", messages=[{"role": "user", "content": "go"}], max_tokens=20, logprobs=True, extra_body=PLAINLY
    )
    entries = asked.choices[0].logprobs.content
    assert bytes(byte for one in entries for byte in one.bytes).decode() == asked.choices[0].message.content
    kept = [one for one in entries if not one.token.startswith("bytes:")]
    assert all(one.logprob == pytest.approx(-sum(map(ord, one.token)) / 100) for one in kept)
    assert kept


def test_token_ids_are_refused_and_models_tell_the_rule(client: OpenAI) -> None:
    with pytest.raises(APIStatusError, match="not token ids"):
        client.completions.create(model="hardened", prompt=[1, 2, 3], max_tokens=4)
    (model,) = client.models.list().data
    assert model.id == "hardened"
    assert set(model.model_extra["rules"]) == {"gate", "threshold"}
    assert set(model.model_extra["rules"]["threshold"]["settings"]) == {"threshold", "security_ratio"}
    assert set(model.model_extra["rules"]["gate"]["settings"]) == {"strength", "divergence", "plausibility_floor"}
    assert model.model_extra["cosec"]["strength"] == OFTEN


def test_the_audit_log_names_every_intervention(tiny_pair: PreparedPair, target: FakeServer, tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", with_text=True)
    with proxy(tiny_pair, target, log) as url:
        body = {"prompt": prompt(1), "max_tokens": 40, "seed": 2, "cosec": {"audit": "tokens"}}
        choice = httpx2.post(f"{url}/completions", json=body, timeout=60, verify=False).json()["choices"][0]
    (line,) = map(json.loads, (tmp_path / "audit.jsonl").read_text().splitlines())
    changed = [one for one in choice["cosec"]["tokens"] if one["changed"]]
    assert changed
    assert [(one["token"], one["text"]) for one in line["interventions"]] == [
        (one["position"], one["text"]) for one in changed
    ]


def test_a_request_that_the_target_refuses_gets_400_with_its_words(tiny_pair: PreparedPair) -> None:
    with running(FakeServer(written, fault_rate=1.0, faults=("400",))) as strict, proxy(tiny_pair, strict) as url:
        answer = httpx2.post(f"{url}/completions", json={"prompt": prompt(0)}, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert 'HTTP 400: {"error": "busy"}' in answer.json()["error"]["message"]


def test_a_target_that_does_not_list_its_models_yet_is_asked_again(
    tiny_pair: PreparedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosec.decoding.blackbox.gated_text.Patience.before_try", lambda *_: 0.0)
    with running(FakeServer(written, listing_faults=[503, 503])) as loading, proxy(tiny_pair, loading) as url:
        answer = httpx2.post(f"{url}/completions", json={"prompt": prompt(0), "max_tokens": 4}, timeout=60)
    assert answer.status_code == 200
    assert loading.listing_faults == []


@pytest.mark.parametrize(
    ("roles", "given", "sent"),
    [
        (["user"], {}, {}),
        (["user"], {"add_generation_prompt": True}, {}),
        (["user"], {"add_generation_prompt": False}, {}),
        (["user", "assistant"], {}, {"add_generation_prompt": False, "continue_final_message": True}),
        (
            ["user", "assistant"],
            {"add_generation_prompt": True},
            {"add_generation_prompt": True, "continue_final_message": False},
        ),
        (
            ["user", "assistant"],
            {"continue_final_message": False},
            {"add_generation_prompt": True, "continue_final_message": False},
        ),
    ],
)
def test_the_target_ends_a_chats_prompt_as_the_request_says(
    client: OpenAI, target: FakeServer, roles: list[str], given: dict[str, bool], sent: dict[str, bool]
) -> None:
    target.bodies.clear()
    messages = [{"role": role, "content": "x = 1\n"} for role in roles]
    extra = {**given, **PLAINLY}
    client.chat.completions.create(model="hardened", messages=messages, max_tokens=4, extra_body=extra)
    first = next(body for body in target.bodies if body.get("stream"))
    assert {name: first[name] for name in ("add_generation_prompt", "continue_final_message") if name in first} == sent


@pytest.mark.parametrize("any_name", [False, True])
def test_a_proxy_without_a_name_of_its_own_answers_to_that_of_the_target(
    tiny_pair: PreparedPair, target: FakeServer, any_name: bool
) -> None:
    address = ServerAddress(url=target.url, seconds=20)
    reader = SecurityReader(tiny_pair)
    service = build_proxy(lambda _: OpenAiServer(address), reader, (target.url,), any_name=any_name)
    with answering(service) as url:
        body = {"model": "qwen2.5-coder", "prompt": prompt(0), "max_tokens": 4}
        answer = httpx2.post(f"{url}/completions", json=body, timeout=60)
    assert answer.status_code == (200 if any_name else 404)
    assert not any_name or answer.json()["model"] == "qwen2.5-coder"


def test_a_name_that_is_far_too_long_is_refused(tiny_pair: PreparedPair, target: FakeServer) -> None:
    reader = SecurityReader(tiny_pair)
    service = build_proxy(lambda _: OpenAiServer(ServerAddress(url=target.url)), reader, ("a",), any_name=True)
    with answering(service):
        assert service.model("b" * 256) == "b" * 256
        with pytest.raises(ApiError, match="There is no model 'bbb"):
            service.model("b" * 257)


def test_a_refused_question_of_the_proxy_itself_stays_a_502(tiny_pair: PreparedPair) -> None:
    strict = FakeServer(written, refuses=("continue_final_message",))
    with running(strict), proxy(tiny_pair, strict) as url:
        body = {"messages": [{"role": "user", "content": "write f\n:"}], "max_tokens": 40, "temperature": 0, "seed": 1}
        answer = httpx2.post(f"{url}/chat/completions", json=body, timeout=60)
    assert answer.status_code == 502


def test_a_failing_target_gets_502_and_no_text(tiny_pair: PreparedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosec.decoding.blackbox.gated_text.Patience.before_try", lambda *_: 0.0)
    with (
        running(FakeServer(written, fault_rate=1.0, faults=("500",))) as broken,
        proxy(tiny_pair, broken) as url,
    ):
        answer = httpx2.post(f"{url}/completions", json={"prompt": prompt(0)}, timeout=60)
        assert answer.status_code == 502
        assert "nothing unchecked was returned" in answer.json()["error"]["message"]
        described = httpx2.get(f"{url.removesuffix('v1')}openapi.json").json()
        assert "502" in described["paths"]["/v1/completions"]["post"]["responses"]


def test_a_client_that_leaves_ends_what_the_target_writes(tiny_pair: PreparedPair) -> None:
    slow = FakeServer(lambda _: "a b " * 20000, chunk=4, pause=0.4)
    with running(slow) as endless, proxy(tiny_pair, endless) as url:
        body = {"prompt": "x", "max_tokens": 100, "stream": True, "cosec": PLAIN}
        with httpx2.stream("POST", f"{url}/completions", json=body, timeout=60) as response:
            next(response.iter_lines())
        deadline = time.monotonic() + 30
        metrics = url.removesuffix("v1") + "metrics"
        while 'status="499"' not in httpx2.get(metrics).text or not endless.cancelled:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_load_is_told_while_requests_run_and_after_them(tiny_pair: PreparedPair) -> None:
    slow = FakeServer(lambda _: "a b " * 20000, chunk=4, pause=0.1)
    with running(slow) as endless, proxy(tiny_pair, endless, limits=ServerSettings(max_rows=1)) as url:

        def load() -> dict[str, float]:
            lines = httpx2.get(url.removesuffix("v1") + "metrics").text.splitlines()
            told = dict(line.split() for line in lines if line.startswith(("cosec_batch_rows ", "cosec_queue_depth ")))
            return {name: float(value) for name, value in told.items()}

        body = {"prompt": "x", "n": 3, "max_tokens": 100, "stream": True, "cosec": PLAIN}
        with httpx2.stream("POST", f"{url}/completions", json=body, timeout=60) as response:
            lines = response.iter_lines()  # which would close the connection at its own end
            next(lines)
            assert load() == {"cosec_batch_rows": 1, "cosec_queue_depth": 2}
        deadline = time.monotonic() + 30
        while load() != {"cosec_batch_rows": 0, "cosec_queue_depth": 0}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
