"""Requests that need no pass of the target: the same texts without it, and nothing said about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import pytest

from cosec.decoding.engine.lanes import PairedLanes
from cosec.decoding.pairing import PreparedPair
from cosec.serving.access.audit_log import AuditLog
from cosec.serving.settings import ServerSettings
from tests.decoding.pairs import separate_pair
from tests.serving.conftest import Served, serving

PROMPT = "def read(path):\n"
RULE: dict[str, object] = {"name": "steer", "strength": 1.0}


@pytest.fixture(scope="module")
def steering(tiny_pair: PreparedPair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = AuditLog(tmp_path_factory.mktemp("audit") / "log.jsonl")
    with serving(tiny_pair, rule=RULE, audit_log=log) as running:
        yield running


@pytest.fixture
def without_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass of the target fails."""

    def fail(*_: object) -> NoReturn:
        raise AssertionError("the target runs")

    monkeypatch.setattr(PairedLanes, "advance", fail)


def ask(served: Served, **body: Any) -> Any:
    asked = {"prompt": PROMPT, "max_tokens": 10, "seed": 3, **body}
    answer = httpx2.post(served.url + "/v1/completions", json=asked, timeout=60, verify=False)  # quick: no certificates
    assert answer.status_code == 200, answer.text
    return answer.json()


def texts(answer: Any) -> list[tuple[str, str]]:
    return [(choice["text"], choice["finish_reason"]) for choice in answer["choices"]]


def streamed(served: Served, **body: Any) -> str:
    text, asked = "", {"prompt": PROMPT, "max_tokens": 10, "seed": 3, "stream": True, **body}
    with served.client() as http, http.stream("POST", "/v1/completions", json=asked) as lines:
        for line in lines.iter_lines():
            if line.startswith("data: {"):
                text += "".join(choice["text"] for choice in json.loads(line[6:])["choices"])
    return text


def counted(served: Served, name: str) -> float:
    lines = served.service.telemetry.text().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"cosec_{name}_total"))


@pytest.mark.parametrize(
    "body",
    [
        {"n": 3, "temperature": 0.8},
        {"stop": ["a", "e", " "], "temperature": 1.5},
        {"min_tokens": 8, "top_p": 0.9},
        {"prompt": ["x = é", PROMPT], "temperature": 0, "echo": True},
    ],
    ids=lambda body: next(iter(body)),
)
def test_a_text_is_the_same_with_and_without_the_target(steering: Served, body: dict[str, Any]) -> None:
    brief, whole = (ask(steering, **body, cosec={"audit": audit}) for audit in ("summary", "tokens"))
    assert texts(brief) == texts(whole)
    assert brief["usage"] == whole["usage"]
    assert texts(brief) != texts(ask(steering, **body, cosec={"enabled": False}))
    both = [answer["metrics"]["cosec"] for answer in (brief, whole)]
    assert both[0] == {**both[1], "changed": None}
    assert both[1]["changed"] >= 0


@pytest.mark.usefixtures("without_target")
def test_the_target_does_not_run_for_requests_that_tell_nothing_about_it(steering: Served) -> None:
    before = counted(steering, "tokens"), counted(steering, "compared_tokens")
    assert ask(steering)["metrics"]["cosec"]["changed"] is None
    assert "metrics" not in ask(steering, cosec={"audit": "none"})
    assert streamed(steering) == ask(steering)["choices"][0]["text"]
    assert counted(steering, "tokens") > before[0]
    assert counted(steering, "compared_tokens") == before[1]
    assert steering.service.audit_log is not None
    entry = json.loads(steering.service.audit_log._path.read_text().splitlines()[-1])
    assert entry["cosec"]["changed"] is None


def test_what_a_request_asks_about_the_target_is_told(steering: Served) -> None:
    before = counted(steering, "compared_tokens")
    audited = ask(steering, cosec={"audit": "tokens"})
    tokens = audited["choices"][0]["cosec"]["tokens"]
    assert all("target_prob" in token and "changed" in token for token in tokens)
    assert audited["metrics"]["cosec"]["changed"] == sum(token["changed"] for token in tokens)
    assert counted(steering, "compared_tokens") == before + len(tokens)
    scored = ask(steering, logprobs=1)
    assert None not in scored["choices"][0]["logprobs"]["token_logprobs"]
    assert isinstance(scored["metrics"]["cosec"]["changed"], int)
    assert texts(scored) == texts(audited)


@pytest.mark.parametrize("cosec", [{"strength": 1.5}, {"rule": "gate"}, {"rule": "threshold"}, {"enabled": False}])
def test_another_rule_keeps_the_target(steering: Served, cosec: dict[str, Any]) -> None:
    before = counted(steering, "compared_tokens")
    tokens = ask(steering, cosec=cosec)["usage"]["completion_tokens"]
    assert counted(steering, "compared_tokens") == before + tokens


def test_requests_of_both_kinds_run_at_once(steering: Served) -> None:
    kinds: list[dict[str, Any]] = [
        {},
        {"cosec": {"audit": "tokens"}},
        {"cosec": {"strength": 1.5}},
        {"cosec": {"enabled": False}},
    ]
    bodies = [{"seed": index, "n": 2, "temperature": 0.8, **kinds[index % 4]} for index in range(8)]
    alone = [texts(ask(steering, **body)) for body in bodies]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: texts(ask(steering, **body)), bodies)) == alone


def test_a_server_can_always_ask_the_target(tiny_pair: PreparedPair) -> None:
    with serving(tiny_pair, rule=RULE, limits=ServerSettings(target_records=True)) as running:
        assert isinstance(ask(running)["metrics"]["cosec"]["changed"], int)


def test_the_target_runs_where_it_is_another_model(tmp_path: Path) -> None:
    with serving(separate_pair(tmp_path)) as running:
        assert isinstance(ask(running)["metrics"]["cosec"]["changed"], int)
