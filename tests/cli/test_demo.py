from __future__ import annotations

import pytest

from cosec.cli.main import main
from cosec.evaluation.tasks.demo_prompts import demo_prompts
from tests.cli.conftest import Models
from tests.decoding.blackbox.fake_server import FakeServer, running


def test_the_demo_shows_both_arms_of_every_prompt_and_totals(
    models: Models, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [prompt for prompt in demo_prompts() if len(prompt.text) < 10_000][:2]
    monkeypatch.setattr(
        "cosec.evaluation.tasks.demo_prompts.demo_prompts", lambda: [_shortened(prompt) for prompt in short]
    )
    flags = ["--target", models.target, "--security", models.adapter, "--max-new-tokens", "8"]
    assert main(["demo", *flags]) == 0
    shown = capsys.readouterr().out
    assert shown.count("origin") == shown.count("hardened ─") == 2
    assert "proposals accepted by the target" in shown
    assert "ratio" in shown
    assert "rule threshold, threshold 0.3, preset paper" in " ".join(shown.split())
    assert "threshold 0.3" in " ".join(shown.split())


def test_the_demo_shows_a_server_alone_and_hardened(
    models: Models, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = demo_prompts()[:2]
    monkeypatch.setattr(
        "cosec.evaluation.tasks.demo_prompts.demo_prompts", lambda: [_shortened(prompt) for prompt in short]
    )
    with running(FakeServer(lambda _: "x = 1\n")) as server:
        assert main(["demo", "--target", server.url, "--security", models.adapter, "--max-new-tokens", "8"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Security decisions:" in shown
    assert "rule gate, strength 0.1" in shown
    assert shown.count("origin") == shown.count("hardened ─") == 2


def _shortened(prompt: object) -> object:
    from dataclasses import replace

    return replace(prompt, text="import os\n")


@pytest.mark.embedded
def test_the_embedded_model_runs_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--target", "smollm2-135m", "--limit", "1", "--max-new-tokens", "8"]) == 0
    assert "In total" in capsys.readouterr().out
