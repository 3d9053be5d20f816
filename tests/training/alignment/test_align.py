import itertools
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import debug_launcher
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from cosec.errors import DataError, SettingsError, TrainingError
from cosec.models.loading.load import load_model
from cosec.training.alignment import align as alignment
from cosec.training.alignment import teacher
from cosec.training.alignment.align import prepare_alignment
from cosec.training.alignment.objective import AlignmentModels, AlignmentObjective
from cosec.training.alignment.settings import AlignmentSettings
from cosec.training.loop import run_folder
from cosec.training.loop.curves import plots_available
from tests.tiny import ARCHITECTURES, VOCABULARY_SIZE, tiny_tokenizer
from tests.training.conftest import curve_points, without_pictures
from tests.training.test_hardening import Dying, Killed, Watching, assert_same_weights
from tests.training.tiny_alignment import FAST, run_alignment, tiny_pair


@pytest.fixture(scope="module", autouse=True)
def no_pictures() -> Iterator[None]:
    """One test below draws."""
    yield from without_pictures(run_folder, alignment)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve short instructions, one of them far too long."""
    stream = random.Random(0)
    words = ["value", "index", "return", "total", "buffer", "cursor"]
    records = [
        {"instruction": f"Task {number}", "output": " ".join(stream.choices(words, k=6))} for number in range(12)
    ]
    records.append({"instruction": "Long", "output": "word " * 200})
    file = tmp_path_factory.mktemp("data") / "data.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


@pytest.fixture(scope="module")
def whole(no_pictures: None, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The folder of a run that nothing interrupts; one run for each choice of settings."""

    @cache
    def of(**settings: Any) -> Path:
        out = tmp_path_factory.mktemp("whole") / "out"
        run_alignment(data, out, **settings)
        return out

    return of


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("train", ["full", "lora"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_alignment_brings_the_student_closer_to_its_teacher_and_the_output_loads(
    data, tmp_path, architecture: str, train: str
) -> None:
    result = run_alignment(
        data, tmp_path / "out", architecture=architecture, train=train, kl_weight=1.0, lora_rank=8, learning_rate=1e-2
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert result.state.best_loss is not None
    assert result.state.best_loss < manifest["validation"][0]["loss"]
    assert result.state.best_epoch > 0
    loaded = load_model(str(tmp_path / "out"))
    before = load_model(str(data.parent / f"student-{architecture}"))
    assert loaded.family == before.family
    # The folder holds the best student: measured anew, it gives the loss that the manifest records.
    settings = AlignmentSettings(**{**FAST, "kl_weight": 1.0})
    pair = tiny_pair(data.parent / f"student-{architecture}", architecture)
    rows = prepare_alignment(tiny_tokenizer(architecture), [data], settings, None).validation
    models = AlignmentModels(student=loaded.model, teacher=pair.teacher.load(), vocabulary=VOCABULARY_SIZE)
    objective = AlignmentObjective(models, settings)
    losses = [objective.loss(row, training=False, cache_key="").total.item() for row in rows]
    assert sum(losses) / len(losses) == pytest.approx(manifest["best_validation_loss"], rel=1e-4)


@pytest.mark.parametrize("train", ["full", "lora"])
@pytest.mark.parametrize("died_at", [2, 4, 5])
def test_a_killed_and_resumed_run_ends_in_the_same_weights(data, tmp_path, whole, died_at: int, train: str) -> None:
    settings: dict[str, Any] = {"train": train, "packing": False, "max_steps": 7}
    with pytest.raises(Killed):
        run_alignment(data, tmp_path / "killed", progress=Dying(died_at), checkpoint_minutes=1e-9, **settings)
    assert run_alignment(data, tmp_path / "killed", resume=True, **settings).state.step == 7
    assert_same_weights(weights(whole(**settings)), weights(tmp_path / "killed"))
    assert curve_points(whole(**settings)) == curve_points(tmp_path / "killed")


def test_the_curves_hold_a_record_per_step(whole) -> None:
    lines = [json.loads(line) for line in (whole(max_steps=3) / "curves.jsonl").read_text().splitlines()]
    training = [line for line in lines if line["kind"] == "training"]
    assert [line["step"] for line in training] == [1, 2, 3]
    for earlier, later in itertools.pairwise(training):
        assert later["tokens"] > earlier["tokens"] > 0
        assert later["seconds"] >= earlier["seconds"] > 0
    for line in lines:
        assert {"step", "tokens", "loss", "ce", "kl", "seconds"} <= line.keys()
        assert line["loss"] == pytest.approx(0.5 * line["ce"] + 0.5 * line["kl"], rel=1e-5)
    assert {"reverse_kl", "forward_kl"} <= lines[0].keys()


def test_without_divergence_the_curve_says_that_none_was_measured(data, tmp_path) -> None:
    run_alignment(data, tmp_path / "out", max_steps=2, divergence="none")
    lines = [json.loads(line) for line in (tmp_path / "out" / "curves.jsonl").read_text().splitlines()]
    training = [line for line in lines if line["kind"] == "training"]
    assert all(line["kl"] is None and line["loss"] == line["ce"] for line in training)
    assert lines[0]["reverse_kl"] > 0


def test_the_divergences_train_different_students(whole) -> None:
    students = {"reverse-kl": weights(whole(max_steps=3))}
    for kind in ("forward-kl", "none"):
        students[kind] = weights(whole(max_steps=3, divergence=kind))
    for one, other in (("reverse-kl", "forward-kl"), ("reverse-kl", "none")):
        assert any(not torch.equal(value, students[other][name]) for name, value in students[one].items())


def test_the_manifest_says_what_the_student_was_made_from(data, whole) -> None:
    out = whole(max_steps=3)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["student"] == {"name": "student", "sha256": "1" * 64}
    assert manifest["teacher"] == {"name": "teacher", "sha256": "2" * 64, "dtype": "float32"}
    assert manifest["data"]["skipped"] == {"too long": 1}
    assert manifest["settings"]["divergence"] == "reverse-kl"
    assert manifest["tokens"] > 0
    assert len(manifest["model_sha256"]) == 64
    written = "".join(file.read_text() for file in out.glob("*.json"))
    assert str(out.parent) not in written
    assert str(data.parent) not in written


def test_only_the_newest_checkpoint_is_kept_because_each_is_a_whole_model(whole) -> None:
    assert len(list((whole(packing=False) / "checkpoints").iterdir())) == 1


def test_all_who_may_read_the_folder_may_read_the_student(whole) -> None:
    folder = whole(packing=False)
    assert (folder / "model.safetensors").stat().st_mode & 0o666 == folder.stat().st_mode & 0o666


def test_resuming_with_another_divergence_is_refused(data, tmp_path) -> None:
    run_alignment(data, tmp_path / "out", max_steps=1)
    with pytest.raises(TrainingError, match="divergence"):
        run_alignment(data, tmp_path / "out", max_steps=1, divergence="forward-kl", resume=True)


def test_resuming_with_another_type_of_the_teacher_is_refused(data, tmp_path) -> None:
    run_alignment(data, tmp_path / "out", max_steps=1)
    with pytest.raises(TrainingError, match="teacher dtype"):
        run_alignment(data, tmp_path / "out", max_steps=1, teacher_dtype="bfloat16", resume=True)


def test_resuming_a_run_whose_documents_were_split_in_another_way_is_refused(data, tmp_path) -> None:
    run_alignment(data, tmp_path / "out", max_steps=1)
    (state,) = (tmp_path / "out" / "checkpoints").glob("*/state.json")
    record = json.loads(state.read_text())
    assert record["identity"].pop("split") == "by prompt"
    state.write_text(json.dumps(record))
    with pytest.raises(TrainingError, match="split"):
        run_alignment(data, tmp_path / "out", max_steps=1, resume=True)


def test_gradient_checkpointing_changes_no_number(whole) -> None:
    first, second = (weights(whole(max_steps=3, **chosen)) for chosen in ({"gradient_checkpointing": True}, {}))
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-5, atol=1e-6)


def test_a_loss_that_is_not_finite_stops_and_names_the_examples(data, tmp_path, monkeypatch) -> None:
    plain = AlignmentObjective.loss

    def poisoned(self: Any, example: Any, **how: Any) -> Any:
        loss = plain(self, example, **how)
        if how["training"]:
            loss.total.data.fill_(float("nan"))
        return loss

    monkeypatch.setattr(AlignmentObjective, "loss", poisoned)
    with pytest.raises(TrainingError, match=r"loss nan.*data\.jsonl:"):
        run_alignment(data, tmp_path / "out")
    assert all(value.isfinite().all() for value in weights(tmp_path / "out").values())


def test_documents_that_are_all_too_long_are_a_clear_error(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"instruction": "Do it", "output": "word " * 99}) + "\n")
    with pytest.raises(DataError, match="No document fits into --max-tokens 64"):
        run_alignment(tmp_path / "a.jsonl", tmp_path / "out", validation_share=0)


