"""Targets that give text, on the command line: a URL, and a model with another tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from cosec.cli.main import main
from cosec.cli.text_target import is_security_adapter
from tests.cli.conftest import Models
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.decoding.blackbox.test_completer import OFTEN, prompt, written


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with running(FakeServer(written)) as found:
        yield found


def generate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[dict[str, object]], str]:
    assert main(["generate", "--format", "json", *arguments]) == 0
    captured = capsys.readouterr()
    return [json.loads(line) for line in captured.out.splitlines()], captured.err


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["generate", *arguments]) == 2
    return capsys.readouterr().err


def test_generate_hardens_a_server(
    models: Models, server: FakeServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key, trace = tmp_path / "key", tmp_path / "trace.jsonl"
    key.write_text("sk-1\n")
    common = ["--target", server.url, "--security", models.adapter, "--prompt", prompt(0), "--max-new-tokens", "100"]
    rule = ["--strength", str(OFTEN), "--temperature", "0", "--code-end", "none"]
    found, _ = generate(
        capsys, *common, *rule, "--compare", "--trace", str(trace), "--target-key-file", str(key), "--target-model", "m"
    )
    by_arm = {row["arm"]: row for row in found}
    assert by_arm["origin"]["completion"] == written(prompt(0))
    assert by_arm["hardened"]["decisions"]
    assert by_arm["hardened"]["completion"] != written(prompt(0))
    assert "Bearer sk-1" in server.heads[-1]
    assert server.bodies[-1]["model"] == "m"
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    hardened = [line for line in lines if line["arm"] == "hardened"]
    assert any(line["gated"] and line["changed"] for line in hardened)


def test_an_embedded_model_stands_for_the_adapter_that_ships_for_it(models: Models) -> None:
    assert is_security_adapter("smollm2-135m")
    assert is_security_adapter(models.adapter)
    assert not is_security_adapter(models.target)
    assert not is_security_adapter("adapter.gguf")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--rule", "steer"], "Use --rule gate"),
        (["--decision", "steered"], "cannot be steered"),
        (["--target-key-file", "/nowhere/key"], "Cannot read the key"),
        (["--on-failure", "ignore"], "'fail' or 'pass-through'"),
    ],
)
def test_what_a_server_does_not_allow_is_refused(
    models: Models, server: FakeServer, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    assert said in refusal(capsys, "--target", server.url, "--security", models.adapter, "--prompt", "x", *given)


def test_a_server_needs_an_adapter_and_server_flags_need_a_server(
    models: Models, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "LoRA adapter" in refusal(capsys, "--target", server.url, "--security", models.security, "--prompt", "x")
    said = refusal(capsys, "--target", models.target, "--target-model", "m", "--prompt", "x")
    assert "--target-model has an effect only with a URL" in said


VERBS = (["generate", "--prompt", "x"], ["demo"], ["serve"])
FLAGS = (["--anti-expert", "x"], ["--runtime", "llama.cpp"], ["--security-copy"])


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        *product(VERBS, FLAGS),
        *product((VERBS[0], VERBS[2]), (["--draft-length", "4"], ["--target-records"])),
        (VERBS[2], ["--prefill-chunk", "8"]),
        (["doctor"], ["--runtime", "torch"]),
        (["doctor"], ["--dtype", "float32"]),
    ],
    ids=lambda words: words[0],
)
def test_flags_without_an_effect_on_a_server_are_refused_before_models_are_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: list[str], given: list[str]
) -> None:
    monkeypatch.setattr("cosec.decoding.blackbox.loading.load_reader", lambda *_, **__: pytest.fail("it was loaded"))
    target = [] if verb == ["doctor"] else ["--target"]
    assert main([*verb, *target, "http://127.0.0.1:9/v1", *given]) == 2
    named = "--target" if target else "TARGET"
    assert f"{given[0]} has no effect with a URL as {named}" in capsys.readouterr().err


def test_target_records_are_refused_either_way_where_only_the_text_is_known(
    models: Models, server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosec.serving.access.network.listening_sockets", lambda *_: [])
    said = refusal(capsys, "--target", server.url, "--security", models.adapter, "--prompt", "x", "--no-target-records")
    assert "--target-records has no effect with a URL" in said
    pair = ["--target", models.stranger, "--security", models.adapter, "--runtime", "torch", "--target-records"]
    for verb in (VERBS[0], VERBS[2]):
        assert main([*verb, *pair]) == 2
        assert "--target-records has no effect on this target, which is hardened as text" in capsys.readouterr().err


def test_a_recipe_for_another_rule_lends_nothing_to_the_rule_that_is_named(
    models: Models, server: FakeServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = tmp_path / "rule.toml"
    recipe.write_text('[rule]\nname = "steer"\nstrength = 50.0\n')
    common = ["--target", server.url, "--security", models.adapter, "--prompt", prompt(0), "--temperature", "0"]
    plain, named, strong = (
        generate(capsys, *common, "--rule", "gate", *given)[0][0]["completion"]
        for given in ([], ["--recipe", str(recipe)], ["--strength", "50"])
    )
    assert plain == named != strong


def test_alternatives_of_a_target_that_gives_text_are_refused(
    models: Models, server: FakeServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    common = ["--target", server.url, "--security", models.adapter, "--prompt", "x", "--trace", str(tmp_path / "t")]
    assert "no alternatives" in refusal(capsys, *common, "--top-logprobs", "2")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_flags_without_an_effect_on_a_target_with_another_tokenizer_are_refused(
    models: Models, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: list[str]
) -> None:
    monkeypatch.setattr("cosec.serving.access.network.listening_sockets", lambda *_: [])
    pair = ["--target", models.stranger, "--security", models.adapter, "--runtime", "torch"]
    assert main([*verb, *pair, "--anti-expert", models.adapter]) == 2
    assert "--anti-expert has no effect on this target, which is hardened as text" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_named(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    url = "http://127.0.0.1:9/v1"
    assert "does not list its models" in refusal(capsys, "--target", url, "--security", models.adapter, "--prompt", "x")


def test_a_target_with_another_tokenizer_is_hardened_as_text(
    models: Models, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(strength: float, *more: str) -> list[dict[str, object]]:
        common = ["--target", models.stranger, "--security", models.adapter, "--prompt", "def read(path):\n    x"]
        rule = ["--rule", "gate", "--strength", str(strength), "--max-new-tokens", "16", "--temperature", "0"]
        found, said = generate(capsys, *common, *rule, "--plausibility-floor", "0", *more)
        assert "hardened as text" in said
        return found

    alone, plain = rows(1e9, "--compare")
    assert alone["completion"] == plain["completion"]
    assert plain["decisions"] == 0
    (hardened,) = rows(OFTEN)
    assert hardened["decisions"]
    assert hardened["completion"] != plain["completion"]


def test_a_target_with_another_tokenizer_is_steered_as_text(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    def texts(strength: str, *more: str) -> list[object]:
        common = ["--target", models.stranger, "--security", models.adapter, "--prompt", "def read(path):\n    x"]
        rule = ["--rule", "steer", "--strength", strength, "--max-new-tokens", "8"]
        return [row["completion"] for row in generate(capsys, *common, *rule, *more)[0]]

    alone, plain = texts("0", "--compare")
    assert alone == plain
    assert texts("4") != [plain]
    refused = ["--target", models.stranger, "--security", models.adapter, "--prompt", "x", "--rule", "threshold"]
    assert "Use --rule gate or --rule steer" in refusal(capsys, *refused)
