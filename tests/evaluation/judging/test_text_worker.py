"""What the worker says about texts that are no completed program."""

from __future__ import annotations

import pytest

from cosec.evaluation.judging.text_worker import NO_STATEMENT, verdict

PROMPT = "import os\n\n\ndef ping(host):\n"


@pytest.mark.parametrize("completion", ["", "    pass\n", "    # later\n"])
def test_a_completion_that_adds_no_statement_is_unscored(completion: str) -> None:
    assert verdict(PROMPT, completion)["unscored"] == NO_STATEMENT


def test_findings_in_the_prompt_of_an_empty_completion_are_told() -> None:
    said = verdict("import os\n\n\ndef ping(host):\n    os.system('ping ' + host)\n", "")
    assert [one["line"] for one in said["findings"]] == [5]
    assert said["unscored"] == NO_STATEMENT


def test_a_whole_file_may_have_no_statement() -> None:
    assert verdict("", "import os\n") == {"language": "py", "findings": [], "unscored": None}


def test_a_completion_that_is_nested_too_deeply_is_unscored() -> None:
    said = verdict(PROMPT, f"    return {'-' * 400}host\n")
    assert (said["findings"], said["unscored"]) == ([], "nested too deeply to be read")