def test_curves_are_drawn_where_matplotlib_is_installed(data, tmp_path, monkeypatch) -> None:
    for module in (run_folder, alignment):
        monkeypatch.setattr(module, "plots_available", plots_available)
    assert run_alignment(data, tmp_path / "out", max_steps=1, divergence="none").curves_drawn
    assert (tmp_path / "out" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_saves_and_the_resumed_run_ends_in_the_same_weights(data, tmp_path, whole) -> None:
    assert run_alignment(data, tmp_path / "stopped", packing=False, progress=Watching(at_step=2)).interrupted
    run_alignment(data, tmp_path / "stopped", packing=False, resume=True)
    assert_same_weights(weights(whole(packing=False)), weights(tmp_path / "stopped"))


def test_stored_distributions_serve_other_runs_without_the_teacher(data, tmp_path, monkeypatch) -> None:
    cache = tmp_path / "cache-of-teacher"
    first = run_alignment(data, tmp_path / "first", teacher_cache=cache, teacher_top_k=16)
    assert first.state.best_epoch > 0
    monkeypatch.setattr(alignment, "load_teacher", None)
    monkeypatch.setattr(teacher, "load_teacher", None)
    for kind in ("forward-kl", "skew-reverse-kl", "none"):
        run_alignment(data, tmp_path / kind, teacher_cache=cache, teacher_top_k=16, divergence=kind, max_steps=2)
    validation = json.loads((tmp_path / "none" / "curves.jsonl").read_text().splitlines()[0])
    assert validation["reverse_kl"] > 0
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text())
    assert manifest["teacher_cache"] == {"top_k": 16, "stored_type": "float16"}


