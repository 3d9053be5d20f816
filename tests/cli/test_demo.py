from __future__ import annotations

from dataclasses import replace

import pytest

from cosec.cli.main import main
from cosec.evaluation.tasks.demo_prompts import demo_prompts
from tests.cli.conftest import Models
from tests.decoding.blackbox.fake_server import FakeServer, running


@pytest.fixture
def two_short_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two demo prompts with a text of one line."""
    short = [replace(prompt, text="import os\n") for prompt in demo_prompts()[:2]]
    monkeypatch.setattr("cosec.evaluation.tasks.demo_prompts.demo_prompts", lambda: short)


@pytest.mark.usefixtures("two_short_prompts")
def test_the_demo_shows_both_arms_of_every_prompt_and_totals(
    models: Models, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--target", models.target, "--security", models.adapter, "--max-new-tokens", "8"]
    assert main(["demo", *flags]) == 0
    shown = capsys.readouterr().out
    assert shown.count("origin") == shown.count("hardened ─") == 2
    assert "proposals accepted by the target" in shown
    assert "ratio" in shown
    assert "rule threshold, threshold 0.3, preset paper" in " ".join(shown.split())
    assert "threshold 0.3" in " ".join(shown.split())


@pytest.mark.usefixtures("two_short_prompts")
def test_the_demo_takes_a_rule_and_its_settings(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--target", models.target, "--security", models.adapter, "--max-new-tokens", "8"]
    assert main(["demo", *flags, "--rule", "steer", "--strength", "1.5", "--limit", "1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "rule steer, strength 1.5" in shown
    assert "Completing 1 prompt, alone" in shown


@pytest.mark.usefixtures("two_short_prompts")
def test_the_demo_shows_a_server_alone_and_hardened(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    with running(FakeServer(lambda _: "x = 1\n")) as server:
        assert main(["demo", "--target", server.url, "--security", models.adapter, "--max-new-tokens", "8"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Security decisions:" in shown
    assert "Marked tokens are security decisions" in shown
    assert "rule gate, strength 0.1" in shown
    assert shown.count("origin") == shown.count("hardened ─") == 2


@pytest.mark.usefixtures("two_short_prompts")
def test_the_demo_counts_changes_where_no_decisions_are_made(
    models: Models, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--target", models.stranger, "--security", models.adapter, "--max-new-tokens", "8"]
    assert main(["demo", *flags, "--runtime", "torch", "--rule", "steer", "--strength", "3"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Security decisions" not in shown
    assert "Tokens changed by hardening:" in shown
    assert "Marked tokens differ from what the model alone finds most likely" in shown


@pytest.mark.embedded
def test_the_embedded_model_runs_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--target", "smollm2-135m", "--limit", "1", "--max-new-tokens", "8"]) == 0
    assert "In total" in capsys.readouterr().out
