"""Completions of a target server under the scheduler, as they are counted."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence

from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress
from cosec.decoding.blackbox.targets.text_target import TargetPrompt
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenRecord
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.target_scheduler import TargetScheduler
from cosec.serving.scheduler.tickets import Event, Progress
from cosec.serving.settings import ServerSettings
from cosec.serving.telemetry import Telemetry
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.decoding.blackbox.test_completer import prompt, written


class _Blocks(Telemetry):
    """Keeps what it is told of tokens."""

    def __init__(self) -> None:
        super().__init__(enabled=False)
        self.found: list[tuple[int, float]] = []

    def block(self, emitted: Sequence[tuple[Sequence[TokenRecord], float]]) -> None:
        self.found += [(len(records), seconds) for records, seconds in emitted]


def test_the_time_of_tokens_includes_that_of_text_whose_tokens_are_not_known_yet(tiny_pair: PreparedPair) -> None:
    asked = DecodingRequest(
        prompts=(tuple(tiny_pair.tokenizer(prompt(0)).input_ids),),
        samples=1,
        settings=DecodingSettings(),
        hardened=False,
        max_new_tokens=40,
        audit="none",
        target_prompts=(TargetPrompt(text=prompt(0)),),
    )
    events: queue.Queue[Event] = queue.Queue()
    blocks = _Blocks()
    with running(FakeServer(written, chunk=1, pause=0.005)) as server:
        address = ServerAddress(url=server.url)
        scheduler = TargetScheduler(
            lambda _: OpenAiServer(address), SecurityReader(tiny_pair), ServerSettings(), blocks
        )
        scheduler.start()
        started = time.monotonic()
        scheduler.submit(asked, "a client", events.put)
        text, ended = "", False
        while not ended:
            event = events.get(timeout=20)
            assert isinstance(event, Progress)
            text, ended = text + event.text, event.finish_reason is not None
        passed = time.monotonic() - started
        scheduler.stop()
    assert text == written(prompt(0))
    assert any(not count for count, _ in blocks.found), "a word's tokens are known at its end"
    assert 0.6 * passed < sum(seconds for count, seconds in blocks.found if count) <= passed
