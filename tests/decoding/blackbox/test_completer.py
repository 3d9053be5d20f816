"""Completions of a target that gives text: what it writes, where decisions intervene, and how it fails."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

import pytest

from cosec.decoding.blackbox.completer import TextCompleter, TextCompletion
from cosec.decoding.blackbox.gated_text import GatedText, Patience, TextGrowth, TextRequest
from cosec.decoding.blackbox.reading import ContextFull, SecurityReader
from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress
from cosec.decoding.blackbox.targets.text_target import TargetPrompt
from cosec.decoding.settings import decoding_settings
from cosec.errors import EndpointError
from tests.decoding.blackbox.fake_server import FAULTS, FakeServer, running
from tests.decoding.blackbox.test_law import inline

NEVER = 1e9
"""A threshold that no divergence exceeds."""

OFTEN = 0.75
"""A threshold that the tiny adapter exceeds at one position in ten or so."""

LENGTH = 40
QUICK = Patience(tries=40, pause=0.0)


def written(text: str) -> str:
    """A deterministic model: the next characters depend on all text before, and it ends after 40."""
    start = text.rfind("\n:") + 2  # the completion begins after this mark
    made = text[start:]
    alphabet = "abc def(x)\n    é= \N{PILE OF POO}\"'"
    while len(made) < LENGTH:
        digest = hashlib.blake2b(f"{text[:start]}{made}".encode(), digest_size=2).digest()
        made += alphabet[int.from_bytes(digest, "little") % len(alphabet)]
    return made[len(text) - start :]


def completed(
    server: FakeServer,
    reader: SecurityReader,
    prompts: list[str],
    *,
    n: int = 1,
    strength: float = NEVER,
    **changes: Any,
) -> list[TextCompletion]:
    sampling = {"temperature": 0.0, "max_new_tokens": 100, "code_end": "none", **changes.pop("sampling", {})}
    floor = changes.pop("floor", 0.0)
    settings = decoding_settings({"name": "gate", "strength": strength, "plausibility_floor": floor}, sampling)
    completer = TextCompleter(
        lambda _: OpenAiServer(ServerAddress(url=server.url, seconds=10)),
        reader,
        settings,
        patience=changes.pop("patience", QUICK),
        **changes,
    )
    return sorted(completer.complete(prompts, n=n), key=lambda one: (one.prompt_index, one.sample_index))


def prompt(number: int) -> str:
    return f"def f{number}():\n:"


def test_without_decisions_the_text_is_the_servers_own_byte_for_byte_in_one_request(reader: SecurityReader) -> None:
    prompts = [prompt(number) for number in range(20)]
    with running(FakeServer(written)) as server:
        found = completed(server, reader, prompts)
    assert [one.text for one in found] == [written(one) for one in prompts]
    assert {one.finish_reason for one in found} == {"stop"}
    assert {one.requests for one in found} == {1}
    assert all(record.divergence is not None for one in found for record in one.records)
    spelled = [b"".join(reader.tokens.bytes.spelling(record.token_id) for record in one.records) for one in found]
    assert spelled == [one.text.encode() for one in found]  # every byte was read by the security model


@pytest.mark.parametrize("chunk", [1, 7])
def test_how_the_text_arrives_changes_nothing(reader: SecurityReader, chunk: int) -> None:
    prompts = [prompt(number) for number in range(3)]
    sampling = {"temperature": 0.8, "seed": 3}
    texts = []
    for server in (FakeServer(written, chunk=chunk), FakeServer(written, streams=False)):
        with running(server):
            texts.append([one.text for one in completed(server, reader, prompts, strength=OFTEN, sampling=sampling)])
    assert texts[0] == texts[1]
    assert texts[0] != [written(one) for one in prompts]


FUNCTION = """\
    total = first + second  # é \N{PILE OF POO}
    if total.is_odd(path):
        return  "a  long   text", total
    return total


