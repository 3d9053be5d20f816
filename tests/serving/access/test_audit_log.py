"""A line for each request, and no failure to write one that anybody else has to suffer from."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.errors import SettingsError
from cosec.serving.access.audit_log import AuditLog
from tests.serving.conftest import serving

ASKED = {"prompt": "def secret_plan():\n", "max_tokens": 8, "user": "u1", "seed": 1}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    (tmp_path / "logs").mkdir()
    made = AuditLog(tmp_path / "logs" / "audit.jsonl", max_bytes=400)
    yield made
    made.close()


def fill(log: AuditLog) -> bool:
    return log.write({"padding": "x" * 350})


def test_a_request_leaves_a_line_without_code(tiny_pair: PreparedPair, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    with serving(tiny_pair, audit_log=AuditLog(file)) as running, running.client() as http:
        http.post("/v1/completions", json=ASKED)
        http.post("/v1/completions", json={**ASKED, "stream": True})
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["status"], line["completion_tokens"], line["user"]) for line in lines] == [(200, 8, "u1")] * 2
    assert lines[0]["cosec"] == lines[1]["cosec"]
    assert lines[0]["security"].endswith("/adapter")
    assert "secret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with serving(tiny_pair, audit_log=AuditLog(file)) as running, running.client() as http:
        quiet = http.post("/v1/completions", json={**ASKED, "cosec": {"rule": "speculative", "audit": "none"}})
    assert "metrics" not in quiet.json()
    assert json.loads(file.read_text().splitlines()[-1])["cosec"]["rule"] == "speculative"
    with serving(tiny_pair, audit_log=AuditLog(file, with_text=True)) as running, running.client() as http:
        answer = http.post("/v1/completions", json=ASKED).json()
    last = json.loads(file.read_text().splitlines()[-1])
    assert (last["prompt"], last["completions"]) == (ASKED["prompt"], [answer["choices"][0]["text"]])


def test_a_full_file_is_rotated_and_three_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    log = AuditLog(file, max_bytes=400)
    for number in range(60):
        assert log.write({"number": number, "padding": "x" * 50})
    log.close()
    kept = sorted(tmp_path.iterdir())
    assert [path.name for path in kept] == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3"]
    assert all(path.stat().st_size <= 400 for path in kept)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    lines = [line for path in (*kept[:0:-1], kept[0]) for line in path.read_text().splitlines()]
    numbers = [json.loads(line)["number"] for line in lines]
    assert numbers == list(range(numbers[0], 60))


def test_after_a_failed_rotation_nothing_is_written_to_whoever_has_the_descriptor_next(
    log: AuditLog, tmp_path: Path
) -> None:
    assert fill(log)
    shutil.rmtree(tmp_path / "logs")
    with ExitStack() as opened:
        # Every number that the log may have given back is a client's socket now.
        assert not fill(log)
        pairs = [socket.socketpair() for _ in range(16)]
        for ours, theirs in pairs:
            opened.enter_context(ours)
            opened.enter_context(theirs)
        assert not fill(log)
        for ours, theirs in pairs:
            for end in (ours, theirs):
                end.setblocking(False)
                with pytest.raises(BlockingIOError):
                    end.recv(1)


def test_a_log_that_was_closed_writes_to_nobody(log: AuditLog) -> None:
    log.close()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not log.write({"prompt": "code"})
        for end in (ours, theirs):
            end.setblocking(False)
            with pytest.raises(BlockingIOError):
                end.recv(1)


def test_a_file_that_cannot_be_rotated_goes_on_and_is_rotated_later(
    log: AuditLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    (folder / "audit.jsonl.new").mkdir()  # where the next file would be prepared
    with caplog.at_level(logging.WARNING):
        assert fill(log)
        assert not fill(log)
        assert not fill(log)
        assert log.problem == "Is a directory"
        assert len((folder / "audit.jsonl").read_text().splitlines()) == 3  # nothing is lost
        (folder / "audit.jsonl.new").rmdir()
        assert fill(log)
    assert log.problem is None
    assert sorted(path.name for path in folder.iterdir()) == ["audit.jsonl", "audit.jsonl.1"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_text_that_is_no_unicode_is_written_as_json(log: AuditLog, tmp_path: Path) -> None:
    assert log.write({"prompt": "half a pair: \ud83d"})
    (line,) = (tmp_path / "logs" / "audit.jsonl").read_text().splitlines()
    assert json.loads(line)["prompt"] == "half a pair: \ud83d"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/infill", {"input_prefix": "a = (\n", "prompt": "b", "input_suffix": ")\n"}),
        ("/v1/completions", {"prompt": "a = (\n", "suffix": ")\n"}),
    ],
)
def test_a_log_with_text_has_the_whole_of_a_gap(
    tiny_pair: PreparedPair, tmp_path: Path, path: str, body: dict[str, str]
) -> None:
    file = tmp_path / "audit.jsonl"
    with serving(tiny_pair, audit_log=AuditLog(file, with_text=True)) as running, running.client() as http:
        assert http.post(path, json=body).status_code == 200
    assert json.loads(file.read_text())["prompt"] == body


def test_a_file_that_cannot_be_opened_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        AuditLog(tmp_path / "missing" / "audit.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("stream", [False, True])
def test_a_full_disk_costs_no_answer_and_is_told(tiny_pair: PreparedPair, stream: bool) -> None:
    with serving(tiny_pair, audit_log=AuditLog(Path("/dev/full"))) as running, running.client() as http:
        assert http.get("/health").json() == {"status": "ok"}
        answer = http.post("/v1/completions", json={**ASKED, "stream": stream})
        assert answer.status_code == 200
        assert not stream or answer.text.endswith("data: [DONE]\n\n")
        assert http.get("/health").json() == {"status": "degraded", "audit_log": "No space left on device"}
        assert "cosec_audit_log_failures_total 1.0" in http.get("/metrics").text
