"""``cosec align`` from the command line, on tiny models of the four architectures."""

import itertools
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from cosec.cli.main import main
from cosec.training.alignment import align as alignment
from cosec.training.data.overlap import ProtectedTexts
from cosec.training.loop import run_folder
from tests.tiny import ARCHITECTURES, save_tiny, save_tiny_adapter

PAPER = {"codegen": "codegen", "starcoderbase": "gpt_bigcode", "deepseek-coder": "llama", "qwen2.5-coder": "qwen2"}
"""Recipe to architecture."""

LEAKED = "a text of more than thirteen words that stands in an evaluation set and must never be learned by heart"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, and a small protected set; the real one has a test of its own."""
    for module in (run_folder, alignment):
        monkeypatch.setattr(module, "plots_available", lambda: False)
    monkeypatch.setattr(
        "cosec.evaluation.tasks.protected_texts.protected_texts", lambda: ProtectedTexts([LEAKED], ("test",))
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    records = [{"instruction": f"Task {number}", "output": f"return {number}"} for number in range(6)]
    records.append({"instruction": "Leak", "output": LEAKED})
    file = tmp_path / "data.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Path]]:
    """A teacher and its pruned student of an architecture, made once."""

    @cache
    def made(architecture: str = "llama") -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp(architecture)
        teacher = save_tiny(architecture, folder / "teacher", layers=4, head_width=336)
        assert main(["models", "prune", str(teacher), "--layers", "2", "--out", str(folder / "student")]) == 0
        return teacher, folder / "student"

    return made


def arguments(teacher: Path, student: Path, data: Path, out: Path, *more: str) -> list[str]:
    """A run of two steps; ``more`` replaces or adds flags."""
    flags = {"--teacher": str(teacher), "--student": str(student), "--data": str(data), "--out": str(out)}
    flags |= {"--max-tokens": "128", "--max-steps": "2", "--batch-size": "2", "--validation-share": "0.3"}
    return ["align", *itertools.chain(*(flags | dict(zip(more[::2], more[1::2], strict=True))).items())]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_pruned_student_is_aligned_and_co_decodes_with_its_teacher(
    models, data, tmp_path, architecture: str, capsys
) -> None:
    teacher, student = models(architecture)
    assert main(arguments(teacher, student, data, tmp_path / "out")) == 0
    assert "done after 2 steps" in capsys.readouterr().out
    generate = ["generate", "--prompt", "def f(", "--max-new-tokens", "4", "--seed", "0"]
    assert main([*generate, "--target", str(teacher), "--security", str(tmp_path / "out")]) == 0
    assert main([*generate, "--target", str(tmp_path / "out"), "--security", "none"]) == 0


def test_several_data_files_follow_one_flag(models, data, tmp_path, capsys) -> None:
    teacher, student = models()
    (tmp_path / "source.py").write_text("value = 1\n")
    command = arguments(teacher, student, data, tmp_path / "out", "--validation-share", "0")
    place = command.index(str(data)) + 1
    assert main([*command[:place], str(tmp_path / "source.py"), *command[place:]]) == 0
    assert "7 documents to train on" in capsys.readouterr().out


def test_overlapping_documents_are_reported_and_dropped_unless_switched_off(models, data, tmp_path, capsys) -> None:
    teacher, student = models()
    assert main(arguments(teacher, student, data, tmp_path / "checked")) == 0
    output = capsys.readouterr().out
    assert "left out: 1 overlaps an evaluation set" in output
    assert "overlapping: data.jsonl:7" in output
    manifest = json.loads((tmp_path / "checked" / "manifest.json").read_text())
    assert manifest["data"]["overlapping"] == ["data.jsonl:7"]
    assert main([*arguments(teacher, student, data, tmp_path / "free"), "--no-overlap-check"]) == 0
    assert "left out" not in capsys.readouterr().out


def test_brackets_in_the_names_of_files_are_shown(models, data, tmp_path, capsys) -> None:
    teacher, student = models()
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "[id].ts").write_text(LEAKED)
    (pages / "index.ts").write_text("export {}\n")
    command = arguments(teacher, student, pages, tmp_path / "out", "--validation-share", "0")
    assert main([*command, "--dry-run"]) == 0
    assert "overlapping: pages/[id].ts" in capsys.readouterr().out


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(models, data, tmp_path, capsys) -> None:
    teacher, student = models()
    assert main([*arguments(teacher, student, data, tmp_path / "out"), "--dry-run"]) == 0
    output = capsys.readouterr().out
    for line in ("documents to train on", "2 optimizer steps", "teacher weights", "activations", "MiB on the device"):
        assert line in output
    assert not (tmp_path / "out").exists()


def test_the_teacher_predicts_once_for_several_runs(models, data, tmp_path, capsys) -> None:
    teacher, student = models()
    cache = ["--teacher-cache", str(tmp_path / "distributions"), "--teacher-top-k", "16"]
    assert main([*arguments(teacher, student, data, tmp_path / "one"), *cache]) == 0
    assert "the teacher predicts" in capsys.readouterr().out
    assert main([*arguments(teacher, student, data, tmp_path / "two"), *cache, "--divergence", "forward-kl"]) == 0
    assert "the teacher predicts" not in capsys.readouterr().out
    other = save_tiny("llama", tmp_path / "other", layers=4, head_width=336, seed=5)
    assert main([*arguments(other, student, data, tmp_path / "three"), *cache]) == 2
    assert "holds the teacher's distributions for another run: teacher differs" in capsys.readouterr().err


def test_a_run_is_resumed_but_not_overwritten(models, data, tmp_path, capsys) -> None:
    teacher, student = models()
    command = arguments(teacher, student, data, tmp_path / "out")
    assert main(command) == 0
    assert main(command) == 2
    assert "continue it with --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0


@pytest.mark.parametrize("recipe", PAPER)
def test_the_papers_recipes_run_on_their_architectures(models, data, tmp_path, recipe: str) -> None:
    teacher, student = models(PAPER[recipe])
    command = arguments(teacher, student, data, tmp_path / "out", "--recipe", recipe, "--max-steps", "1")
    assert main(command) == 0
    settings = json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]
    assert settings["gradient_checkpointing"] is True
    assert settings["precision"] == "bfloat16"


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--divergence", "sideways"], "reverse-kl"),
        (["--kl-wieght", "0.3"], "--kl-weight"),
        (["--recipe", "nope"], "No recipe 'nope'"),
        (["--data", "nowhere.jsonl"], "Cannot read nowhere.jsonl"),
        (["--student", "nowhere"], "nowhere"),
        (["--max-tokens", "4096"], "longer than the context"),
        (["--processes", "3"], "between 1 and --batch-size (2)"),
        (["--dtype", "int8"], "--dtype 'int8'"),
        (["--teacher-top-k", "8"], "--teacher-top-k has no effect without --teacher-cache"),
    ],
)
def test_bad_usage_is_one_clear_line(models, data, tmp_path, capsys, more: list[str], complaint: str) -> None:
    teacher, student = models()
    capsys.readouterr()
    assert main(arguments(teacher, student, data, tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert len(error.splitlines()) == 1


def test_models_that_are_no_pair_are_refused(models, data, tmp_path, capsys) -> None:
    teacher, student = models()
    stranger = save_tiny("llama", tmp_path / "stranger", corpus="an entirely different corpus of words\n" * 9)
    adapter = save_tiny_adapter(teacher, tmp_path / "adapter")
    for pair, complaint in (
        ((student, teacher), "is larger than its teacher"),
        ((teacher, stranger), "Choose a security model of the target's own family"),
        ((teacher, adapter), "is an adapter; --student needs a full model"),
    ):
        capsys.readouterr()
        assert main(arguments(*pair, data, tmp_path / "out")) == 2
        assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_tune_takes_the_aligned_student(models, data, tmp_path, capsys) -> None:
    from tests.training.conftest import record

    teacher, student = models()
    assert main(arguments(teacher, student, data, tmp_path / "aligned")) == 0
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(record(number)) + "\n" for number in range(3)))
    command = ["tune", "--base", str(tmp_path / "aligned"), "--pairs", str(pairs), "--out", str(tmp_path / "adapter")]
    command += ["--max-tokens", "64", "--cwe-floor", "0", "--max-steps", "1", "--validation-share", "0"]
    assert main(command) == 0
