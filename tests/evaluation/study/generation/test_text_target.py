"""A study of a target whose tokens differ from those of its security model."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from cosec.decoding.settings import SamplingSettings
from cosec.errors import PromptError, SettingsError
from cosec.evaluation.study import frontier_settings, study_settings
from cosec.evaluation.study.generation.models import completion_source
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.tasks.tasks import Task
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.decoding.blackbox.test_completer import OFTEN, prompt, written
from tests.tiny import CONTEXT_LENGTH, save_tiny, save_tiny_adapter


def settings(tmp_path: Path, *arms: str) -> StudySettings:
    base = save_tiny("llama", tmp_path / "base")
    stranger = save_tiny("llama", tmp_path / "stranger", corpus="an entirely different corpus of words\n" * 9)
    return study_settings(
        {
            "name": "text",
            "target": str(stranger),
            "security": str(save_tiny_adapter(base, tmp_path / "adapter")),
            "arms": arms,
            "benchmarks": ({"name": "function", "samples": 1, "max_new_tokens": 4},),
        }
    )


def test_arms_over_text_write_each_task_under_their_rule(tmp_path: Path) -> None:
    study = settings(tmp_path, "origin", "gate:strength=0.0", "steer:strength=4.0", "steer:strength=0.0")
    source = completion_source(study, rows=2)
    assert set(source.hashes) == {"target", "adapter"}
    task = Task(id="t", prompt="def read(path):\n    x", stop=())
    sampling = SamplingSettings(max_new_tokens=6, temperature=0.7)
    texts = []
    for arm in study.decoding_arms():
        ((one,),) = source.generator(arm).complete([task], samples=1, sampling=sampling)
        texts.append(one.text)
    origin, gated, steered, unsteered = texts
    assert unsteered == origin
    assert origin not in (gated, steered)


@pytest.mark.parametrize(("dtype", "recorded"), [("auto", None), ("bfloat16", "bfloat16")])
def test_a_study_records_the_type_of_its_security_model(tmp_path: Path, dtype: str, recorded: str | None) -> None:
    source = completion_source(settings(tmp_path, "gate"), rows=2, dtype=dtype)
    assert source.hashes.get("security dtype") == recorded
    assert source.hashes.get("dtype") == recorded


def test_a_prompt_that_leaves_no_room_is_refused_and_not_left_empty(tmp_path: Path) -> None:
    study = settings(tmp_path, "origin", "gate")
    source = completion_source(study, rows=2)
    tokenizer, text = AutoTokenizer.from_pretrained(tmp_path / "base"), "x\n" * 999
    for tokens in (CONTEXT_LENGTH - 1, CONTEXT_LENGTH, CONTEXT_LENGTH + 16):
        prompt = next(text[:end] for end in range(len(text)) if len(tokenizer(text[:end]).input_ids) == tokens)
        for arm in study.decoding_arms():
            completed = source.generator(arm).complete(
                [Task(id="t", prompt=prompt, stop=())], samples=1, sampling=SamplingSettings()
            )
            with pytest.raises(PromptError, match=f"The prompt of t has {tokens} tokens.*shorten it"):
                next(completed)


def test_strengths_are_calibrated_at_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = save_tiny_adapter(save_tiny("llama", tmp_path / "base"), tmp_path / "adapter")
    with running(FakeServer(written)) as server:
        monkeypatch.setenv("TARGET_SERVER", server.url)
        frontier = frontier_settings(
            {
                "target": "$TARGET_SERVER",
                "security": str(adapter),
                "strengths": {"gate": [OFTEN, 1e9]},
                "benchmarks": ({"name": "function", "problems": "humaneval", "samples": 1, "max_new_tokens": 60},),
            }
        )
        source = completion_source(frontier, rows=2)
        task, sampling = Task(id="t", prompt=prompt(0), stop=()), SamplingSettings(max_new_tokens=60, temperature=0.7)
        origin, security_alone, often, never = (
            next(source.generator(arm).complete([task], samples=1, sampling=sampling))[0].text
            for arm in frontier.decoding_arms()
        )
    assert origin == never == written(prompt(0))
    assert often not in (origin, security_alone)
    assert security_alone != origin


def test_an_arm_that_needs_common_tokens_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"The arm 'cosec-plus': The rule 'threshold' cannot be used here"):
        completion_source(settings(tmp_path, "cosec-plus"), rows=2)


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("threshold:threshold=0.3", r"threshold cannot be used: the server gives no log-probabilities .*Use gate"),
        ("gate:plausibility_floor=0.1", "set it to 0"),
    ],
)
def test_a_rule_that_a_server_does_not_allow_is_refused_before_any_arm_begins(
    tmp_path: Path, arm: str, said: str
) -> None:
    adapter = save_tiny_adapter(save_tiny("llama", tmp_path / "base"), tmp_path / "adapter")
    with running(FakeServer(written, scores="none")) as server:
        asked = {
            "name": "server",
            "target": server.url,
            "security": str(adapter),
            "benchmarks": ({"name": "function", "samples": 1, "max_new_tokens": 4},),
        }
        completion_source(study_settings({**asked, "arms": ("origin", "gate")}), rows=2)
        assert not server.bodies, "a rule that needs text alone asks nothing"
        with pytest.raises(SettingsError, match=f"The arm '{arm}': .*{said}"):
            completion_source(study_settings({**asked, "arms": ("origin", arm)}), rows=2)


def test_a_runtime_that_has_no_effect_is_refused(tmp_path: Path) -> None:
    asked = {"name": "server", "target": "http://127.0.0.1:9/v1", "benchmarks": ({"name": "f", "samples": 1},)}
    with pytest.raises(SettingsError, match=r"--runtime llama\.cpp has no effect with a URL"):
        completion_source(study_settings({**asked, "arms": ("origin",)}), rows=2, runtime="llama.cpp")
