import json
import os
from pathlib import Path
from typing import Any

import pytest

from cosec.errors import DataError
from cosec.training.data.corpus import Corpus, load_corpus
from cosec.training.data.overlap import ProtectedTexts


def write(file: Path, *records: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def load(*paths: Path, share: float = 0.0, seed: int = 0, protected: ProtectedTexts | None = None) -> Corpus:
    return load_corpus(paths, validation_share=share, seed=seed, protected=protected)


def mbpp(task: int) -> dict[str, Any]:
    return {
        "task_id": task,
        "text": f"Task {task}.",
        "code": f"def f{task}():\r\n  return {task}",
        "test_list": [f"assert f{task}() == {task}"],
    }


@pytest.mark.parametrize(
    "record",
    [
        {"instruction": "Add two numbers.", "output": "a + b"},
        {"instruction": "Add two numbers.", "response": "a + b"},
        {"problem": "Add two numbers.", "solution": "a + b", "lang": "python"},
        {"instruction": "Add two numbers.", "input": "", "output": "a + b"},
    ],
    ids=["evol-codealpaca", "magicoder-evol", "magicoder-oss", "alpaca"],
)
def test_the_common_field_names_give_the_same_document(tmp_path, record: dict[str, str]) -> None:
    (document,) = load(write(tmp_path / "a.jsonl", record)).training
    assert document.prompt == "### Instruction:\nAdd two numbers.\n\n### Response:\n"
    assert document.response == "a + b"
    assert document.origin == "a.jsonl:1"


def test_a_prompt_with_its_completion_is_taken_as_it_is(tmp_path) -> None:
    record = {"prompt": "def f():\n", "completion": "    return 1\n"}
    (document,) = load(write(tmp_path / "a.jsonl", record)).training
    assert (document.prompt, document.response) == ("def f():\n", "    return 1\n")
    assert not document.divisible


def test_alpacas_input_belongs_to_the_prompt(tmp_path) -> None:
    record = {"instruction": "Sort this.", "input": "[3, 1]", "output": "[1, 3]"}
    (document,) = load(write(tmp_path / "a.jsonl", record)).training
    assert "Sort this.\n\n[3, 1]\n\n### Response" in document.prompt


def test_mbpps_test_part_is_never_trained_on(tmp_path) -> None:
    file = write(tmp_path / "mbpp.jsonl", *(mbpp(task) for task in (1, 10, 11, 510, 511, 600, 601, 974)))
    corpus = load(file, share=0.9)
    assert [document.origin for document in corpus.training] == ["mbpp.jsonl:7", "mbpp.jsonl:8"]
    assert [document.origin for document in corpus.validation] == ["mbpp.jsonl:5", "mbpp.jsonl:6"]
    assert corpus.skipped == {"MBPP's test part or few-shot prompts": 4}
    assert corpus.training[0].response == "def f601():\n  return 601\n"
    assert "Task 601.\nassert f601() == 601\n" in corpus.training[0].prompt


def test_the_real_mbpp_has_374_training_and_90_validation_tasks() -> None:
    file = Path(__file__).parents[4] / "shared" / "data" / "mbpp" / "mbpp.jsonl"
    if not file.is_file():
        pytest.skip("MBPP is not here")
    corpus = load(file)
    assert (len(corpus.training), len(corpus.validation)) == (374, 90)


def test_a_folder_gives_its_source_files_at_any_depth(tmp_path) -> None:
    folder = tmp_path / "pkg"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.py").write_text("a = 1\n")
    (folder / "inner" / "b.c").write_text("int b;\n")
    (folder / "notes.txt").write_text("no code\n")
    (folder / "latin.py").write_bytes(b"name = '\xe9'\n")
    (folder / "empty.py").write_text("\n")
    corpus = load(folder)
    assert [document.origin for document in corpus.training] == ["pkg/a.py", "pkg/inner/b.c"]
    assert all(document.prompt == "" and document.divisible for document in corpus.training)
    assert corpus.skipped == {"not UTF-8 text": 1, "empty": 1}


def test_all_answers_to_one_prompt_are_in_the_same_part(tmp_path) -> None:
    records = [{"prompt": f"Do {number}.", "completion": f"{answer}"} for number in range(60) for answer in range(3)]
    corpus = load(write(tmp_path / "a.jsonl", *records), share=0.3)
    learned = {document.prompt for document in corpus.training}
    held_out = {document.prompt for document in corpus.validation}
    assert len(learned) + len(held_out) == 60
    assert 6 < len(held_out) < 30
    assert len(corpus.validation) == 3 * len(held_out)


def test_the_split_depends_on_prompt_and_seed_alone(tmp_path) -> None:
    records = [{"instruction": f"Do {number}.", "output": "x"} for number in range(200)]
    forward = load(write(tmp_path / "a.jsonl", *records), share=0.3)
    backward = load(write(tmp_path / "b.jsonl", *reversed(records)), share=0.3)
    prompts = [{document.prompt for document in corpus.validation} for corpus in (forward, backward)]
    assert prompts[0] == prompts[1]
    assert 40 < len(prompts[0]) < 80
    other = load(tmp_path / "a.jsonl", share=0.3, seed=1)
    assert {document.prompt for document in other.validation} != prompts[0]
    assert not prompts[0] & {document.prompt for document in forward.training}


def test_a_duplicate_is_dropped_and_counted(tmp_path) -> None:
    record = {"instruction": "Do it.", "output": "x"}
    corpus = load(write(tmp_path / "a.jsonl", record, record))
    assert len(corpus.training) == 1
    assert corpus.skipped == {"duplicate": 1}


def test_documents_that_overlap_a_protected_text_are_dropped_and_named(tmp_path) -> None:
    secret = "def has_close_elements numbers threshold for each pair of elements in the list check distance smaller"
    file = write(
        tmp_path / "a.jsonl",
        {"instruction": "Solve.", "output": f"import os\n{secret.upper()}\nreturn"},
        {"instruction": "Solve.", "output": "something else"},
    )
    corpus = load(file, protected=ProtectedTexts([secret], ("secret",)))
    assert corpus.overlapping == ("a.jsonl:1",)
    assert [document.origin for document in corpus.training] == ["a.jsonl:2"]
    assert corpus.skipped == {"overlaps an evaluation set": 1}
    assert len(load(file).training) == 2


def test_the_digest_changes_with_the_data_and_not_with_the_place(tmp_path) -> None:
    record = {"instruction": "Do it.", "output": "x"}
    (tmp_path / "elsewhere").mkdir()
    first = load(write(tmp_path / "a.jsonl", record)).sha256
    assert load(write(tmp_path / "elsewhere" / "a.jsonl", record)).sha256 == first
    assert load(write(tmp_path / "a.jsonl", {**record, "output": "y"})).sha256 != first


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"prompt": "x"}\n', r"a.jsonl:1 needs the text fields instruction \+ output, or"),
        ("{\n", r"a.jsonl:1 is not a JSON object.*column 2\.$"),
        ("[]\n", "a.jsonl:1 is not a JSON object"),
        ("", "No documents to train on.*there are none"),
        ('{"instruction": "x", "output": " "}\n', "No documents to train on.*1 empty"),
    ],
)
def test_bad_data_is_a_clear_error(tmp_path, content: str, complaint: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(DataError, match=complaint):
        load(tmp_path / "a.jsonl")


def test_data_that_are_all_set_aside_for_validation_are_an_error(tmp_path) -> None:
    file = write(tmp_path / "a.jsonl", {"instruction": "x", "output": "y"})
    with pytest.raises(DataError, match=r"all 1 are set aside for validation.*--validation-share 0"):
        load_corpus([file], validation_share=0.999999, seed=0)


def test_a_missing_path_and_a_folder_without_sources_are_errors(tmp_path) -> None:
    with pytest.raises(DataError, match="No training data at"):
        load(tmp_path / "missing.jsonl.zip")
    with pytest.raises(DataError, match="no source files"):
        load(tmp_path)


def test_an_installed_package_is_read_by_its_name_as_its_folder_would_be() -> None:
    import json.decoder
    import types

    by_name = load(Path("package:json"))
    assert by_name == load(Path(json.__file__).parent)
    assert any(document.origin == "json/decoder.py" for document in by_name.training)
    assert [document.origin for document in load(Path("package:types")).training] == [Path(types.__file__).name]


@pytest.mark.parametrize("name", ["no_such_package", "sys", "json.decoder", ""])
def test_what_is_no_package_with_sources_is_a_clear_error(name: str) -> None:
    with pytest.raises(DataError, match="no package or module of that name"):
        load(Path(f"package:{name}"))


def test_a_byte_order_mark_is_left_out_and_any_file_name_is_read(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.py")).write_bytes(b"\xef\xbb\xbfimport os\n")
    corpus = load_corpus([tmp_path], validation_share=0, seed=0)
    assert [one.response for one in corpus.training] == ["import os\n"]
