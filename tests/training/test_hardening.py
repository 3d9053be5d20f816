import itertools
import json
import math
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from cosec.errors import AdapterError, CosecWarning, DataError, SettingsError, TrainingError
from cosec.models.adapters import read_adapter
from cosec.training import hardening
from cosec.training.data.corpus import load_corpus
from cosec.training.hardening import HardeningResult, harden, prepare_examples
from cosec.training.loop import run_folder
from cosec.training.loop.curves import plots_available
from cosec.training.loop.progress import LossMeans, SilentProgress
from cosec.training.objective import HardeningObjective
from cosec.training.settings import HardeningSettings
from tests.tiny import ARCHITECTURES, beginning_tokenizer, tiny_model
from tests.training.conftest import curve_points, record, without_pictures, write_pair_set
from tests.training.tiny_run import FAST, run, tiny_base


class Watching(SilentProgress):
    """Remembers the events, and may do something at a step."""

    def __init__(self, at_step: int | None = None) -> None:
        self.losses: list[LossMeans] = []
        self.validations: list[tuple[int, float, bool]] = []
        self._at_step = at_step

    def stepped(self, *, step: int, epoch: int, losses: LossMeans) -> None:
        self.losses.append(losses)
        if step == self._at_step:
            self.act()

    def validated(self, *, epoch: int, losses: LossMeans, best: bool) -> None:
        self.validations.append((epoch, losses.loss, best))

    def act(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


class Killed(BaseException):
    """As abrupt as a killed process: nothing catches it."""


class Dying(Watching):
    def act(self) -> None:
        raise Killed


@pytest.fixture(scope="module", autouse=True)
def no_pictures() -> Iterator[None]:
    """One test below draws."""
    yield from without_pictures(run_folder, hardening)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven pairs to train on, which makes four steps an epoch, and two to validate."""
    return write_pair_set(tmp_path_factory.mktemp("set"), training=range(7), validation=(7, 8))


@pytest.fixture(scope="module")
def whole(no_pictures: None, data: Path, tmp_path_factory: pytest.TempPathFactory) -> HardeningResult:
    """A run that nothing interrupts, with the usual settings."""
    return run(data, tmp_path_factory.mktemp("whole") / "out")


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def assert_same_weights(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def last_checkpoint(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(sorted((folder / "checkpoints").glob("step-*"))[-1] / "adapter.safetensors")


def test_training_lowers_the_validation_loss_and_keeps_the_best_adapter(data, tmp_path) -> None:
    watching = Watching()
    result = run(data, tmp_path / "out", epochs=4, progress=watching)
    losses = [loss for _, loss, _ in watching.validations]
    assert result.state.step == 16
    assert min(losses) < losses[0] - 0.1
    assert result.state.best_loss == min(losses)
    assert result.state.best_epoch == losses.index(min(losses))
    assert len(watching.losses) == 16


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # peft asks transformers 5 by the old name
def test_the_output_is_a_peft_adapter_that_reproduces_its_validation_loss(data, whole) -> None:
    loaded = PeftModel.from_pretrained(tiny_model(), whole.folder)
    manifest = json.loads((whole.folder / "manifest.json").read_text())
    from cosec.training.data.examples import tokenize_pairs
    from cosec.training.data.security_pairs import load_pairs

    pairs = load_pairs([data], validation_share=0, seed=0)
    examples = tokenize_pairs(pairs.validation, tiny_base().tokenizer, max_tokens=64)
    loss = HardeningObjective(loaded, HardeningSettings(**FAST))
    losses = [loss.loss(each, training=False, cache_key="").total.item() for each in examples]
    assert sum(losses) / len(losses) == pytest.approx(whole.state.best_loss, rel=1e-6)
    assert manifest["best_validation_loss"] == whole.state.best_loss


def test_the_manifest_says_what_the_adapter_was_made_from(data, tmp_path) -> None:
    run(data, tmp_path / "out", seed=3)
    out = tmp_path / "out"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["base_model"] == {"name": "tiny", "sha256": "0" * 64}
    assert manifest["seed"] == manifest["settings"]["seed"] == 3
    assert manifest["data"]["training_pairs"] == 7
    assert manifest["data"]["validation_pairs"] == 2
    assert [point["epoch"] for point in manifest["validation"]] == [0, 1, 2]
    assert {"torch", "transformers", "peft", "cosec"} <= manifest["versions"].keys()
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
    written = "".join(file.read_text() for file in out.glob("*.json*"))
    assert str(tmp_path) not in written
    assert not (out / "reference-cache").exists()


def test_curves_are_drawn_where_matplotlib_is_installed(data, tmp_path, monkeypatch) -> None:
    assert not run(data, tmp_path / "without", max_steps=1).curves_drawn
    for module in (run_folder, hardening):
        monkeypatch.setattr(module, "plots_available", plots_available)
    assert run(data, tmp_path / "with", max_steps=1).curves_drawn
    assert not (tmp_path / "without" / "curves.png").exists()
    assert (tmp_path / "with" / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("died_at", [2, 4, 5], ids=["in the first epoch", "at its last step", "in the second"])
def test_a_killed_and_resumed_run_ends_in_the_same_weights(data, tmp_path, whole, died_at: int) -> None:
    every_step = 1e-9
    with pytest.raises(Killed):
        run(data, tmp_path / "killed", progress=Dying(died_at), checkpoint_minutes=every_step)
    assert run(data, tmp_path / "killed", resume=True).state.step == 8
    assert_same_weights(last_checkpoint(whole.folder), last_checkpoint(tmp_path / "killed"))
    assert_same_weights(adapter(whole.folder), adapter(tmp_path / "killed"))
    assert curve_points(whole.folder) == curve_points(tmp_path / "killed")


@contextmanager
def signal_during(monkeypatch: pytest.MonkeyPatch, nth: int, *, training: bool) -> Iterator[None]:
    """The process gets SIGTERM while its ``nth`` training or validation example, which takes half a minute, runs."""
    plain, seen = HardeningObjective.loss, 0

    def slow(self: Any, example: Any, **how: Any) -> Any:
        nonlocal seen
        seen += how["training"] is training
        if seen == nth and how["training"] is training:
            Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
            time.sleep(30)
        return plain(self, example, **how)

    with monkeypatch.context() as patched:
        patched.setattr(HardeningObjective, "loss", slow)
        yield


@pytest.mark.parametrize(
    ("nth", "training", "steps"),
    [(4, False, 4), (1, False, 0), (6, False, 8), (3, True, 1)],
    ids=["in a validation", "in the first validation", "in the last validation", "in a step"],
)
def test_a_signal_stops_the_computation_at_once_and_the_run_can_be_resumed(
    data, tmp_path, monkeypatch, whole, nth: int, training: bool, steps: int
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    began = time.monotonic()
    with signal_during(monkeypatch, nth, training=training):
        stopped = run(data, tmp_path / "stopped")
    assert time.monotonic() - began < 20  # the computation itself would take 30 s
    assert stopped.interrupted
    assert stopped.state.step == steps
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not run(data, tmp_path / "stopped", resume=True).interrupted
    assert_same_weights(last_checkpoint(whole.folder), last_checkpoint(tmp_path / "stopped"))
    assert_same_weights(adapter(whole.folder), adapter(tmp_path / "stopped"))
    assert curve_points(whole.folder) == curve_points(tmp_path / "stopped")


def test_a_signal_between_two_steps_stops_before_the_next(data, tmp_path) -> None:
    stopped = run(data, tmp_path / "stopped", progress=Watching(at_step=3))
    assert stopped.interrupted
    assert stopped.state.step == 3


def test_an_adapter_that_was_never_trained_is_refused_and_an_unfinished_one_says_so(data, tmp_path) -> None:
    run(data, tmp_path / "untrained", progress=Watching(at_step=2))
    with pytest.raises(AdapterError, match=r"untrained.*--resume"):
        read_adapter(tmp_path / "untrained")
    run(data, tmp_path / "unfinished", progress=Watching(at_step=6))
    with pytest.warns(CosecWarning, match=r"unfinished.*--resume"):
        read_adapter(tmp_path / "unfinished")
    run(data, tmp_path / "unfinished", resume=True)
    assert read_adapter(tmp_path / "unfinished").weights


def test_the_same_seed_gives_the_same_adapter_and_another_seed_another(data, tmp_path, whole) -> None:
    for name, seed in (("again", 0), ("other", 1)):
        run(data, tmp_path / name, seed=seed)
    assert_same_weights(adapter(whole.folder), adapter(tmp_path / "again"))
    other = adapter(tmp_path / "other")
    assert any(not torch.equal(value, other[name]) for name, value in adapter(whole.folder).items())


def test_resuming_with_other_settings_is_refused(data, tmp_path, whole) -> None:
    shutil.copytree(whole.folder, tmp_path / "out")
    with pytest.raises(TrainingError, match="learning_rate"):
        run(data, tmp_path / "out", resume=True, learning_rate=1e-4)
    assert run(data, tmp_path / "out", resume=True, checkpoint_minutes=3).state.step == 8


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ((), r"already holds a run.*--resume"),
        (("checkpoints",), r"holds a model or an adapter.*another --out"),
        (("step-*",), r"holds trained weights without a checkpoint; choose another --out"),
    ],
    ids=["with its checkpoints", "without their folder", "without them"],
)
def test_a_finished_run_is_not_overwritten(data, tmp_path, whole, left_out: tuple[str, ...], said: str) -> None:
    shutil.copytree(whole.folder, tmp_path / "out", ignore=shutil.ignore_patterns(*left_out))
    before = adapter(tmp_path / "out")
    with pytest.raises(TrainingError, match=said):
        run(data, tmp_path / "out", seed=1)
    assert_same_weights(before, adapter(tmp_path / "out"))


def without_checkpoints(folder: Path, copy: Path, **changes: Any) -> None:
    """Copy a run without its checkpoints, with changes to its manifest."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("step-*"))
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, **changes}))


