from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosec import DecodingSettings, PreparedPair, SamplingSettings, SteerSettings, ThresholdSettings, harden, load_pair
from cosec.cli.main import main
from cosec.decoding.completer import Completer
from cosec.errors import PromptError, SettingsError
from tests.decoding.pairs import shared_folders

PROMPT = "def read(path, name):\n    with open("
SAMPLING = SamplingSettings(max_new_tokens=12, seed=3)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny target, and an adapter that carries the rule steer at strength 3."""
    target, adapter = shared_folders(tmp_path_factory.mktemp("front-door"))
    (adapter / "rule.toml").write_text('[rule]\nname = "steer"\nstrength = 3.0\n', encoding="utf-8")
    return target, adapter


@pytest.fixture(scope="module")
def pair(folders: tuple[Path, Path]) -> PreparedPair:
    return load_pair(*map(str, folders))


def texts(pair: PreparedPair, prompts: str | list[str] = PROMPT, n: int = 3, **settings: object) -> list[str]:
    chosen = DecodingSettings.model_validate({"sampling": SAMPLING, **settings})
    done = harden(pair, prompts, n=n, settings=chosen)
    return [one.text for one in sorted(done, key=lambda one: (one.prompt_index, one.sample_index))]


def test_python_runs_the_rule_that_the_command_line_runs(
    pair: PreparedPair, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    target, adapter = map(str, folders)
    flags = ["--prompt", PROMPT, "--n", "3", "--max-new-tokens", "12", "--seed", "3", "--format", "json"]
    assert main(["generate", "--target", target, "--security", adapter, *flags]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    command_line = [row["completion"] for row in sorted(rows, key=lambda row: row["sample_index"])]
    assert texts(pair) == command_line
    assert texts(pair, rule=SteerSettings(strength=3.0)) == command_line


def test_a_rule_in_the_settings_replaces_the_adapters_own(pair: PreparedPair) -> None:
    assert texts(pair, rule=ThresholdSettings(threshold=0.3)) != texts(pair)


def test_several_prompts_are_completed_n_times_each(pair: PreparedPair) -> None:
    done = list(harden(pair, [PROMPT, "import os\n"], n=2, settings=DecodingSettings(sampling=SAMPLING), rows=3))
    assert sorted((one.prompt_index, one.sample_index) for one in done) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_single_prompt_may_be_given_as_it_is(pair: PreparedPair) -> None:
    assert texts(pair, PROMPT) == texts(pair, [PROMPT])


def test_impossible_requests_are_refused(pair: PreparedPair, folders: tuple[Path, Path]) -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        harden(pair, PROMPT, n=0)
    with pytest.raises(PromptError, match="empty"):
        list(harden(pair, ""))
    with pytest.raises(SettingsError, match="no security model"):
        harden(load_pair(str(folders[0]), "none"), PROMPT)


def test_models_may_be_named_by_paths(folders: tuple[Path, Path], pair: PreparedPair) -> None:
    assert load_pair(*folders).own_rule == pair.own_rule


def test_an_unknown_name_is_refused_by_its_argument(folders: tuple[Path, Path]) -> None:
    with pytest.raises(SettingsError, match=r"^runtime 'gpu' is not one of"):
        load_pair(*folders, runtime="gpu")  # type: ignore[arg-type] # what a user may write
    with pytest.raises(SettingsError, match=r"^dtype 'int8' is not one of"):
        load_pair(*folders, dtype="int8")


def test_a_completer_runs_the_adapters_own_rule_too(pair: PreparedPair) -> None:
    completer = Completer(pair, DecodingSettings(sampling=SAMPLING))
    assert [one.text for one in completer.complete(PROMPT, n=3)] == texts(pair)


@pytest.mark.parametrize("settings", [SAMPLING, SteerSettings()])
def test_settings_of_another_kind_are_refused(pair: PreparedPair, settings: object) -> None:
    with pytest.raises(SettingsError, match=r"give DecodingSettings\(rule=..., sampling=...\)"):
        harden(pair, PROMPT, settings=settings)  # type: ignore[arg-type] # what a user may write


@pytest.mark.embedded
@pytest.mark.parametrize(("security", "told"), [("smollm2-135m", True), ("default", False)])
def test_an_embedded_base_as_the_security_model_is_reported(security: str, told: bool) -> None:
    said: list[str] = []
    load_pair("smollm2-135m", security, report=said.append)
    remedy = "smollm2-135m is a base model, which nothing has hardened; --security default takes the adapter that ships"
    assert [line.startswith(remedy) for line in said] == [True] * told


def test_records_of_the_target_may_be_left_out(pair: PreparedPair) -> None:
    steered = DecodingSettings(rule=SteerSettings(strength=1.0), sampling=SAMPLING)
    whole, brief = (next(harden(pair, PROMPT, settings=steered, target_records=asked)) for asked in (True, False))
    assert brief.text == whole.text
    assert all(record.changed is None for record in brief.records)
