"""What happens when things go wrong: full queues, clients that leave, failures, deadlines, and the end."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.runtime.torch.kv_cache.shared_prefix import SharedPrefix
from cosec.serving.api.exchange import Exchange
from cosec.serving.scheduler import scheduler
from cosec.serving.scheduler.batches import Batches
from cosec.serving.scheduler.fair_queue import FairQueue
from cosec.serving.scheduler.tickets import Progress
from cosec.serving.settings import ServerSettings
from tests.serving.conftest import Served, serving

LONG = {"prompt": "def read(path):\n", "max_tokens": 80, "temperature": 2.0, "seed": 1}


def until(met: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block takes long enough to act in between."""
    step = Batches.step

    def delayed(self: Batches, arm: Any) -> Any:
        time.sleep(0.03)
        return step(self, arm)

    monkeypatch.setattr(Batches, "step", delayed)


@pytest.fixture
def small(slow: None, tiny_pair: PreparedPair) -> Iterator[Served]:
    with serving(tiny_pair, limits=ServerSettings(max_rows=2, max_queue=3, max_samples=3)) as running:
        yield running


def post(served: Served, **body: Any) -> httpx2.Response:
    with served.client() as http:
        return http.post("/v1/completions", json={**LONG, **body})


def active(served: Served) -> int:
    return served.service.scheduler._batches.active


def idle(served: Served) -> bool:
    scheduler = served.service.scheduler
    return active(served) == 0 and not scheduler._tickets and not len(scheduler._queue)


def test_a_full_queue_says_429_and_when_to_retry(small: Served) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda seed: post(small, seed=seed, max_tokens=20), range(12)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"]["type"] == "rate_limit_error"
    until(lambda: idle(small))