@pytest.mark.parametrize("resume", [False, True])
def test_trained_weights_whose_checkpoints_are_gone_are_not_overwritten(data, tmp_path, whole, resume: bool) -> None:
    without_checkpoints(whole.folder, tmp_path / "out", best_epoch=1, finished=False)
    with pytest.raises(TrainingError, match=r"holds trained weights without a checkpoint; choose another --out"):
        run(data, tmp_path / "out", resume=resume)
    assert_same_weights(adapter(whole.folder), adapter(tmp_path / "out"))


def test_a_run_that_ended_before_its_first_checkpoint_begins_again(data, tmp_path, whole) -> None:
    without_checkpoints(whole.folder, tmp_path / "out", best_epoch=0, finished=False)
    run(data, tmp_path / "out")
    assert_same_weights(adapter(whole.folder), adapter(tmp_path / "out"))


def test_a_loss_that_is_not_finite_stops_and_names_the_batch(data, tmp_path, monkeypatch) -> None:
    plain = HardeningObjective.loss

    def poisoned(self: Any, example: Any, **how: Any) -> Any:
        loss = plain(self, example, **how)
        if example.pair.function_name == "find_3" and how["training"]:
            return replace(loss, total=loss.total * float("nan"))
        return loss

    monkeypatch.setattr(HardeningObjective, "loss", poisoned)
    with pytest.raises(TrainingError, match=r"loss nan.*a\.jsonl:4"):
        run(data, tmp_path / "out")
    assert all(torch.isfinite(value).all() for value in last_checkpoint(tmp_path / "out").values())


