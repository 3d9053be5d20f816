from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cosec.cli.main import main
from cosec.decoding.settings import SamplingSettings
from cosec.errors import EndpointError
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.generation.endpoint import SEED_STEP, EndpointGenerator
from cosec.evaluation.study.generation.models import KEY_VARIABLE, EndpointSource
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Task
from tests.evaluation.scripted import judges, write_scenarios

Choices = Callable[[dict[str, Any]], list[dict[str, Any]]]


def choice(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "text": text, "finish_reason": "stop", "logprobs": None}


class Scripted:
    """A server whose answers are a function of the request."""

    def __init__(self) -> None:
        self.choices: Choices = lambda asked: [choice(0, "x")]
        self.body: bytes | None = None
        """The whole body of every completion, in place of the choices."""
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({"object": "list", "data": [{"id": "served", "object": "model", "owned_by": "x"}]})

            def do_POST(self) -> None:
                script.keys.append(self.headers["Authorization"])
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                script.asked.append(asked)
                if script.body is not None:
                    self.send(script.body)
                    return
                choices = script.choices(asked)
                usage = {"prompt_tokens": 1, "completion_tokens": 3 * len(choices), "total_tokens": 1}
                self.answer({"id": "a", "object": "text_completion", "choices": choices, "usage": usage})

            def answer(self, body: dict[str, Any]) -> None:
                self.send(json.dumps({"created": 0, "model": "served", **body}).encode())

            def send(self, data: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def served() -> Iterator[Scripted]:
    script = Scripted()
    thread = threading.Thread(target=script.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield script
    script.server.shutdown()
    script.server.server_close()
    thread.join()


def complete(served: Scripted, samples: int, seed: int = 0) -> list[Sample]:
    generator = EndpointGenerator(served.url)
    task = Task(id="T", prompt="def f():", stop=("a", "b", "c", "d", "e"))
    settings = SamplingSettings(seed=seed, temperature=0.7, top_p=0.8, max_new_tokens=33)
    (found,) = generator.complete([task], samples=samples, sampling=settings)
    return found


def test_a_server_that_takes_n_is_asked_once(served: Scripted) -> None:
    served.choices = lambda asked: [choice(index, f"{index}") for index in reversed(range(asked["n"]))]
    found = complete(served, 4, seed=7)
    assert [(one.sample, one.text, one.tokens) for one in found] == [(index, f"{index}", 3) for index in range(4)]
    (asked,) = served.asked
    assert (asked["n"], asked["seed"], asked["model"], asked["stop"]) == (
        4,
        7 * SEED_STEP,
        "served",
        ["a", "b", "c", "d"],
    )
    assert (asked["temperature"], asked["top_p"], asked["max_tokens"]) == (0.7, 0.8, 33)


def test_a_server_that_ignores_n_is_asked_again_under_other_seeds_for_what_is_missing(served: Scripted) -> None:
    served.choices = lambda asked: [choice(0, f"seed {asked['seed']}")]
    found = complete(served, 3, seed=5)
    assert [one.sample for one in found] == [0, 1, 2]
    assert len({one.text for one in found}) == 3
    assert [asked["n"] for asked in served.asked] == [3, 2, 1]
    others = complete(served, 3, seed=6)
    assert {one.text for one in found}.isdisjoint(one.text for one in others)


@pytest.mark.parametrize("most", [10, 4])
def test_two_seeds_share_no_completion_where_a_server_gives_sample_i_the_seed_plus_i(
    served: Scripted, most: int
) -> None:
    served.choices = lambda asked: [choice(index, f"{asked['seed'] + index}") for index in range(min(most, asked["n"]))]
    first, second = ({one.text for one in complete(served, 10, seed=seed)} for seed in (0, 1))
    assert len(first) == len(second) == 10
    assert first.isdisjoint(second)


def test_a_server_that_answers_more_than_was_asked_for_adds_no_samples(served: Scripted) -> None:
    served.choices = lambda asked: [choice(0, f"{index}") for index in range(5)]
    assert [(one.sample, one.text) for one in complete(served, 2)] == [(0, "0"), (1, "1")]


def test_an_answer_without_choices_is_an_error_that_names_the_task(served: Scripted) -> None:
    served.choices = lambda asked: []
    with pytest.raises(EndpointError, match="without a text for T"):
        complete(served, 2)


@pytest.mark.parametrize("text", [None, 3, ["x"]])
def test_a_choice_without_a_text_is_an_error(served: Scripted, text: Any) -> None:
    served.choices = lambda asked: [choice(0, "x"), choice(1, text)]
    with pytest.raises(EndpointError, match="without a text for T"):
        complete(served, 2)


def test_choices_without_an_index_keep_their_order_and_tokens_that_are_not_counted_are_none(served: Scripted) -> None:
    choices = [choice(1, "a"), {**choice(0, "b"), "index": None, "finish_reason": None}]
    for usage in ({"completion_tokens": None}, {}, 5, None):
        served.body = json.dumps({"choices": choices, "usage": usage}).encode()
        found = complete(served, 2)
        assert [(one.text, one.tokens, one.finish_reason) for one in found] == [("a", 0, "stop"), ("b", 0, "stop")]


@pytest.mark.parametrize("body", [b"<html>hi", b"[]", b"{}", b'{"choices": 5}', b'"x"'])
def test_a_body_that_is_no_completion_is_an_error(served: Scripted, body: bytes) -> None:
    served.body = body
    with pytest.raises(EndpointError, match="T"):
        complete(served, 2)


def test_a_study_of_a_server_that_ignores_n_comes_to_its_end(
    served: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cosec.evaluation.judging.judges.default_judges", judges)
    scenarios = write_scenarios(tmp_path / "scenarios", 1)
    command = ["evaluate", "security", "--scenarios", str(scenarios), "--depth", "decision", "--samples", "3"]
    assert main([*command, "--endpoint", served.url, "--out", str(tmp_path / "out")]) == 0
    assert "3 of 3 completions judged" in capsys.readouterr().out


@pytest.mark.parametrize(("key", "sent"), [("secret", "Bearer secret"), (None, "Bearer none")])
def test_a_key_in_the_environment_is_sent(
    key: str | None, sent: str, served: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key is None:
        monkeypatch.delenv(KEY_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(KEY_VARIABLE, key)
    generator = EndpointSource(served.url, None).generator(DecodingArm(name="endpoint", alone=None))
    list(generator.complete([Task(id="T", prompt="p", stop=())], samples=1, sampling=SamplingSettings()))
    assert served.keys == [sent]


def test_a_chat_is_asked_through_the_chat_endpoint(served: Scripted) -> None:
    message = {"role": "assistant", "content": "```python\nx\n```"}
    served.choices = lambda asked: [
        {"index": index, "message": message, "finish_reason": "stop"} for index in range(asked["n"])
    ]
    task = Task(id="T", prompt="def f():", stop=(), format="chat")
    (found,) = EndpointGenerator(served.url).complete([task], samples=2, sampling=SamplingSettings(seed=3))
    assert [one.text for one in found] == ["```python\nx\n```"] * 2
    (asked,) = served.asked
    assert "def f():" in asked["messages"][0]["content"]
    assert "prompt" not in asked
    assert "stop" not in asked


def test_half_of_a_surrogate_pair_is_replaced(served: Scripted) -> None:
    served.choices = lambda asked: [choice(0, "a\ud83d")]
    assert [one.text for one in complete(served, 1)] == ["a?"]