def test_more_samples_than_rows_are_served_in_turn(small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, step = [], Batches.step

    def watched(batches: Batches, arm: Any) -> Any:
        seen.append(batches.active)
        return step(batches, arm)

    monkeypatch.setattr(Batches, "step", watched)
    answer = post(small, n=3, max_tokens=10).json()
    assert max(seen) == small.service.limits.max_rows == 2
    assert len(answer["choices"]) == 3
    one = post(small, n=1, max_tokens=10).json()
    assert answer["choices"][0]["text"] == one["choices"][0]["text"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_row_within_a_block(small: Served, stream: bool) -> None:
    body = json.dumps({**LONG, "stream": stream})
    with socket.create_connection(("127.0.0.1", int(small.url.rpartition(":")[2]))) as connection:
        head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        until(lambda: active(small) == 1)
    left = time.monotonic()
    until(lambda: active(small) == 0)
    assert time.monotonic() - left < 1.2, "80 blocks of 0.03 s would have taken 2.4 s"
    until(lambda: idle(small))
    until(lambda: b'cosec_requests_total{status="499"} 1.0' in small.service.telemetry.text())


def test_an_engine_failure_fails_its_requests_and_the_server_goes_on(
    small: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    step = Batches.step
    monkeypatch.setattr(Batches, "step", lambda self, arm: 1 // 0)
    answer = post(small)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "engine_failure"
    assert "ZeroDivisionError" not in answer.text
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.setattr(Batches, "step", step)
    assert post(small, max_tokens=5).status_code == 200
    until(lambda: idle(small))


@pytest.mark.parametrize("stream", [False, True])
def test_a_defect_is_recorded_as_one(small: Served, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    async def failing(exchange: Exchange) -> AsyncIterator[Progress]:
        raise ZeroDivisionError
        yield

    monkeypatch.setattr(Exchange, "progress", failing)
    recorded: list[int] = []
    monkeypatch.setattr(small.service.telemetry, "request", lambda status, tokens=0: recorded.append(status))
    assert post(small, stream=stream).status_code == 500
    assert recorded == [500]


def test_a_defect_in_the_middle_of_a_stream_is_recorded_once(small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(exchange: Exchange) -> AsyncIterator[Progress]:
        yield Progress(choice=0, text="a", records=(), finish_reason=None)
        raise ZeroDivisionError

    monkeypatch.setattr(Exchange, "progress", failing)
    recorded: list[int] = []
    monkeypatch.setattr(small.service.telemetry, "request", lambda status, tokens=0: recorded.append(status))
    with pytest.raises(httpx2.RemoteProtocolError):
        post(small, stream=True)
    until(lambda: bool(recorded) and idle(small))
    assert recorded == [500]


def test_a_failure_in_one_arm_leaves_the_other_alone(small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Batches.step
    monkeypatch.setattr(Batches, "step", lambda self, arm: step(self, arm) if arm == "target" else 1 // 0)
    with ThreadPoolExecutor(2) as pool:
        origin = pool.submit(post, small, cosec={"enabled": False}, max_tokens=40)
        until(lambda: active(small) == 1)
        assert pool.submit(post, small).result().status_code == 500
        assert origin.result().status_code == 200


def test_a_failure_while_a_prompt_is_read_fails_that_request_alone(
    small: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Batches.read
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(post, small, max_tokens=40)
        until(lambda: active(small) == 1)
        monkeypatch.setattr(Batches, "read", lambda self, reading, at_most: 1 // 0)
        assert post(small, prompt="int main(").status_code == 500
        monkeypatch.setattr(Batches, "read", read)
        assert running.result().status_code == 200
    assert post(small, prompt="int main(", max_tokens=5).status_code == 200


def test_a_stream_that_fails_says_so_in_the_stream(small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with small.client() as http, http.stream("POST", "/v1/completions", json={**LONG, "stream": True}) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        monkeypatch.setattr(Batches, "step", lambda self, arm: 1 // 0)
        rest = [line for line in lines if line]
    assert "engine_failure" in rest[-1]
    assert "[DONE]" not in "".join(rest)


def test_a_request_that_takes_too_long_is_given_up(slow: None, tiny_pair: PreparedPair) -> None:
    with serving(tiny_pair, limits=ServerSettings(deadline_seconds=2)) as running:
        answer = post(running, max_tokens=100, ignore_eos=True)  # 3 s
        assert answer.status_code == 504
        until(lambda: idle(running))
        assert post(running, max_tokens=3).status_code == 200


def test_draining_finishes_what_runs_and_refuses_what_comes(small: Served) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(post, small, max_tokens=40)
        until(lambda: active(small) == 1)
        small.server.handle_exit(signal.SIGTERM, None)
        refused = post(small)
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        with small.client() as http:
            assert http.get("/health").json() == {"status": "draining"}
        assert running.result().json()["usage"]["completion_tokens"] > 3
    until(lambda: small.server.should_exit)


def test_a_slow_body_gets_408(tiny_pair: PreparedPair) -> None:
    with (
        serving(tiny_pair, limits=ServerSettings(body_seconds=0.2)) as running,
        socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2]))) as connection,
    ):
        head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert b" 408 " in connection.recv(100)


def test_a_long_prompt_does_not_hold_up_the_others(tiny_pair: PreparedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    # With a chunk of 8, a prompt of about 90 tokens joins over a dozen blocks of the others.
    order: list[str] = []
    read, step = Batches.read, Batches.step

    def noted_read(self: Batches, reading: Any, at_most: int) -> int:
        assert at_most <= 8 or "step" not in order
        count = read(self, reading, at_most)
        order.append("read")
        return count

    def noted_step(self: Batches, arm: Any) -> Any:
        time.sleep(0.02)
        order.append("step")
        return step(self, arm)

    monkeypatch.setattr(Batches, "read", noted_read)
    monkeypatch.setattr(Batches, "step", noted_step)
    with serving(tiny_pair, limits=ServerSettings(prefill_chunk=8)) as running, ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, running, max_tokens=60)
        until(lambda: "step" in order)
        del order[:]
        assert post(running, prompt="é" * 45, max_tokens=1).status_code == 200
        assert "".join(name[0] for name in order).count("rs") >= 10
        assert first.result().status_code == 200


def test_requests_for_one_prompt_keep_it_once_whenever_they_join(
    tiny_pair: PreparedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[int, int]] = []
    plan, step, go_on = SharedPrefix._plan, Batches.step, threading.Event()

    def noted(self: SharedPrefix) -> None:
        plan(self)
        kept.append((len(self._groups), len(self._storage.names)))

    def held(self: Batches, arm: Any) -> Any:
        go_on.wait(10)
        return step(self, arm)

    monkeypatch.setattr(SharedPrefix, "_plan", noted)
    monkeypatch.setattr(Batches, "step", held)
    with serving(tiny_pair) as running, ThreadPoolExecutor(4) as pool:
        go_on.set()
        alone = [post(running, seed=seed, max_tokens=24).json()["choices"][0]["text"] for seed in range(3)]
        assert kept == []
        go_on.clear()
        first = pool.submit(post, running, seed=0, max_tokens=24)
        until(lambda: active(running) == 1)
        others = [pool.submit(post, running, prompt="int main(void)", max_tokens=4)]
        others += [pool.submit(post, running, seed=seed, max_tokens=24) for seed in (1, 2)]
        until(lambda: len(running.service.scheduler._queue) == 3)
        go_on.set()
        assert [one.result().json()["choices"][0]["text"] for one in (first, *others[1:])] == alone
        assert others[0].result().status_code == 200
    rows, prompts = max(kept)
    assert rows == 2 * prompts, "four sequences of two prompts"


def test_an_idle_server_gives_kept_memory_back_once(tiny_pair: PreparedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[bool] = []
    monkeypatch.setattr(scheduler, "_TIDY_SECONDS", 0.2)
    with serving(tiny_pair) as running:
        batches = running.service.scheduler._batches

        monkeypatch.setattr(scheduler, "give_back_free_memory", lambda: given_back.append(batches.holds_spare_memory))
        assert post(running, max_tokens=4).status_code == 200
        assert batches.holds_spare_memory, "the next request finds its memory"
        until(lambda: given_back)
        time.sleep(0.5)
    assert given_back == [False]


def test_gaps_in_memory_go_back_under_load_too(tiny_pair: PreparedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[float] = []
    monkeypatch.setattr(scheduler, "give_back_free_memory", lambda: given_back.append(time.monotonic()))
    with serving(tiny_pair) as running:
        assert post(running, max_tokens=4).status_code == 200
        assert given_back == []
        monkeypatch.setattr(scheduler, "_TIDY_UNDER_LOAD_SECONDS", 0.0)
        assert post(running, max_tokens=4).status_code == 200
    assert given_back


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fills with the size of each piece of a prompt that is read."""
    pieces: list[int] = []
    read = Batches.read

    def noted(self: Batches, reading: Any, at_most: int) -> int:
        pieces.append(read(self, reading, at_most))
        return pieces[-1]

    monkeypatch.setattr(Batches, "read", noted)
    return pieces


def test_an_idle_server_reads_a_prompt_in_one_piece(tiny_pair: PreparedPair, fed: list[int]) -> None:
    with serving(tiny_pair, limits=ServerSettings(prefill_chunk=16)) as running:
        assert post(running, prompt="é" * 45, max_tokens=1).status_code == 200
    assert len(fed) == 1
    assert fed[0] > 16


def test_who_is_alone_gets_the_first_token_from_the_pass_that_reads_the_prompt(
    tiny_pair: PreparedPair, passes: list[int]
) -> None:
    with serving(tiny_pair) as running:
        read = len(tiny_pair.tokenizer("x = [1, 2, 3]").input_ids)
        assert post(running, prompt="x = [1, 2, 3]", max_tokens=4).status_code == 200
        assert passes == [read, 1, 1, 1]
        del passes[:]
        assert post(running, prompt="x = [1, 2, 3]", n=2, max_tokens=2).status_code == 200
        assert passes == [1, 1], "samples of a known prompt need no reading"


def test_a_prompt_that_extends_the_last_one_is_read_from_where_it_ends(tiny_pair: PreparedPair, fed: list[int]) -> None:
    prompts = ["x = [1, 2, 3]\ny = [4, 5, 6]\n"]
    with serving(tiny_pair) as running:
        written = post(running, prompt=prompts[0]).json()["choices"][0]["text"]
        prompts.append(prompts[0] + ("q =" if written.startswith("z") else "z ="))  # what was written is kept too
        with_cache = post(running, prompt=prompts[1]).json()
        tokens = [len(tiny_pair.tokenizer(prompt).input_ids) for prompt in prompts]
        assert fed == [tokens[0] - 1, tokens[1] - 1 - tokens[0]]
        post(running, prompt=prompts[1], cosec={"enabled": False})
        assert fed[-1] == tokens[1] - 1, "another arm remembers nothing of it"
    with serving(tiny_pair, limits=ServerSettings(prefix_cache_tokens=0)) as running:
        post(running, prompt=prompts[0])
        without = post(running, prompt=prompts[1]).json()
        assert fed[-1] == tokens[1] - 1
    assert with_cache["choices"] == without["choices"]


def test_clients_take_turns() -> None:
    queue = FairQueue[int]()
    for item in range(4):
        queue.push("busy", item)
    queue.push("other", 10)
    queue.push("third", 20)
    assert [queue.pop() for _ in range(3)] == [0, 10, 20]
    queue.push("other", 11)
    assert queue.pop() == 1
    queue.put_back("busy", 1)
    assert [queue.pop() for _ in range(2)] == [1, 11]
    assert queue.remove(lambda item: item == 2) == [2]
    assert list(queue) == [3]
    assert (queue.pop(), queue.pop(), len(queue)) == (3, None, 0)


def test_no_thread_is_left_behind(tiny_pair: PreparedPair) -> None:
    before = threading.active_count()
    for _ in range(3):
        with serving(tiny_pair) as running:
            post(running, max_tokens=3)
    until(lambda: threading.active_count() <= before)