def test_patience_ends_a_run_that_no_longer_improves_and_resuming_does_not_go_on(data, tmp_path, monkeypatch) -> None:
    plain = HardeningObjective.loss
    validated = itertools.count()

    def worse_each_time(self: Any, example: Any, **how: Any) -> Any:
        loss = plain(self, example, **how)
        if how["training"]:
            return loss
        rising = torch.tensor(float(next(validated)))
        return replace(loss, total=rising)

    monkeypatch.setattr(HardeningObjective, "loss", worse_each_time)
    result = run(data, tmp_path / "out", epochs=8, patience=2)
    assert (result.state.step, result.state.best_epoch) == (8, 0)
    assert run(data, tmp_path / "out", epochs=8, patience=2, resume=True).state.step == 8
    assert run(data, tmp_path / "out", epochs=8, patience=3, resume=True).state.step == 12


def test_without_validation_pairs_the_last_adapter_is_kept(tmp_path, write_pairs) -> None:
    file = write_pairs("a.jsonl", [record(number) for number in range(3)])
    result = run(file, tmp_path / "out", validation_share=0)
    assert (result.state.best_epoch, result.state.best_loss) == (2, None)
    trained = {name.removesuffix(".default.weight") for name in last_checkpoint(tmp_path / "out")}
    assert len(adapter(tmp_path / "out")) == len(trained)
    assert any(value.any() for name, value in adapter(tmp_path / "out").items() if "lora_B" in name)


