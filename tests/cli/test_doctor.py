"""``cosec doctor`` examines everything it can and says plainly what does not fit."""

from pathlib import Path

import pytest

from cosec.cli.doctor import doctor
from cosec.cli.main import main
from cosec.decoding import selftest
from tests.cli.conftest import Models
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.tiny import save_tiny


@pytest.fixture(autouse=True)
def quick_law(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The law's self-test has tests of its own; one test here runs the real one."""
    passed = selftest.SelfTest(passed=True, summary="the law holds")
    monkeypatch.setattr(selftest, "law_selftest", lambda: passed)
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return save_tiny("llama", tmp_path / "target")


def test_the_exit_code_tells_whether_all_is_well(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doctor(str(target), "none")
    assert capsys.readouterr().out.startswith("ok   target")
    with pytest.raises(SystemExit, match="1"):
        doctor(str(target), "./nowhere")
    assert "FAIL security" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://127.0.0.1:999999/v1", "http://[::1/v1", "http:///v1"])
def test_a_malformed_url_of_a_target_fails(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        doctor(url, "none")
    assert f"FAIL target      {url!r} is no URL of a server" in capsys.readouterr().out


def test_a_server_that_asks_for_a_key_is_given_one(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_text("secret\n")
    with running(FakeServer(lambda _: "x = 1", key="secret")) as server:
        with pytest.raises(SystemExit, match="1"):
            main(["doctor", server.url, models.adapter])
        assert (
            "asks for a key (HTTP 401); give one that it accepts with --target-key-file FILE" in capsys.readouterr().out
        )
        assert main(["doctor", server.url, models.adapter, "--target-key-file", str(key)]) == 0
        assert f"ok   target      fake at {server.url}" in capsys.readouterr().out
        assert main(["doctor", models.target, models.adapter, "--target-model", "m"]) == 2
    assert "--target-model has an effect only with a URL as the target" in capsys.readouterr().err


def test_a_law_that_does_not_hold_fails(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = selftest.SelfTest(passed=False, summary="far from the closed form")
    monkeypatch.setattr(selftest, "law_selftest", lambda: failed)
    with pytest.raises(SystemExit, match="1"):
        doctor(str(target), "none")
    assert "FAIL law         far from the closed form" in capsys.readouterr().out
