from __future__ import annotations

import gc
import json
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from cosec.cli.main import main
from cosec.sandbox import SANDBOX_VARIABLE
from cosec.sandbox.backends import Bubblewrap
from tests.cli.conftest import Models
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.evaluation.report.test_frontier import point
from tests.evaluation.report.test_report import PROBLEM
from tests.evaluation.scripted import judges, write_scenarios


@pytest.fixture(autouse=True)
def scripted_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosec.evaluation.judging.judges.default_judges", judges)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


def few(models: Models, out: Path) -> list[str]:
    pair = ["--target", models.target, "--security", models.adapter]
    return ["--out", str(out), *pair, "--samples", "2", "--max-new-tokens", "8"]


def test_function_is_measured_and_continued(models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    problems, out = tmp_path / "problems.jsonl", tmp_path / "out"
    problems.write_text("".join(PROBLEM % index for index in range(2)), encoding="utf-8")
    command = ["evaluate", "function", "--problems", str(problems), *few(models, out)]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "pass@1" in captured.out
    assert "8 of 8 completions" in captured.err
    records = sorted(out.rglob("*.jsonl"))
    assert len(records) == 4
    before = [record.read_bytes() for record in records]
    assert main(command) == 0
    assert [record.read_bytes() for record in records] == before
    assert "--rejudge" not in capsys.readouterr().err
    problems.write_text("".join(PROBLEM % index for index in range(2)).replace("assert f", "assert f()"), "utf-8")
    assert main(command) == 0
    assert "other checkers or tests" in capsys.readouterr().err
    assert main([*command, "--rejudge"]) == 0
    assert "other checkers or tests" not in capsys.readouterr().err
    assert len(sorted(out.glob("verdicts-2/**/*.jsonl"))) == 2
    assert "another study" in refusal(capsys, *command, "--temperature", "1")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["identity"]["models"]) == {"target", "adapter"}


@pytest.mark.parametrize("remedy", ["flag", "environment", "recipe"])
def test_without_bubblewrap_a_study_judges_only_where_limits_alone_were_asked_for(
    remedy: str, models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SANDBOX_VARIABLE, "")
    monkeypatch.setattr(Bubblewrap, "problem", lambda self: "bubblewrap is not installed")
    (tmp_path / "problems.jsonl").write_text(PROBLEM % 0, encoding="utf-8")
    recipe, out = tmp_path / "study.toml", tmp_path / "out"
    text = (
        f'target = "{models.target}"\nsecurity = "{models.adapter}"\narms = ["origin"]\n'
        f'[[benchmarks]]\nname = "function"\nproblems = "{tmp_path / "problems.jsonl"}"\nsamples = 1\n'
        "max_new_tokens = 4\n"
    )
    recipe.write_text(text, encoding="utf-8")
    command = ["study", str(recipe), "--out", str(out)]
    assert "bubblewrap is not installed" in refusal(capsys, *command)
    assert not out.exists()  # nothing is generated that could not be judged
    if remedy == "flag":
        command += ["--sandbox", "limits"]
    elif remedy == "environment":
        monkeypatch.setenv(SANDBOX_VARIABLE, "limits")
    else:
        recipe.write_text(f'sandbox = "limits"\n{text}', encoding="utf-8")
    assert main(command) == 0
    assert "sandbox: limits" in capsys.readouterr().err
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["sandboxes"] == ["limits"]
    assert "sandbox" not in manifest["identity"]
    monkeypatch.setattr(Bubblewrap, "problem", lambda self: None)
    assert main([*command[:4], "--sandbox", "bubblewrap"]) == 0
    again = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert again["sandboxes"] == ["limits"], "nothing was judged the second time"


