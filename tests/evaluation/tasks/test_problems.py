from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cosec.errors import DataError
from cosec.evaluation.tasks.problems import HUMAN_EVAL_STOPS, human_eval, humaneval_format, mbpp
from cosec.evaluation.tasks.tasks import read_problems
from tests.evaluation.many_checks import check_functions

MBPP = Path(__file__).parents[4] / "shared" / "data" / "mbpp" / "mbpp.jsonl"
TASK = {
    "task_id": 11,
    "text": "Add two numbers.",
    "code": "import math\r\ndef helper(a):\r\n    return a\r\ndef add(a, b=1):\r\n    return math.floor(a + b)",
    "test_setup_code": "",
    "test_list": ["assert add(1, 2) == 3", "assert add(1) == 2"],
}


def write(path: Path, *entries: object) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def test_human_eval_is_whole_and_carries_its_stops() -> None:
    problems = human_eval()
    assert len(problems) == 164
    assert problems[0].task_id == "HumanEval/0"
    assert "has_close_elements" in problems[0].prompt
    assert problems[0].tests.rstrip().endswith("check(has_close_elements)")
    assert problems[0].stop == HUMAN_EVAL_STOPS


def test_a_sample_of_references_passes_and_wrong_ones_fail() -> None:
    sample = human_eval()[::24]
    right = check_functions([(problem, problem.reference) for problem in sample])
    assert [verdict.reason for verdict in right] == ["passed"] * len(sample)
    wrong = check_functions([(problem, "    return None\n") for problem in sample])
    assert not any(verdict.passed for verdict in wrong)


@pytest.mark.slow
def test_every_human_eval_reference_passes() -> None:
    problems = human_eval()
    verdicts = check_functions([(problem, problem.reference) for problem in problems])
    failed = [p.task_id for p, verdict in zip(problems, verdicts, strict=True) if not verdict.passed]
    assert failed == []


@pytest.mark.slow
@pytest.mark.skipif(not MBPP.exists(), reason="no copy of MBPP beside the project")
def test_nearly_every_mbpp_reference_passes() -> None:
    problems = mbpp(MBPP)
    assert len(problems) == 500
    verdicts = check_functions([(problem, problem.reference) for problem in problems])
    assert sum(verdict.passed for verdict in verdicts) >= 495


def test_an_mbpp_task_becomes_a_signature_with_the_task_as_its_docstring(tmp_path: Path) -> None:
    (problem,) = mbpp(write(tmp_path / "mbpp.jsonl", TASK, {**TASK, "task_id": 601}))
    assert problem.entry_point == "add"
    assert problem.prompt == (
        'import math\n\n\ndef add(a, b=1):\n    """Add two numbers.\n\n    >>> assert add(1, 2) == 3\n    """\n'
    )
    verdicts = check_functions([(problem, problem.reference), (problem, "    return a + b\n"), (problem, "    pass")])
    assert [verdict.reason for verdict in verdicts] == ["passed", "passed", "failed assert"]


def test_mbpp_has_a_test_part_and_a_training_part(tmp_path: Path) -> None:
    numbers = (10, 11, 510, 511, 600, 601, 974)
    path = write(tmp_path / "mbpp.jsonl", *({**TASK, "task_id": number} for number in numbers))
    assert [one.task_id for one in mbpp(path)] == ["MBPP/11", "MBPP/510"]
    assert [one.task_id for one in mbpp(path, "training")] == ["MBPP/601", "MBPP/974"]
    assert mbpp(path, "training") == read_problems(f"mbpp-training:{path}")
    assert mbpp(path) == read_problems(f"mbpp:{path}")


def test_an_odd_escape_sequence_in_an_mbpp_task_is_no_fault(tmp_path: Path) -> None:
    odd = {**TASK, "code": TASK["code"] + "\n# " + r"'\w'", "test_list": [*TASK["test_list"], r"assert add(0) or '\w'"]}
    assert len(mbpp(write(tmp_path / "mbpp.jsonl", odd))) == 1


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl.gz"
    entry = {"task_id": "a", "prompt": "def f():\n", "test": "def check(c): assert c() == 1", "entry_point": "f"}
    path.write_bytes(gzip.compress(json.dumps(entry).encode()))
    (problem,) = humaneval_format(path)
    assert check_functions([(problem, "    return 1")])[0].passed


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "mbpp.jsonl", TASK)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(mbpp(path)) == 1


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: data[:12] + b"\xff" * 20])
def test_a_damaged_compressed_file_is_refused_naming_it(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(damage(gzip.compress(json.dumps(TASK).encode())))
    with pytest.raises(DataError, match=r"Cannot read .*set\.jsonl\.gz"):
        humaneval_format(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no problem"),
        ("{", "Line 1 of .* is not JSON"),
        ("[]", "Line 1 of .* is not a JSON object"),
        ('{"task_id": "a", "prompt": "x"}', "no text under test, entry_point"),
        ('{"task_id": "a", "prompt": "", "test": "", "entry_point": "f"}\n' * 2, "holds the task a twice"),
    ],
)
def test_a_malformed_file_is_refused_naming_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        humaneval_format(path)


def test_an_mbpp_task_without_a_tested_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Line 1 of .* is not an MBPP task"):
        mbpp(write(tmp_path / "mbpp.jsonl", {**TASK, "test_list": ["assert other() == 1"]}))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl"):
        humaneval_format(tmp_path / "nowhere.jsonl")