def test_max_steps_ends_a_run_inside_an_epoch(data, tmp_path) -> None:
    watching = Watching()
    assert run(data, tmp_path / "out", max_steps=3, progress=watching).state.step == 3
    assert len(watching.validations) == 2


def test_a_batch_must_hold_an_example_for_each_process(data, tmp_path, monkeypatch) -> None:
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "num_processes", 3)
    with pytest.raises(SettingsError, match="3 processes cannot share a batch of 2"):
        run(data, tmp_path / "out")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_architecture_trains_only_lora_on_its_attention(data, tmp_path, architecture: str) -> None:
    base = tiny_base(architecture)
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    settings = HardeningSettings(**{**FAST, "epochs": 1})
    harden(base, [data], settings, tmp_path / "out")
    adapted = {name.rsplit(".lora_", 1)[0].split(".")[-2:][0] for name in adapter(tmp_path / "out")}
    assert adapted <= {"attn", "self_attn"}
    assert any(value.any() for name, value in adapter(tmp_path / "out").items() if "lora_B" in name)
    after = {
        name.replace(".base_layer", ""): value for name, value in base.model.state_dict().items() if "lora" not in name
    }
    assert_same_weights(before, after)


def test_training_together_takes_the_steps_of_training_apart(data, tmp_path) -> None:
    for count in (1, 2):
        run(data, tmp_path / str(count), lora_dropout=0, unlikelihood=0.3, examples_per_pass=count)
    one, other = adapter(tmp_path / "1"), adapter(tmp_path / "2")
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-4)
    (last,) = [point for point in curve_points(tmp_path / "2") if point["kind"] == "validation"][-1:]
    assert last["loss"] == pytest.approx(last["security"] + last["functional"] + 0.3 * last["unlikelihood"])


def test_a_run_with_a_preference_learns_it_resumes_to_the_same_weights_and_records_it(data, tmp_path) -> None:
    chosen = {"preference": 1.0, "unlikelihood": 0.1, "examples_per_pass": 2}
    run(data, tmp_path / "whole", **chosen)
    with pytest.raises(Killed):
        run(data, tmp_path / "killed", progress=Dying(3), checkpoint_minutes=1e-9, **chosen)
    run(data, tmp_path / "killed", resume=True, **chosen)
    assert_same_weights(last_checkpoint(tmp_path / "whole"), last_checkpoint(tmp_path / "killed"))
    points = [point for point in curve_points(tmp_path / "whole") if point["kind"] == "validation"]
    assert points[0]["preference"] == pytest.approx(math.log(2), rel=1e-4)
    assert points[-1]["preference"] < points[0]["preference"]
    settings = json.loads((tmp_path / "whole" / "manifest.json").read_text())["settings"]
    assert (settings["preference"], settings["preference_beta"]) == (1.0, 2.0)
    with pytest.raises(TrainingError, match="preference"):
        run(data, tmp_path / "whole", resume=True, **{**chosen, "preference": 0.5})


