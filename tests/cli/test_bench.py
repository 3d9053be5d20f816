from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cosec.cli import bench
from cosec.cli.main import main
from tests.cli.conftest import Models

KEYS = {
    "batch",
    "mode",
    "target_seconds_per_20",
    "hardened_seconds_per_20",
    "ratio",
    "alpha",
    "c",
    "v",
    "draft_length",
    "peak_mib",
}


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Flags of a measurement too short to say anything about speed."""
    monkeypatch.setattr(bench, "_check_speed", lambda *size: None)
    return ["--rounds", "1", "--tokens", "4"]


@pytest.mark.parametrize(
    ("security", "mode", "batches", "lengths"),
    [("adapter", "shared", [1, 3], [1]), ("security", "two-models", [3], [1, "auto"])],
)
def test_speed_reports_every_figure_of_the_contract(
    models: Models,
    brief: list[str],
    security: str,
    mode: str,
    batches: list[int],
    lengths: list[int | str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    prompt = tmp_path / "prompt.py"
    prompt.write_text("import os\n")
    flags = ["--target", models.target, "--security", getattr(models, security), "--prompt-file", str(prompt)]
    flags += [flag for rows in batches for flag in ("--batch", str(rows))]
    assert main(["bench", "speed", *flags, *brief, "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["environment"]["threads"] >= 1
    pairs = record["pairs"]
    assert [row["batch"] for row in pairs] == [rows for rows in batches for _ in lengths]
    assert [row["auto"] for row in pairs] == [length == "auto" for _ in batches for length in lengths]
    for row in pairs:
        assert set(row) >= KEYS
        assert row["mode"] == mode
        assert 0 <= row["alpha"] <= 1
        assert row["ratio"] > 0
        assert row["v"]["1"] == pytest.approx(1.0)
        assert row["peak_mib"] > 0


def test_the_table_has_a_row_for_each_measurement(
    models: Models, brief: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    prompt = tmp_path / "prompt.py"
    prompt.write_text("import os\n")
    flags = ["--target", models.target, "--security", models.adapter, "--prompt-file", str(prompt)]
    assert main(["bench", "speed", *flags, "--batch", "2", *brief]) == 0
    assert "hardened s/20" in capsys.readouterr().out


def test_any_rule_can_be_measured(
    models: Models, brief: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    prompt = tmp_path / "prompt.py"
    prompt.write_text("import os\n")
    flags = ["--target", models.target, "--security", models.adapter, "--prompt-file", str(prompt), "--batch", "1"]
    flags += ["--rule", "gate", "--strength", "0.2", *brief, "--format", "json"]
    assert main(["bench", "speed", *flags]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["rule"]["name"], record["rule"]["strength"]) == ("gate", 0.2)


@pytest.mark.parametrize(("flag", "mode"), [([], "security-alone"), (["--target-records"], "shared")])
def test_speed_is_that_of_the_security_model_where_the_target_changes_no_token(
    models: Models, brief: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, flag: list[str], mode: str
) -> None:
    (tmp_path / "prompt.py").write_text("import os\n")
    flags = ["--target", models.target, "--security", models.adapter, "--prompt-file", str(tmp_path / "prompt.py")]
    flags += ["--rule", "steer", "--strength", "1", "--batch", "1", *brief, "--format", "json"]
    assert main(["bench", "speed", *flags, *flag]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["target_records"] is bool(flag)
    assert [(row["mode"], row["alpha"], row["draft_length"]) for row in record["pairs"]] == [(mode, 1.0, 1)]


def test_an_adapters_own_rule_is_measured_where_none_is_named(
    models: Models, brief: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "prompt.py").write_text("import os\n")
    adapter = tmp_path / "adapter"
    shutil.copytree(models.adapter, adapter)
    (adapter / "rule.toml").write_text('[rule]\nname = "steer"\nstrength = 3.0\n')
    flags = ["--target", models.target, "--security", str(adapter), "--prompt-file", str(tmp_path / "prompt.py")]
    flags += ["--batch", "1", *brief, "--format", "json"]
    assert main(["bench", "speed", *flags]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == {
        "name": "steer",
        "strength": 3.0,
        "against": "base",
        "security_floor": 0.0,
    }


@pytest.mark.parametrize(
    "flags",
    [
        ["--rule", "steer", "--threshold", "0.3"],
        ["--rounds", "1"],
        ["--tokens", "5"],
        ["--batch", "0"],
        ["--draft-length", "0"],
        ["--draft-length", "65"],
        ["--security", "none"],
    ],
)
def test_measurements_that_would_say_nothing_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "speed", *flags]) == 2
    assert "cosec: error:" in capsys.readouterr().err
