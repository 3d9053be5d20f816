from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from cosec.errors import EndpointError
from cosec.evaluation.load import Target, measure_load, percentile
from tests.decoding.pairs import shared_pair
from tests.serving.conftest import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(shared_pair(tmp_path_factory.mktemp("served"))) as running:
        yield running


def test_a_load_counts_every_stream_and_finds_none_mixed_up(served: Served) -> None:
    result = measure_load(Target(url=served.url), ["def", "int"], streams=6, requests=20, max_tokens=10, check=True)
    assert (result.requests, result.failed, result.mixed_up) == (20, 0, 0)
    assert 100 <= result.tokens <= 200
    assert result.tokens_per_second == pytest.approx(result.tokens / result.seconds)


def test_failures_are_counted_and_named(served: Served) -> None:
    with pytest.raises(EndpointError, match=r"HTTP 400.*threshold.*\. Change what it refuses\.$"):
        measure_load(Target(url=served.url), ["def"], streams=1, requests=1, max_tokens=5, cosec={"threshold": -1.0})
    with pytest.raises(EndpointError, match=r"first said: Connection refused\. See whether the server runs"):
        measure_load(Target(url="http://127.0.0.1:9"), ["def"], streams=1, requests=1, max_tokens=5)
    mixed = measure_load(Target(url=served.url), ["def", "x" * 4000], streams=2, requests=4, max_tokens=5)
    assert mixed.failed == 2


def test_an_address_may_end_with_v1(served: Served) -> None:
    result = measure_load(Target(url=f"{served.url}/v1/"), ["def"], streams=1, requests=1, max_tokens=5)
    assert result.failed == 0


def test_percentiles() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([7], 0.95) == 7
    assert percentile([], 0.5) is None


@pytest.mark.parametrize("event", ['{"choices": null}', '{"usage": {"total_tokens": 3}}', "[]"])
def test_a_stream_of_another_form_is_a_failure(event: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"data: {event}\n\ndata: [DONE]\n\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        target = Target(url=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(EndpointError, match="another form than those of OpenAI's API"):
            measure_load(target, ["def"], streams=1, requests=2, max_tokens=5)
        server.shutdown()
        thread.join()