def test_a_checkpoint_from_before_the_preference_loss_is_continued(data, tmp_path) -> None:
    run(data, tmp_path / "out", progress=Watching(at_step=3))
    (state,) = sorted((tmp_path / "out" / "checkpoints").glob("step-*/state.json"))[-1:]
    record = json.loads(state.read_text())
    record["identity"] = {name: value for name, value in record["identity"].items() if "preference" not in name}
    state.write_text(json.dumps(record))
    assert run(data, tmp_path / "out", resume=True).state.step == 8


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # peft asks transformers 5 by the old name
def test_functional_texts_keep_the_model_as_it_was_on_them(data, tmp_path) -> None:
    names = ("total", "last", "first", "mean", "longest", "shuffled", "sorted", "even")
    code = [f"def {name}(values):\n    return {name}_of(values)\n" for name in names]
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"prompt": one[:20], "completion": one[20:]}) + "\n" for one in code))
    texts = load_corpus([file], validation_share=0, seed=0)
    run(data, tmp_path / "without", lora_dropout=0, epochs=4)
    run(data, tmp_path / "with", texts=texts, lora_dropout=0, epochs=4)

    def divergence(folder: str) -> float:
        tuned = PeftModel.from_pretrained(tiny_model(), tmp_path / folder)
        ids = torch.cat([tiny_base().tokenizer(one, return_tensors="pt").input_ids[0] for one in code])[None]
        with torch.no_grad():
            own = tuned(input_ids=ids).logits.log_softmax(-1)
            with tuned.disable_adapter():
                before = tuned(input_ids=ids).logits.log_softmax(-1)
        return float((own.exp() * (own - before)).sum(-1).mean())

    assert divergence("with") < 0.5 * divergence("without")
    manifest = json.loads((tmp_path / "with" / "manifest.json").read_text())
    assert manifest["data"]["functional_texts"] == {"sha256": texts.sha256, "texts": 8, "skipped": {}}
    assert manifest["data"]["training_pairs"] == 7
    with pytest.raises(TrainingError, match="data"):
        run(data, tmp_path / "with", resume=True, lora_dropout=0, epochs=4)


def test_all_of_a_long_functional_text_is_learned_in_pieces(data, tmp_path) -> None:
    source = "".join(f"total_{number} = {number}\n" for number in range(40))
    (tmp_path / "long.py").write_text(source)
    texts = load_corpus([tmp_path / "long.py"], validation_share=0, seed=0)
    settings = HardeningSettings(**FAST)
    examples = prepare_examples(tiny_base().tokenizer, [data], settings, texts)
    plain = prepare_examples(tiny_base().tokenizer, [data], settings)
    pieces = examples.training[len(plain.training) :]
    assert len(pieces) > 1
    assert all(len(one.token_ids) <= settings.max_tokens for one in pieces)
    assert tiny_base().tokenizer.decode([token for one in pieces for token in one.token_ids]) == source
    assert examples.record["functional_texts"]["pieces"] == len(pieces)


def test_a_functional_text_in_a_chat_begins_once(data, tmp_path) -> None:
    tokenizer = beginning_tokenizer()
    (tmp_path / "chat.jsonl").write_text(
        json.dumps({"prompt": f"{tokenizer.bos_token}[user] Add.\n", "completion": "a + b\n"}) + "\n"
    )
    texts = load_corpus([tmp_path / "chat.jsonl"], validation_share=0, seed=0)
    last = prepare_examples(tokenizer, [data], HardeningSettings(**FAST), texts).training[-1]
    assert tokenizer.decode(last.token_ids) == f"{tokenizer.bos_token}[user] Add.\na + b\n"


@pytest.mark.parametrize("with_beginning", [False, True])
def test_a_pair_without_a_token_to_predict_is_left_out_and_counted(tmp_path, write_pairs, with_beginning: bool) -> None:
    tokenizer = beginning_tokenizer() if with_beginning else tiny_base().tokenizer
    write_pairs("set/train/a.jsonl", [record(0, func_src_after=""), record(1), record(2)])
    write_pairs("set/val/a.jsonl", [record(3, func_src_after=""), record(4)])
    (tmp_path / "texts.jsonl").write_text(json.dumps({"prompt": "", "completion": "total = 0\n"}) + "\n")
    texts = load_corpus([tmp_path / "texts.jsonl"], validation_share=0, seed=0)
    examples = prepare_examples(tokenizer, [tmp_path / "set"], HardeningSettings(**FAST), texts)
    assert [one.pair.function_name for one in examples.training] == ["find_1", "find_2", ""]
    assert [one.pair.function_name for one in examples.validation] == ["find_4"]
    assert examples.record["skipped_too_short"] == 2
    assert len({one.key for one in examples.training}) == 3


