import json
import shutil
from pathlib import Path

import pytest

from cosec.cli.launching.stages import Stage, plan_stages, record_stage, resumed, state_of
from cosec.errors import SettingsError
from tests.tiny import save_tiny


def make(folder: Path, *, command: tuple[str, ...] | None = None) -> Stage:
    out = folder / "aligned"
    given = command or ("align", "--data", str(folder / "data.jsonl"))
    return Stage(name="align", command=(*given, "--out", str(out)), out=out, record=folder / "stages" / "align.json")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    (tmp_path / "data.jsonl").write_text("one\n")
    return make(tmp_path)


def finish(stage: Stage) -> None:
    record_stage(stage, "begun")
    stage.out.mkdir()
    (stage.out / "model.safetensors").write_bytes(b"weights")
    (stage.out / "config.json").write_text("{}")
    record_stage(stage, "done")


def test_each_stage_is_fed_with_what_the_one_before_made(tmp_path) -> None:
    recipe = {
        "prune": {"model": "big", "layers": 20},
        "align": {"teacher": "big", "data": ["a.jsonl", "b"], "packing": False},
        "tune": {"max_steps": 3},
        "evaluate": [
            {"measure": "joint", "target": "big"},
            {"measure": "function", "name": "easy", "security": "none"},
        ],
    }
    out = str(tmp_path)
    commands = {stage.name: stage.command for stage in plan_stages(recipe, tmp_path)}
    assert commands == {
        "prune": ("models", "prune", "big", "--layers", "20", "--out", f"{out}/student"),
        "align": tuple(
            f"align --student {out}/student --teacher big --data a.jsonl --data b --no-packing"
            f" --out {out}/aligned".split()
        ),
        "tune": tuple(f"tune --base {out}/aligned --max-steps 3 --out {out}/adapter".split()),
        "evaluate-joint-1": tuple(
            f"evaluate joint --security {out}/adapter --target big --out {out}/evaluation-joint-1".split()
        ),
        "evaluate-easy": tuple(f"evaluate function --security none --out {out}/evaluation-easy".split()),
    }


@pytest.mark.parametrize(
    ("recipe", "complaint"),
    [
        ({}, "found nothing"),
        ({"align": {}, "alignn": {}}, "found alignn"),
        ({"align": {"out": "x"}}, "align.out is decided by the pipeline"),
        ({"evaluate": {}}, "two brackets"),
        ({"tune": 3}, "must be a table"),
        ({"evaluate": [{"name": "a"}, {"name": "a"}]}, "Two .* tables have the name 'a'; give each a name"),
        ({"evaluate": [{"name": "joint-2"}, {}]}, "'joint-2'"),
    ],
)
def test_a_recipe_that_is_no_pipeline_is_refused(tmp_path, recipe: dict[str, object], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        plan_stages(recipe, tmp_path)


def test_a_stage_is_done_while_its_inputs_and_its_output_are_the_same(stage) -> None:
    assert state_of(stage) == "new"
    finish(stage)
    assert state_of(stage) == "done"


def test_dates_play_no_part_but_contents_do(stage, tmp_path) -> None:
    finish(stage)
    data = tmp_path / "data.jsonl"
    data.unlink()
    data.write_text("one\n")
    assert state_of(stage) == "done"
    data.write_text("two\n")
    with pytest.raises(SettingsError, match="was made from other inputs"):
        state_of(stage)


def test_another_flag_is_another_input(stage, tmp_path) -> None:
    finish(stage)
    other = make(tmp_path, command=("align", "--data", str(tmp_path / "data.jsonl"), "--seed", "1"))
    with pytest.raises(SettingsError, match="was made from other inputs"):
        state_of(other)


@pytest.mark.parametrize("flag", ["--pairs", "--functional-texts", "--scenarios"])
def test_another_file_behind_the_same_flag_is_another_input(tmp_path, flag: str) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text("one\n")
    stage = make(tmp_path, command=("tune", flag, str(file)))
    finish(stage)
    assert state_of(stage) == "done"
    file.write_text("two\n")
    with pytest.raises(SettingsError, match="was made from other inputs"):
        state_of(stage)


@pytest.mark.parametrize("flag", ["--start-from", "--anti-expert"])
def test_another_adapter_behind_the_same_flag_is_another_input(tmp_path, flag: str) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"one")
    stage = make(tmp_path, command=("tune", flag, str(adapter)))
    finish(stage)
    assert state_of(stage) == "done"
    (adapter / "adapter_model.safetensors").write_bytes(b"two")
    with pytest.raises(SettingsError, match="was made from other inputs"):
        state_of(stage)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's cache that holds one model, `org/teacher`; gives its folder."""
    commit = "a" * 40
    repository = tmp_path / "hub" / "models--org--teacher"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return save_tiny("llama", repository / "snapshots" / commit)