def test_joint_runs_scenarios_under_any_rule_and_the_report_can_be_written_again(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scenarios, out = write_scenarios(tmp_path / "scenarios", 2), tmp_path / "out"
    arms = ["--arm", "origin", "--arm", "lora", "--arm", "gate:strength=0"]
    assert main(["evaluate", "joint", "--scenarios", str(scenarios), *arms, *few(models, out)]) == 0
    assert "24 of 24 completions judged" in capsys.readouterr().out
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0
    assert "gate:strength=0" in (out / "report.html").read_text(encoding="utf-8")


def no_models_here(*_args: object, **_load: object) -> None:
    raise AssertionError("judging loads no model")


def test_a_frontier_and_a_calibration_are_studies_with_a_figure_and_a_choice(
    models: Models, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_scenarios(tmp_path / "scenarios", 2)
    (tmp_path / "problems.jsonl").write_text("".join(PROBLEM % index for index in range(2)), encoding="utf-8")
    recipe = tmp_path / "frontier.toml"
    recipe.write_text(
        f"""
target = "{models.target}"
security = "{models.adapter}"
[strengths]
gate = [0.0, 1e9]
[[benchmarks]]
name = "security"
scenarios = "{tmp_path / "scenarios"}"
samples = 2
max_new_tokens = 4
[[benchmarks]]
name = "function"
problems = "{tmp_path / "problems.jsonl"}"
samples = 1
max_new_tokens = 4
""",
        encoding="utf-8",
    )
    assert main(["frontier", str(recipe), "--out", str(tmp_path / "out"), "--generate-only"]) == 0
    assert "without --generate-only" in capsys.readouterr().err
    assert not (tmp_path / "out" / "frontier-security.csv").exists()
    both = refusal(capsys, "frontier", str(recipe), "--out", str(tmp_path / "out"), "--generate-only", "--judge-only")
    assert "exclude each other" in both
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("cosec.decoding.hardening.load_pair", no_models_here)
        assert main(["frontier", str(recipe), "--out", str(tmp_path / "out"), "--judge-only"]) == 0
    drawn = tmp_path / "out" / "frontier-security.csv"
    before = drawn.read_bytes()
    drawn.unlink()
    assert main(["report", str(tmp_path / "out")]) == 0
    assert drawn.read_bytes() == before
    capsys.readouterr()
    other_type = refusal(capsys, "frontier", str(recipe), "--out", str(tmp_path / "out"), "--dtype", "bfloat16")
    assert 'models.dtype is null, this one\'s is "bfloat16"' in other_type
    assert main(["calibrate", str(recipe), "--out", str(tmp_path / "out")]) == 2
    assert "No rule can be chosen" in capsys.readouterr().err, "random models reach no sink"
    second = f'[[benchmarks]]\nname = "other"\nscenarios = "{tmp_path / "scenarios"}"\n'
    recipe.write_text(recipe.read_text(encoding="utf-8") + second, encoding="utf-8")
    assert "on one benchmark" in refusal(capsys, "calibrate", str(recipe), "--out", str(tmp_path / "two"))


def test_calibrate_chooses_among_the_arms_of_its_recipe_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, out = tmp_path / "calibrate.toml", tmp_path / "out"
    recipe.write_text(
        'target = "t"\n[strengths]\nsteer = [1]\n[[benchmarks]]\nname = "security"\nscenarios = "own"\n',
        encoding="utf-8",
    )
    out.mkdir()
    points = [point("origin", 0.6, 0.1), point("steer:strength=1", 0.7, 0.1), point("steer@other:strength=3", 0.9, 0.1)]
    results = SimpleNamespace(manifest={"identity": {"models": {}}})
    monkeypatch.setattr("cosec.cli.calibrate.run_study", lambda *_: results)
    monkeypatch.setattr("cosec.evaluation.report.write_frontier", lambda *_: points)
    assert main(["calibrate", str(recipe), "--out", str(out)]) == 0
    assert tomllib.loads((out / "rule.toml").read_text(encoding="utf-8")) == {"rule": {"name": "steer", "strength": 1}}


SEVERAL = """
target = "{target}"
arms = [{arms}]
[security_models]
{named}
[[benchmarks]]
name = "function"
problems = "{problems}"
samples = 2
max_new_tokens = 6
"""


def test_one_study_compares_several_security_models(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    problems, recipe, out = tmp_path / "problems.jsonl", tmp_path / "study.toml", tmp_path / "out"
    problems.write_text("".join(PROBLEM % index for index in range(3)), encoding="utf-8")

    def written(arms: str, **named: str) -> str:
        lines = "\n".join(f'{name} = "{path}"' for name, path in named.items())
        text = SEVERAL.format(target=models.target, arms=arms, named=lines, problems=problems)
        recipe.write_text(text, encoding="utf-8")
        return str(recipe)

    small = written('"origin", "cosec-plus@small"', small=models.security)
    assert main(["study", small, "--out", str(out)]) == 0
    both = written('"origin", "cosec-plus@small", "lora@tuned"', small=models.security, tuned=models.adapter)
    assert main(["study", both, "--out", str(out)]) == 0, "a study may gain security models"
    identity = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["identity"]
    assert set(identity["models"]) == {"target"}
    assert set(identity["security_models_sha256"]) == {"small", "tuned"}

    plain = ["--problems", str(problems), "--target", models.target, "--samples", "2", "--max-new-tokens", "6"]
    for arm, security, named in (("cosec-plus", models.security, "small"), ("lora", models.adapter, "tuned")):
        alone = tmp_path / named
        command = ["evaluate", "function", "--out", str(alone), *plain, "--arm", arm, "--security", security]
        assert main(command) == 0
        assert texts(out, f"{arm}@{named}") == texts(alone, arm)

    assert main(["report", str(out), "--against", "cosec-plus@small"]) == 0
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "Differences to cosec-plus@small" in report
    assert "tuned " in next(line for line in report.splitlines() if line.startswith("- models:"))
    capsys.readouterr()
    assert "no arm 'gate'" in refusal(capsys, "report", str(out), "--against", "gate")
    other = written('"origin", "cosec-plus@small"', small=models.adapter)
    assert "security_models.small" in refusal(capsys, "study", other, "--out", str(out))
    whole = written('"origin", "gate@small"', small=models.security)
    assert "The arm 'gate@small': This rule compares" in refusal(capsys, "study", whole, "--out", str(tmp_path / "no"))
    assert not (tmp_path / "no").exists(), "refused before anything is generated"
    unknown = written('"origin", "cosec-plus@large"', small=models.security)
    assert "'large'; give it under [security_models]" in refusal(capsys, "study", unknown, "--out", str(out))


def texts(out: Path, arm: str) -> list[object]:
    lines = [line for file in sorted((out / "completions" / "function" / arm).rglob("*.jsonl")) for line in file.open()]
    assert lines
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["evaluate", "function", "--out", "x", "--arm", "orgin"], "orgin"),
        (["evaluate", "function", "--out", "x", "--arm", "origin@small"], "write only 'origin'"),
        (["evaluate", "function", "--out", "x", "--arm", "lora@"], "write only 'lora'"),
        (["evaluate", "function", "--out", "x", "--arm", "lora@small:strength=1"], "write only 'lora@small'"),
        (["evaluate", "function", "--out", "x", "--arm", "gate@small"], "[security_models]"),
        (["evaluate", "function", "--out", "x", "--samples", "0"], "--samples: Input should be"),
        (["evaluate", "joint", "--out", "x", "--limit", "-1"], "--limit: Input should be"),
        (["evaluate", "joint", "--out", "x", "--temperature", "-1"], "--temperature: Input should be"),
        (["evaluate", "function", "--out", "x", "--problems", "missing.jsonl"], "missing.jsonl"),
        (["evaluate", "security", "--out", "x", "--scenarios", "missing"], "missing"),
        (["evaluate", "security", "--out", "x", "--depth", "deep"], "deep"),
        (["evaluate", "security"], "--out"),
        (["evaluate", "function", "--out", "x", "--batch-rows", "0"], "--batch-rows: Input should be greater"),
        (["evaluate", "function", "--out", "x", "--seeds", "1", "--seeds", "1"], "give each seed once"),
        (["evaluate", "function", "--out", "x", "--target-model", "m"], "endpoint_model (--target-model)"),
        (["evaluate", "function", "--out", "x", "--target-key-file", "k"], "--target-key-file has an effect only"),
        (
            ["evaluate", "function", "--out", "x", "--endpoint", "http://h/v1", "--target-model", "m"],
            "--endpoint-model",
        ),
        (
            ["evaluate", "function", "--out", "x", "--endpoint", "http://h/v1", "--target-key-file", "k"],
            "an endpoint's key is in OPENAI_API_KEY",
        ),
        (
            ["evaluate", "joint", "--out", "x", "--endpoint", "http://h/v1", "--arm", "gate", "--security", "a"],
            "--arm and --security have no effect with --endpoint",
        ),
        (["evaluate", "joint", "--out", "x", "--anti-expert", "a"], "--arm steer:against=anti-expert"),
        (["study", "missing.toml", "--out", "x"], "missing.toml"),
        (["report", "missing"], "holds no study (manifest.json: No such file or directory);"),
    ],
)
def test_bad_usage_is_one_clear_line(
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in refusal(capsys, *arguments)


def test_a_server_is_measured_alone_and_hardened(
    models: Models, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosec.evaluation.tasks.chat_prompts.CUE", "Be safe.")  # the tiny context is short
    problems, out = tmp_path / "problems.jsonl", tmp_path / "out"
    problems.write_text("".join(PROBLEM % index for index in range(2)), encoding="utf-8")

    def rest(text: str) -> str:
        return "    return 1\n" if "\n    return" not in text else ""

    command = ["evaluate", "function", "--problems", str(problems), "--security", models.adapter, "--out", str(out)]
    command += ["--samples", "2", "--max-new-tokens", "20", "--arm", "origin", "--arm", "gate:strength=0.75"]
    with running(FakeServer(rest)) as server:
        assert main([*command, "--target", server.url, "--arm", "cue"]) == 0
        assert "12 of 12 completions" in capsys.readouterr().err
        asked = len(server.bodies)
        assert main([*command, "--target", server.url, "--arm", "cue"]) == 0
        assert len(server.bodies) == asked  # everything is recorded
        capsys.readouterr()
        assert main([*command, "--target", server.url, "--arm", "cosec-plus"]) == 2
        said = capsys.readouterr().err
        assert "The rule threshold cannot be used" in said.splitlines()[-1]
        gc.collect()
        assert not capsys.readouterr().err  # of tasks that failed beside the first
    records = [
        json.loads(line) for file in (out / "completions").rglob("*.jsonl") for line in file.read_text().splitlines()
    ]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["identity"]["models"]["target"].startswith(server.url)
    assert len(records) == 12
