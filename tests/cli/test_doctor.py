"""``cosec doctor`` examines everything it can and says plainly what does not fit."""

from pathlib import Path

import pytest

from cosec.cli.doctor import doctor
from cosec.decoding import selftest
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


def test_a_law_that_does_not_hold_fails(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = selftest.SelfTest(passed=False, summary="far from the closed form")
    monkeypatch.setattr(selftest, "law_selftest", lambda: failed)
    with pytest.raises(SystemExit, match="1"):
        doctor(str(target), "none")
    assert "FAIL law         far from the closed form" in capsys.readouterr().out