@pytest.mark.parametrize("named_by", ["flag", "recipe"])
def test_other_weights_behind_the_same_name_are_another_input(tmp_path, hub, named_by: str) -> None:
    (tmp_path / "recipe.toml").write_text('teacher = "org/teacher"\nstudent = "org/nowhere"\n')
    flags = {"flag": ("--teacher", "org/teacher"), "recipe": ("--recipe", str(tmp_path / "recipe.toml"))}
    stage = make(tmp_path, command=("align", *flags[named_by]))
    finish(stage)
    assert state_of(stage) == "done"
    shutil.rmtree(hub)
    save_tiny("llama", hub, seed=7)
    with pytest.raises(SettingsError, match="was made from other inputs"):
        state_of(stage)


def test_a_stage_begun_before_its_model_was_fetched_goes_on(tmp_path, hub) -> None:
    stage = make(tmp_path, command=("align", "--teacher", "org/teacher"))
    hub.rename(tmp_path / "elsewhere")
    record_stage(stage, "begun")
    stage.out.mkdir()
    (tmp_path / "elsewhere").rename(hub)
    assert state_of(stage) == "begun"


def test_a_stage_may_begin_with_a_part_of_its_model_fetched(tmp_path, hub) -> None:
    weights = hub / "model.safetensors"
    weights.rename(tmp_path / "weights")
    stage = make(tmp_path, command=("align", "--teacher", "org/teacher"))
    record_stage(stage, "begun")
    stage.out.mkdir()
    (tmp_path / "weights").rename(weights)
    assert state_of(stage) == "begun"


def test_a_model_that_was_changed_afterwards_is_not_taken_for_the_stages(stage) -> None:
    finish(stage)
    (stage.out / "curves.png").write_bytes(b"a picture plays no part")
    assert state_of(stage) == "done"
    (stage.out / "model.safetensors").write_bytes(b"other")
    with pytest.raises(SettingsError, match="was changed after it was made"):
        state_of(stage)


def test_a_deleted_output_is_made_again(stage, tmp_path) -> None:
    finish(stage)
    for file in stage.out.iterdir():
        file.unlink()
    stage.out.rmdir()
    (tmp_path / "data.jsonl").write_text("two\n")
    assert state_of(stage) == "new"


def test_a_stage_that_died_goes_on_from_its_checkpoint(stage) -> None:
    record_stage(stage, "begun")
    stage.out.mkdir()
    assert state_of(stage) == "begun"
    assert resumed(stage) == stage.command
    (stage.out / "checkpoints" / "step-0000001").mkdir(parents=True)
    assert resumed(stage) == (*stage.command, "--resume")


def test_evaluations_go_on_with_the_same_command(tmp_path) -> None:
    stage = make(tmp_path, command=("evaluate", "joint"))
    (stage.out / "checkpoints" / "step-0000001").mkdir(parents=True)
    assert resumed(stage) == stage.command


def test_a_damaged_record_is_a_clear_error(stage) -> None:
    finish(stage)
    stage.record.write_text(json.dumps({"state": "done"}))
    with pytest.raises(SettingsError, match="Cannot read"):
        state_of(stage)


def test_a_stage_whose_inputs_were_changed_while_it_ran_is_not_done(stage, tmp_path) -> None:
    record_stage(stage, "begun")
    stage.out.mkdir()
    before = (tmp_path / "data.jsonl").read_text()
    (tmp_path / "data.jsonl").write_text("changed\n")
    with pytest.raises(SettingsError, match="were changed while it ran"):
        record_stage(stage, "done")
    (tmp_path / "data.jsonl").write_text(before)
    assert state_of(stage) == "begun"