def test_a_functional_text_of_one_token_is_left_out_and_counted(data, tmp_path) -> None:
    (tmp_path / "texts.jsonl").write_text(json.dumps({"prompt": "", "completion": "a"}) + "\n")
    texts = load_corpus([tmp_path / "texts.jsonl"], validation_share=0, seed=0)
    examples = prepare_examples(tiny_base().tokenizer, [data], HardeningSettings(**FAST), texts)
    assert len(examples.training) == 7
    assert examples.record["functional_texts"]["skipped"] == {"too short": 1}


def test_pairs_that_all_have_no_token_to_predict_are_an_error(write_pairs) -> None:
    file = write_pairs("a.jsonl", [record(0, func_src_before="")])
    settings = HardeningSettings(**{**FAST, "side": "vulnerable", "validation_share": 0})
    with pytest.raises(DataError, match=r"a\.jsonl: the side to learn has at most one token"):
        prepare_examples(tiny_base().tokenizer, [file], settings)


def test_a_base_of_another_type_cannot_resume_a_run(data, tmp_path) -> None:
    run(data, tmp_path / "out", max_steps=1)
    base = replace(tiny_base(), model=tiny_model().to(torch.bfloat16))
    with pytest.raises(TrainingError, match="dtype"):
        harden(base, [data], HardeningSettings(**FAST, max_steps=1), tmp_path / "out", resume=True)


def test_the_functional_weight_scales_its_part_of_the_loss(data, tmp_path) -> None:
    points = curve_points(run(data, tmp_path / "out", functional_weight=3).folder)
    for point in points:
        assert point["loss"] == pytest.approx(point["security"] + 3 * point["functional"], rel=1e-5)


def test_a_checkpoint_from_before_the_functional_weight_is_continued(data, tmp_path) -> None:
    run(data, tmp_path / "out", progress=Watching(at_step=3))
    (state,) = sorted((tmp_path / "out" / "checkpoints").glob("step-*/state.json"))[-1:]
    assert "functional_weight" not in json.loads(state.read_text())["identity"]
    assert run(data, tmp_path / "out", resume=True).state.step == 8


def test_an_anti_expert_learns_the_vulnerable_side(data) -> None:
    settings = HardeningSettings(**{**FAST, "side": "vulnerable", "max_tokens": 1000})
    examples = prepare_examples(tiny_base().tokenizer, [data], settings)
    read = {tiny_base().tokenizer.decode(one.token_ids) for one in (*examples.training, *examples.validation)}
    vulnerable = {record(number)["func_src_before"] for number in range(20)}
    assert read
    assert read <= vulnerable


def test_rare_weaknesses_are_repeated_up_to_the_floor(data) -> None:
    settings = HardeningSettings(**{**FAST, "cwe_floor": 20})
    assert len(prepare_examples(tiny_base().tokenizer, [data], settings).training) == 20


@pytest.mark.parametrize("change", [{"weight_decay": 0.5}, {"clip_norm": 1e-9}], ids=lambda change: next(iter(change)))
def test_the_optimizer_decays_weights_and_clips_gradients(data, tmp_path, change: dict[str, float]) -> None:
    plain = adapter(run(data, tmp_path / "plain", max_steps=4).folder)
    other = adapter(run(data, tmp_path / "other", max_steps=4, **change).folder)
    assert any(not torch.equal(other[name], value) for name, value in plain.items())


def test_a_step_takes_the_mean_over_its_examples(tmp_path) -> None:
    norms = []
    for count in (1, 2):
        file = tmp_path / f"{count}.jsonl"
        same = [record(0, commit_link=f"example.org/commit/{number}") for number in range(count)]
        file.write_text("".join(json.dumps(one) + "\n" for one in same))
        settings = {"batch_size": count, "max_steps": 1, "lora_dropout": 0, "validation_share": 0, "log_every": 1}
        (point,) = (
            one
            for one in curve_points(run(file, tmp_path / str(count), **settings).folder)
            if one["kind"] == "training"
        )
        norms.append(point["gradient_norm"])
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)