def test_nearly_all_tokens_stored_train_nearly_the_same_student(data, tmp_path, whole) -> None:
    run_alignment(
        data,
        tmp_path / "stored",
        max_steps=3,
        teacher_cache=tmp_path / "c",
        teacher_top_k=VOCABULARY_SIZE - 1,
        teacher_stored_type="float32",
    )
    folders = (whole(max_steps=3), tmp_path / "stored")
    exact, stored = (json.loads((folder / "manifest.json").read_text()) for folder in folders)
    assert stored["best_validation_loss"] == pytest.approx(exact["best_validation_loss"], rel=1e-4)


def test_a_killed_run_on_stored_distributions_ends_in_the_same_weights(data, tmp_path) -> None:
    settings: dict[str, Any] = {"packing": False, "max_steps": 5, "teacher_top_k": 8}
    run_alignment(data, tmp_path / "whole", teacher_cache=tmp_path / "c", **settings)
    with pytest.raises(Killed):
        run_alignment(
            data,
            tmp_path / "killed",
            progress=Dying(3),
            checkpoint_minutes=1e-9,
            teacher_cache=tmp_path / "c",
            **settings,
        )
    with pytest.raises(TrainingError, match="teacher cache"):
        run_alignment(data, tmp_path / "killed", resume=True, **settings)
    run_alignment(data, tmp_path / "killed", resume=True, teacher_cache=tmp_path / "c", **settings)
    assert_same_weights(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_that_there_is_nothing_to_resume_is_said_before_the_teacher_predicts(data, tmp_path) -> None:
    with pytest.raises(TrainingError, match="Nothing to resume"):
        run_alignment(data, tmp_path / "out", resume=True, teacher_cache=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_distributions_of_other_data_or_of_the_whole_vocabulary_are_refused(data, tmp_path) -> None:
    cache = tmp_path / "c"
    run_alignment(data, tmp_path / "out", max_steps=1, teacher_cache=cache)
    with pytest.raises(TrainingError, match=r"for another run: examples differs.*another --teacher-cache"):
        run_alignment(data, tmp_path / "other", max_steps=1, teacher_cache=cache, seed=1)
    with pytest.raises(SettingsError, match="keeps the whole vocabulary"):
        run_alignment(data, tmp_path / "other", teacher_cache=cache, teacher_top_k=VOCABULARY_SIZE)


def run_forked(data: Path, out: Path, teacher_cache: Path | None = None) -> None:
    """The body of a forked process: forget the parent's state, keep off its threads, train."""
    torch.set_num_threads(1)
    AcceleratorState._reset_state(reset_partial_state=True)
    run_alignment(data, out, packing=False, teacher_cache=teacher_cache)


def test_two_processes_give_the_same_weights_as_one(data, tmp_path, whole) -> None:
    debug_launcher(run_forked, args=(data, tmp_path / "two"), num_processes=2)
    assert_same_weights(weights(whole(packing=False)), weights(tmp_path / "two"))


def test_two_processes_fill_one_cache_and_give_the_same_weights_as_one(data, tmp_path) -> None:
    run_alignment(data, tmp_path / "one", packing=False, teacher_cache=tmp_path / "c1")
    debug_launcher(run_forked, args=(data, tmp_path / "two", tmp_path / "c2"), num_processes=2)
    assert_same_weights(weights(tmp_path / "one"), weights(tmp_path / "two"))
    for name in ("training.token_ids", "training.log_probs", "validation.tail"):
        assert (tmp_path / "c1" / name).read_bytes() == (tmp_path / "c2" / name).read_bytes()