print(add(1, 2))
"""


@pytest.mark.parametrize(
    ("sampling", "end"),
    [
        ({}, FUNCTION),
        ({"stop": ("\nprint(", "d(path")}, "d(path"),
        ({"code_end": "function"}, "return total\n\n\n"),
        ({"max_new_tokens": 17}, FUNCTION[:17]),
    ],
)
def test_how_unchecked_text_arrives_changes_no_record(
    reader: SecurityReader, sampling: dict[str, Any], end: str
) -> None:
    found = []
    for server in (FakeServer(lambda _: FUNCTION, **how) for how in ({"chunk": 1}, {"chunk": 7}, {"streams": False})):
        with running(server):
            prompts = ["def add(first, second):\n"]
            (one,) = completed(server, reader, prompts, hardened=False, sampling={"max_new_tokens": 400, **sampling})
        found.append((one.text, one.finish_reason, one.records))
    assert found[0] == found[1] == found[2]
    records = found[0][2]
    spelled = b"".join(reader.tokens.bytes.spelling(record.token_id) for record in records).decode()
    assert spelled == FUNCTION[: FUNCTION.index(end) + len(end)]
    assert [record.position for record in records] == list(range(len(records)))


def test_unchecked_text_has_the_servers_log_probabilities_however_it_arrives(reader: SecurityReader) -> None:
    found = []
    for chunk in (1, 7):
        with running(FakeServer(written, chunk=chunk)) as server:
            (one,) = completed(server, reader, [prompt(0)], hardened=False, sampling={"top_logprobs": 0})
        found.append([record.target_log_prob for record in one.records])
    assert found[0] == found[1]
    assert sum(value is not None for value in found[0]) > 10


def test_text_before_a_decision_is_the_targets_and_the_target_continues_after_it(reader: SecurityReader) -> None:
    with running(FakeServer(written)) as server:
        (found,) = completed(server, reader, [prompt(0)], strength=OFTEN)
    changed = [index for index, one in enumerate(found.records) if one.changed]
    assert changed
    assert found.requests == 1 + len(changed)
    assert all(found.records[index].gated for index in changed)
    assert server.bodies[0]["prompt"] == prompt(0)
    before = b""
    asked = [body["prompt"].encode() for body in server.bodies]
    for index, record in enumerate(found.records):
        token = reader.tokens.bytes.spelling(record.token_id)
        if index not in changed:  # here the text is what the server writes after what is before
            cut = before.decode(errors="ignore")
            rest = written(prompt(0) + cut).encode()
            assert (cut.encode() + rest).startswith(before + token)
        before += token
        if index in changed and index + 1 < len(found.records):
            assert prompt(0).encode() + before in asked


def test_a_seed_repeats_the_interventions(reader: SecurityReader) -> None:
    def texts(seed: int) -> list[str]:
        sampling = {"temperature": 1.0, "seed": seed}
        with running(FakeServer(written)) as server:
            return [one.text for one in completed(server, reader, [prompt(1)], n=2, strength=OFTEN, sampling=sampling)]

    first = texts(5)
    assert first == texts(5)
    assert len(set(first)) == 2
    assert first != texts(6)


def test_a_stop_text_ends_the_text_wherever_it_was_cut(reader: SecurityReader) -> None:
    whole = written(prompt(2))
    for stop in (whole[10:14], whole[20:27]):
        with running(FakeServer(written, chunk=2)) as server:
            (found,) = completed(server, reader, [prompt(2)], sampling={"stop": (stop,)})
        assert found.text == whole[: whole.index(stop)]
        assert found.finish_reason == "stop"
        assert "stop" not in server.bodies[0]
        *before, _ = spelled = [reader.tokens.bytes.spelling(one.token_id) for one in found.records]
        end = len((found.text + stop).encode())
        assert len(b"".join(before)) < end <= len(b"".join(spelled))  # no token after the stop text is recorded


def test_the_limit_is_the_servers(reader: SecurityReader) -> None:
    with running(FakeServer(written)) as server:
        (found,) = completed(server, reader, [prompt(2)], sampling={"max_new_tokens": 17})
    assert (found.text, found.finish_reason) == (written(prompt(2))[:17], "length")


def test_the_floor_limits_decisions_to_what_the_server_finds_plausible(reader: SecurityReader) -> None:
    prompts = [prompt(number) for number in range(2)]
    with running(FakeServer(written)) as server:
        without, low, high = (
            [one.text for one in completed(server, reader, prompts, strength=OFTEN, floor=floor)]
            for floor in (0.0, 0.001, 0.5)
        )
    assert without == low  # a drawn token is e⁻⁴ times as likely as the best
    assert high == [written(one) for one in prompts] != without


@pytest.mark.parametrize("scores", ["shifted", "none"])
def test_a_server_that_scores_no_prompts_is_told_by_the_floor(reader: SecurityReader, scores: str) -> None:
    with (
        running(FakeServer(written, scores=scores)) as server,
        pytest.raises(EndpointError, match="does not give the right log-probabilities of a prompt"),
    ):
        completed(server, reader, [prompt(0)], strength=OFTEN, floor=0.1)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_survived_without_a_trace_in_the_text(reader: SecurityReader, fault: str) -> None:
    prompts = [prompt(number) for number in range(4)]
    with running(FakeServer(written, fault_rate=0.5, faults=(fault,), seed=1)) as server:
        found = completed(server, reader, prompts)
    assert server.injected[fault]
    assert [one.text for one in found] == [written(one) for one in prompts]


def test_unchecked_text_never_exceeds_its_limit_though_the_connection_drops(reader: SecurityReader) -> None:
    prompts = [prompt(number) for number in range(8)]
    with running(FakeServer(written, fault_rate=0.6, faults=("drop",), chunk=1)) as server:
        found = completed(server, reader, prompts, hardened=False, sampling={"max_new_tokens": 30})
    assert server.injected["drop"]
    assert [one.text for one in found] == [written(one)[:30] for one in prompts]
    for one in found:
        assert b"".join(reader.tokens.bytes.spelling(each.token_id) for each in one.records) == one.text.encode()


def with_faults(reader: SecurityReader, requests: int) -> None:
    """Complete prompts at a server that fails: none is lost, mixed up or unchecked."""
    prompts = [prompt(number) for number in range(requests)]
    with running(FakeServer(written, fault_rate=0.4)) as server:
        found = completed(server, reader, prompts, rows=16)
    assert [one.text for one in found] == [written(one) for one in prompts]
    assert [one.prompt_index for one in found] == list(range(requests))
    assert set(server.injected) == set(FAULTS)
    for one in found:
        assert b"".join(reader.tokens.bytes.spelling(each.token_id) for each in one.records) == one.text.encode()


def test_200_requests_with_faults(reader: SecurityReader) -> None:
    with_faults(reader, 200)


@pytest.mark.slow
def test_10_000_requests_with_faults(reader: SecurityReader) -> None:
    with_faults(reader, 10_000)


def test_the_shares_of_completions_add_up_to_no_more_than_the_time_that_passed(reader: SecurityReader) -> None:
    started = time.perf_counter()
    with running(FakeServer(written, pause=0.01)) as server:
        found = completed(server, reader, [prompt(0)], n=8, rows=8, hardened=False)
    passed = time.perf_counter() - started
    assert 0 < sum(one.share for one in found) <= passed < sum(one.seconds for one in found)


def test_a_target_that_keeps_failing_fails_the_request(reader: SecurityReader) -> None:
    with (
        running(FakeServer(written, fault_rate=1.0, faults=("500",))) as server,
        pytest.raises(EndpointError, match="3 times in a row"),
    ):
        completed(server, reader, [prompt(0)], patience=Patience(tries=3, pause=0.0))
    assert len(server.bodies) == 3


def test_a_text_that_cannot_be_checked_is_not_returned(reader: SecurityReader) -> None:
    def endless(text: str) -> str:
        return "a b " * 500

    with running(FakeServer(endless)) as server:
        with pytest.raises(Exception, match="longer than the security model's context"):
            completed(server, reader, [prompt(0)], sampling={"max_new_tokens": 1000})
        (found,) = completed(server, reader, [prompt(0)], sampling={"max_new_tokens": 1000}, on_failure="pass-through")
    assert found.text == endless("")[:1000]
    assert found.unchecked_from is not None
    assert 0 < found.unchecked_from < 1000
    assert [record.position for record in found.records] == list(range(len(found.records)))
    assert found.records[-1].divergence is None


def test_a_text_of_no_given_length_ends_where_it_fills_the_security_models_context(reader: SecurityReader) -> None:
    def endless(text: str) -> str:
        return "a b " * 500

    settings = decoding_settings({"name": "gate", "strength": NEVER, "plausibility_floor": 0.0}, {"temperature": 0.0})
    ids = tuple(reader.pair.tokenizer(prompt(0)).input_ids)

    async def write(server: FakeServer, *, open_ended: bool) -> list[TextGrowth]:
        target = OpenAiServer(ServerAddress(url=server.url))
        asked = TextRequest(
            prompt=TargetPrompt(text=prompt(0), open_ended=open_ended),
            prompt_ids=ids,
            settings=settings,
            max_new_tokens=1000,
        )
        try:
            return [growth async for growth in GatedText(target, reader, asked, inline).write()]
        finally:
            await target.close()

    with running(FakeServer(endless)) as server:
        growths = asyncio.run(write(server, open_ended=True))
        with pytest.raises(ContextFull):
            asyncio.run(write(server, open_ended=False))
    text = "".join(growth.text for growth in growths)
    assert growths[-1].finish_reason == "length"
    assert 0 < len(text) < 1000
    assert endless("").startswith(text)


def test_connections_are_kept(reader: SecurityReader) -> None:
    with running(FakeServer(written)) as server:
        completed(server, reader, [prompt(number) for number in range(12)], rows=2)
    assert 1 <= server.connections <= 2, "one for each row, and fewer where a row is done before the next begins"


def test_the_key_and_the_name_of_the_model_are_sent(reader: SecurityReader) -> None:
    with running(FakeServer(written)) as server:
        address = ServerAddress(url=server.url, model="named", key="secret")
        completer = TextCompleter(
            lambda _: OpenAiServer(address), reader, decoding_settings({"name": "gate", "plausibility_floor": 0.0}, {})
        )
        list(completer.complete([prompt(0)]))
        assert {body["model"] for body in server.bodies} == {"named"}
        assert all("Bearer secret" in head for head in server.heads)


def test_the_target_is_asked_with_the_sampling_of_the_completion(reader: SecurityReader) -> None:
    sampling = {"temperature": 0.7, "top_p": 0.8, "seed": 3, "top_k": 5, "min_p": 0.1, "max_new_tokens": 9}
    with running(FakeServer(written)) as server:
        completed(server, reader, [prompt(0)], strength=1e9, sampling=sampling)
        (body,) = server.bodies
    asked = {name: body[name] for name in ("temperature", "top_p", "top_k", "min_p", "max_tokens")}
    assert asked == {"temperature": 0.7, "top_p": 0.8, "top_k": 5, "min_p": 0.1, "max_tokens": 9}
    with running(FakeServer(written)) as other:
        completed(other, reader, [prompt(0)], strength=1e9, sampling={**sampling, "seed": 4})
    assert body["seed"] != other.bodies[0]["seed"]


def test_a_refusal_is_not_tried_again(reader: SecurityReader) -> None:
    with running(FakeServer(written, fault_rate=1.0, faults=("404",))) as server:
        with pytest.raises(EndpointError, match="HTTP 404"):
            completed(server, reader, [prompt(0)])
        assert len(server.bodies) == 1
