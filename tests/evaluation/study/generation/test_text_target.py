"""A study of a target whose tokens differ from those of its security model."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from cosec.decoding.settings import SamplingSettings
from cosec.errors import PromptError, SettingsError
from cosec.evaluation.study import frontier_settings, study_settings
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.generation.models import completion_source
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.tasks.tasks import PromptFormat, Task
from cosec.models.identity import model_fingerprint
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.decoding.blackbox.test_completer import OFTEN, prompt, written
from tests.evaluation.study.generation.test_full_batch import TEMPLATE
from tests.tiny import CONTEXT_LENGTH, save_tiny, save_tiny_adapter


def settings(tmp_path: Path, *arms: str) -> StudySettings:
    base = save_tiny("llama", tmp_path / "base")
    stranger = save_tiny("llama", tmp_path / "stranger", seed=1, corpus="an entirely different corpus of words\n" * 9)
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
    assert set(source.hashes) == {"target", "base", "adapter"}
    assert source.hashes["base"] == model_fingerprint(tmp_path / "base") != source.hashes["target"]
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


def asked_in_a_chat(study: StudySettings) -> StudySettings:
    (benchmark,) = study.benchmarks
    return study.model_copy(update={"benchmarks": (benchmark.model_copy(update={"format": "chat"}),)})


def short_messages(task: Task, *, cue: bool) -> list[dict[str, str]]:
    return [{"role": "user", "content": task.prompt}]


def test_a_chat_is_a_completion_of_the_targets_own_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosec.evaluation.study.generation.text_target.chat_messages", short_messages)
    study = settings(tmp_path, "origin", "gate:strength=0.0", "steer:strength=4.0")
    (tmp_path / "stranger" / "chat_template.jinja").write_text(TEMPLATE)
    source = completion_source(asked_in_a_chat(study), rows=2)
    sampling = SamplingSettings(max_new_tokens=6, temperature=0.7)

    def text(arm: DecodingArm, prompt: str, format: PromptFormat) -> str:
        task = Task(id="t", prompt=prompt, stop=(), format=format)
        ((one,),) = source.generator(arm).complete([task], samples=1, sampling=sampling)
        return one.text

    origin, *hardened = study.decoding_arms()
    chat = text(origin, "x =", "chat")
    assert chat == text(origin, "user: x =\na:", "completion") != text(origin, "x =", "completion")
    for arm in hardened:
        assert text(arm, "x =", "chat") not in ("", chat)


def test_a_chat_is_refused_before_any_arm_begins_if_a_model_has_no_template(tmp_path: Path) -> None:
    study = asked_in_a_chat(settings(tmp_path, "origin", "lora"))
    with pytest.raises(SettingsError, match="The benchmark 'function' is a chat, but the target has no chat template"):
        completion_source(study, rows=2)
    (tmp_path / "stranger" / "chat_template.jinja").write_text(TEMPLATE)
    with pytest.raises(SettingsError, match="but the security model of the arm 'lora' has no chat template"):
        completion_source(study, rows=2)


def test_the_seconds_of_samples_at_a_server_add_up_to_no_more_than_the_time_that_passed(tmp_path: Path) -> None:
    adapter = save_tiny_adapter(save_tiny("llama", tmp_path / "base"), tmp_path / "adapter")
    with running(FakeServer(written, pause=0.01)) as server:
        study = study_settings(
            {
                "target": server.url,
                "security": str(adapter),
                "arms": ("origin",),
                "benchmarks": ({"name": "function", "samples": 8, "max_new_tokens": 40},),
            }
        )
        generator = completion_source(study, rows=8).generator(study.decoding_arms()[0])
        task, sampling = Task(id="t", prompt=prompt(0), stop=()), SamplingSettings(max_new_tokens=40)
        started = time.perf_counter()
        (samples,) = generator.complete([task], samples=8, sampling=sampling)
        passed = time.perf_counter() - started
    assert 0.1 < sum(one.seconds for one in samples) <= passed


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
