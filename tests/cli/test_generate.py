from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from cosec.cli.generate import read_prompts
from cosec.cli.main import main
from cosec.decoding.pairing import carried_rule
from cosec.decoding.rules.schema import SteerSettings, changed_rule
from cosec.decoding.settings import decoding_settings
from tests.cli.conftest import Models

PROMPT = "def read(path, name):\n    with open("
ROW_KEYS = [
    "prompt_index",
    "sample_index",
    "arm",
    "completion",
    "finish_reason",
    "tokens",
    "accepted",
    "drafted",
    "changed",
    "seconds",
]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["generate", *arguments]) == 0
    return capsys.readouterr().out


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(capsys, *arguments, "--format", "json").splitlines()]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["generate", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


def pair(models: Models, security: str | None = None) -> list[str]:
    return ["--target", models.target, "--security", security or models.adapter, "--max-new-tokens", "12"]


def texts(found: list[dict[str, object]]) -> list[object]:
    """By prompt and sample: rows are printed as they finish."""
    return [row["completion"] for row in sorted(found, key=lambda row: (row["prompt_index"], row["sample_index"]))]


def test_json_rows_keep_the_contract(models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "prompt.py"
    file.write_text(PROMPT)
    found = rows(capsys, "--prompt-file", str(file), "--prompt", "import os\n", "--n", "2", *pair(models))
    places = sorted((row["prompt_index"], row["sample_index"]) for row in found)
    assert places == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for row in found:
        assert list(row) == ROW_KEYS
        assert row["arm"] == "hardened"
        assert row["drafted"] == row["tokens"]
        assert 0 <= row["accepted"] <= row["drafted"]
        assert row["finish_reason"] in ("stop", "length")


def test_compare_prints_both_arms_and_origin_is_the_target_alone(
    models: Models, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(capsys, "--prompt", PROMPT, "--compare", *pair(models))
    alone = rows(capsys, "--prompt", PROMPT, *pair(models, "none"))
    assert [row["arm"] for row in found] == ["origin", "hardened"]
    assert found[0]["completion"] == alone[0]["completion"]
    assert found[0]["drafted"] == 0


@pytest.mark.parametrize("security", ["adapter", "security"])
def test_a_threshold_of_one_is_the_target_alone(
    models: Models, security: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = getattr(models, security)
    hardened = rows(capsys, "--prompt", PROMPT, "--threshold", "1", "--n", "3", *pair(models, name))
    alone = rows(capsys, "--prompt", PROMPT, "--n", "3", *pair(models, "none"))
    assert texts(hardened) == texts(alone)


@pytest.mark.parametrize("rule", [("gate", "--strength", "1e9"), ("steer", "--strength", "0"), ("speculative",)])
def test_rules_without_strength_leave_a_greedy_target_as_it_is(
    rule: tuple[str, ...], models: Models, capsys: pytest.CaptureFixture[str]
) -> None:
    greedy = ["--prompt", PROMPT, "--temperature", "0", *pair(models)]
    target = rows(capsys, "--prompt", PROMPT, "--temperature", "0", *pair(models, "none"))
    assert texts(rows(capsys, *greedy, "--rule", *rule)) == texts(target)


def test_a_recipe_chooses_the_rule_and_flags_win_over_it(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = tmp_path / "rule.toml"
    recipe.write_text('[rule]\nname = "gate"\nstrength = 0.0\n')
    gate = ["--prompt", PROMPT, *pair(models)]
    by_flags = texts(rows(capsys, *gate, "--rule", "gate", "--strength", "0"))
    assert texts(rows(capsys, *gate, "--recipe", str(recipe))) == by_flags
    closed = rows(capsys, *gate, "--recipe", str(recipe), "--strength", "1e9", "--temperature", "0")
    target = rows(capsys, "--prompt", PROMPT, "--temperature", "0", *pair(models, "none"))
    assert texts(closed) == texts(target)
    assert "threshold" in refusal(capsys, *gate, "--recipe", str(recipe), "--threshold", "0.2")
    recipe.write_text('name = "gate"\n')
    assert "[rule]" in refusal(capsys, *gate, "--recipe", str(recipe))


def test_an_adapters_own_rule_decides_where_none_is_named(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    shutil.copytree(models.adapter, adapter)
    rule = adapter / "rule.toml"
    rule.write_text('[rule]\nname = "steer"\nstrength = 3.0\n')
    plain = ["--prompt", PROMPT, "--n", "3", *pair(models)]
    own = ["--prompt", PROMPT, "--n", "3", *pair(models, str(adapter))]
    steered, papers = texts(rows(capsys, *plain, "--rule", "steer", "--strength", "3")), texts(rows(capsys, *plain))
    assert steered != papers
    assert texts(rows(capsys, *own)) == steered
    # A setting of another rule selects that rule, with its own defaults.
    assert texts(rows(capsys, *own, "--threshold", "0.3")) == papers
    recipe = tmp_path / "other.toml"
    recipe.write_text("[rule]\nthreshold = 0.3\n")
    assert texts(rows(capsys, *own, "--recipe", str(recipe))) == papers
    rule.write_text('[rule]\nname = "steer"\nfactor = 3.0\n')
    assert str(rule) in refusal(capsys, *own)


def test_settings_without_a_rule_change_the_adapters_own_rule(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    shutil.copytree(models.adapter, adapter)
    (adapter / "rule.toml").write_text('[rule]\nname = "gate"\nstrength = 0.0\n')
    own = ["--prompt", PROMPT, "--n", "3", *pair(models, str(adapter))]
    gate = ["--rule", "gate", "--strength", "0", "--plausibility-floor", "0.5"]
    assert texts(rows(capsys, *own, "--plausibility-floor", "0.5")) == texts(rows(capsys, *own, *gate))
    # Steer and gate have a strength; without a rule of its own the adapter does not say which is meant.
    message = refusal(capsys, "--prompt", PROMPT, *pair(models), "--strength", "2")
    assert "strength belongs to steer and gate" in message


def test_a_strength_is_enough_for_the_shipped_adapter() -> None:
    settings = decoding_settings(changed_rule(carried_rule("smollm2-135m", "default"), {"strength": 3.0}), {})
    assert settings.rule == SteerSettings(strength=3.0)


def test_the_old_name_of_the_papers_rule_is_accepted_with_a_note(
    models: Models, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = ["generate", "--prompt", PROMPT, "--format", "json", *pair(models)]
    assert main([*plain, "--rule", "threshold"]) == 0
    current = capsys.readouterr()
    assert main([*plain, "--rule", "cosec"]) == 0
    old = capsys.readouterr()
    assert json.loads(old.out)["completion"] == json.loads(current.out)["completion"]
    assert "now called 'threshold'" in old.err
    assert "now called" not in current.err


def test_the_gate_marks_its_decisions_in_text_html_and_trace(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gate = ["--prompt", PROMPT, *pair(models), "--rule", "gate", "--strength", "0"]
    trace = tmp_path / "trace.jsonl"
    text = run(capsys, *gate, "--trace", str(trace))
    records = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    decisions = sum(record["gated"] for record in records)
    assert decisions > 0
    assert all(record["divergence"] >= 0 for record in records)
    assert f"{decisions} decisions" in text
    assert "⟦" in text
    assert "decision" in run(capsys, *gate, "--format", "html")


def test_the_draft_length_and_the_batch_never_change_the_text(
    models: Models, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--prompt", PROMPT, "--n", "4", "--temperature", "1.0"]
    for name in (models.adapter, models.security):
        reference = texts(rows(capsys, *flags, "--draft-length", "1", *pair(models, name)))
        assert texts(rows(capsys, *flags, "--draft-length", "4", *pair(models, name))) == reference
        assert texts(rows(capsys, *flags, "--batch-rows", "1", *pair(models, name))) == reference


def test_a_seed_repeats_a_text_and_another_seed_changes_it(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--prompt", PROMPT, "--temperature", "1.0", "--top-p", "1", *pair(models)]
    first = texts(rows(capsys, *flags, "--seed", "3"))
    assert texts(rows(capsys, *flags, "--seed", "3")) == first
    assert texts(rows(capsys, *flags, "--seed", "4")) != first


def test_a_dash_reads_the_prompt_from_standard_input(
    models: Models, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PROMPT))
    assert texts(rows(capsys, "-", *pair(models))) == texts(rows(capsys, "--prompt", PROMPT, *pair(models)))


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_standard_input_that_is_not_utf_8_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, errors: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x=\xff"), encoding="utf-8", errors=errors))
    assert main(["generate", "-"]) == 2
    assert "Standard input is not UTF-8 text." in capsys.readouterr().err


def test_standard_input_is_utf_8_whatever_the_locale_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("é".encode()), encoding="latin-1"))
    assert read_prompts("-", (), ()) == ["é"]


def test_the_trace_spells_the_completion_token_by_token(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    found = rows(capsys, "--prompt", PROMPT, "--compare", "--trace", str(trace), *pair(models))
    records = [json.loads(line) for line in trace.read_text().splitlines()]
    for row in found:
        own = [record for record in records if record["arm"] == row["arm"]]
        assert len(own) == row["tokens"]
        assert "".join(record["text"] for record in own).rstrip("\ufffd") == row["completion"].rstrip("\ufffd")
        assert sum(record["changed"] for record in own) == row["changed"]
        assert sum(record["origin"] == "security" for record in own) == row["accepted"]


def test_what_the_target_would_have_chosen_is_told_where_it_is_marked(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    flags = ["--prompt", PROMPT, "--rule", "steer", "--strength", "1", *pair(models)]
    (whole,), (brief,) = rows(capsys, *flags, "--target-records"), rows(capsys, *flags)
    assert rows(capsys, *flags, "--trace", str(tmp_path / "trace"))[0]["changed"] == whole["changed"]
    assert list(brief) == list(whole)
    different = {key for key in whole if whole[key] != brief[key]} - {"seconds"}
    assert different == {"changed"}
    assert brief["changed"] is None
    for format in ("text", "html"):
        shown = run(capsys, *flags, "--no-target-records", "--format", format)
        assert f"{whole['tokens']} tokens" in shown
        assert " changed" not in shown
    assert " changed" in run(capsys, *flags)


def test_text_shows_both_arms_side_by_side(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "--prompt", PROMPT, "--compare", *pair(models))
    assert any("origin" in line and "hardened" in line for line in shown.splitlines())
    assert "accepted" in shown


def test_one_security_decision_is_counted_in_the_singular(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    gate = ["--rule", "gate", "--strength", "0", "--code-end", "none"]
    models_alone = pair(models)[:-2]
    assert ", 1 decision " in run(capsys, "--prompt", PROMPT, *models_alone, *gate, "--max-new-tokens", "1")


def test_html_is_one_page_that_escapes_what_it_shows(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    page = run(capsys, "--prompt", "x = '<script>alert(1)</script>'\n", "--compare", "--format", "html", *pair(models))
    assert page.startswith("<!doctype html>")
    assert "<script>" not in page
    assert "http" not in page
    assert page.count("<article>") == 2


def test_a_new_file_may_begin_with_a_line_end(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(capsys, "--prompt", "\n", "--format", "json", *pair(models)).splitlines()
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "No prompt given"),
        (["--prompt", ""], "Prompt 0 is empty"),
        (["--prompt-file", "missing.py"], "missing.py"),
        (["--prompt", "x", "--temprature", "1"], "Did you mean --temperature?"),
        (["--prompt", "x", "--top-p", "2"], "--top-p"),
        (["--prompt", "x", "--threshold", "-1"], "error: --threshold: input should be"),
        (["--prompt", "x", "--n", "0"], "--n"),
        (["--prompt", "x", "--preset", "papper"], "papper"),
        (["--prompt", "x", "--top-logprobs", "3"], "--top-logprobs has no effect without --trace"),
        (["--prompt", "x", "--draft-length", "0"], "--draft-length"),
        (["--prompt", "x", "--trace", "no/such/folder/t.jsonl"], "no/such/folder"),
        (["--prompt", "x", "--security", "none", "--threshold", "0.2"], "--threshold"),
        (["--prompt", "x", "--target", "no-such-model"], "no-such-model"),
        (["--prompt", "x", "--rule", "gait"], "gait"),
        (["--prompt", "x", "--rule", "gate", "--threshold", "0.2"], "has no threshold"),
        (["--prompt", "x", "--strength=-2"], "error: --strength: input should be"),
        (["--prompt", "x", "--rule", "threshold", "--strength", "2"], "strength belongs to steer and gate"),
        (
            ["--prompt", "x", "--rule", "gate", "--steering-strength", "2"],
            "error: --steering-strength has no effect without --decision steered.",
        ),
    ],
)
def test_bad_usage_is_one_clear_line(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert expected in refusal(capsys, *arguments)


def test_a_prompt_longer_than_the_context_is_refused(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    assert "context holds 128" in refusal(capsys, "--prompt", "x = 1\n" * 200, *pair(models))


def test_models_with_different_tokenizers_are_refused(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "--prompt", PROMPT, *pair(models, models.stranger))
    assert "token" in message


def test_an_anti_expert_that_the_rule_does_not_use_is_refused(
    models: Models, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(capsys, *pair(models), "--anti-expert", models.adapter, "--rule", "steer", "--prompt", "x = ")
    assert "--anti-expert has no effect without the rule steer and --against anti-expert" in told


def test_a_corrupt_adapter_is_refused(models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        content = (Path(models.adapter) / name).read_bytes()
        (broken / name).write_bytes(content if name.endswith("json") else content[: len(content) // 2])
    assert "corrupt" in refusal(capsys, "--prompt", PROMPT, *pair(models, str(broken)))


@pytest.mark.parametrize("form", ["json", "html"])
def test_what_was_finished_is_printed_before_an_interruption(
    models: Models, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    from cosec.decoding.engine import Run

    original, steps = Run.step, []

    def interrupted(self: Run) -> object:
        steps.append(1)
        if len(steps) > 15:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(Run, "step", interrupted)
    flags = ["--prompt", PROMPT, "--prompt", "import os\n", "--batch-rows", "1", "--format", form]
    assert main(["generate", *flags, *pair(models)]) == 130
    printed = capsys.readouterr()
    assert printed.out.count({"json": "prompt_index", "html": "<footer>"}[form]) == 1
    assert printed.err.strip() == "cosec: stopped"
