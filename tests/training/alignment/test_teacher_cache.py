import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosec.errors import TrainingError
from cosec.training.alignment import teacher_cache
from cosec.training.alignment.teacher_cache import TeacherCache
from cosec.training.data.packing import PackedExample, Piece, pack
from cosec.training.losses.top_tokens import TopTokens

MADE_FROM = {"teacher": "t", "data": "d"}
WIDE = 151_936
"""Ids above 65 535 need more than 16 bits."""


def rows(*lengths: int) -> list[PackedExample]:
    pieces = [
        Piece(token_ids=[WIDE - 1 - length] * length, response=[True] * length, origin=str(length))
        for length in lengths
    ]
    return pack(pieces, max_tokens=8, seed=0, together=False)


EXAMPLES: Any = {"training": rows(5, 7, 3, 4), "validation": rows(6)}


def open_cache(folder: Path, examples: Any = None, made_from: Any = None, **how: Any) -> TeacherCache:
    how = {"top_k": 3, "stored_type": "float32", **how}
    return TeacherCache(folder, EXAMPLES if examples is None else examples, made_from or MADE_FROM, **how)


def fill(cache: TeacherCache, teacher: Any) -> None:
    cache.fill(cache.missing(), teacher)


def distributions(example: PackedExample) -> TopTokens:
    """Something different for every example and position; the likeliest token has a high id."""
    positions = int(example.predicted.sum())
    base = torch.arange(positions, dtype=torch.float32).unsqueeze(-1)
    values = torch.cat([base, base + 2, base + 5], dim=-1) + len(example.token_ids)
    log_probs = torch.cat([values, base], dim=-1).div(7).log_softmax(-1)
    token_ids = torch.tensor([[7, 65_536, WIDE - 1]]).expand(positions, 3) - len(example.token_ids)
    return TopTokens(token_ids=token_ids, log_probs=log_probs[:, :3], tail=log_probs[:, 3])


@pytest.mark.parametrize(("stored_type", "error"), [("float32", 0.0), ("float16", 2e-3)])
def test_what_was_stored_is_read_again_by_another_process(tmp_path, stored_type: str, error: float) -> None:
    fill(open_cache(tmp_path / "c", stored_type=stored_type), distributions)
    cache = open_cache(tmp_path / "c", stored_type=stored_type)
    assert cache.missing() == []
    for part, examples in EXAMPLES.items():
        for index, example in enumerate(examples):
            found, wanted = cache.read(part, index), distributions(example)
            assert torch.equal(found.token_ids, wanted.token_ids)
            assert found.token_ids.max() > 65_535
            torch.testing.assert_close(found.log_probs, wanted.log_probs, rtol=0, atol=error)
            assert torch.equal(found.tail, wanted.tail)


def test_float16_takes_half_the_room_of_float32(tmp_path) -> None:
    for kind in ("float16", "float32"):
        open_cache(tmp_path / kind, stored_type=kind)
    sizes = [(tmp_path / kind / "training.log_probs").stat().st_size for kind in ("float16", "float32")]
    assert 2 * sizes[0] == sizes[1] == 4 * 3 * (4 + 6 + 2 + 3)


def test_a_disk_that_is_too_full_is_told_before_the_teacher_runs(tmp_path, monkeypatch) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(TrainingError, match=r"token_ids.*[Nn]o space left.*stored distributions are kept") as caught:
        open_cache(tmp_path / "c")
    assert "--resume" not in str(caught.value)


def test_a_pass_that_died_goes_on_where_it_stood(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(teacher_cache, "MARK_EVERY", 2)
    seen: list[str] = []

    def dying(example: PackedExample) -> TopTokens:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(example.origin)
        return distributions(example)

    with pytest.raises(KeyboardInterrupt):
        fill(open_cache(tmp_path / "c"), dying)
    cache = open_cache(tmp_path / "c")
    assert len(cache.missing()) == 3
    again: list[str] = []
    fill(cache, lambda example: again.append(example.origin) or distributions(example))
    assert len(again) == 3
    assert {*seen[:2], *again} == {example.origin for examples in EXAMPLES.values() for example in examples}
    assert cache.missing() == []


def test_several_processes_share_the_examples(tmp_path) -> None:
    taken: list[list[str]] = [[], []]
    places = open_cache(tmp_path / "c").missing()
    for process in (0, 1):
        open_cache(tmp_path / "c").fill(
            places[process::2],
            lambda example, process=process: taken[process].append(example.origin) or distributions(example),
        )
    assert sorted(taken[0] + taken[1]) == sorted(each.origin for part in EXAMPLES.values() for each in part)
    assert taken[1]
    assert open_cache(tmp_path / "c").missing() == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"made_from": {**MADE_FROM, "teacher": "u"}}, "teacher differs .teacher: 't' there, 'u' here"),
        ({"made_from": {**MADE_FROM, "data": "e"}}, "data differ"),
        ({"examples": {**EXAMPLES, "training": rows(5, 7, 3, 5)}}, "examples differ"),
        ({"top_k": 2}, "top_k differ"),
        ({"stored_type": "float16"}, "stored_type differ"),
    ],
)
def test_another_runs_distributions_are_refused(tmp_path, change: dict[str, Any], complaint: str) -> None:
    open_cache(tmp_path / "c")
    with pytest.raises(TrainingError, match=complaint):
        open_cache(tmp_path / "c", **change)


def test_a_folder_of_something_else_is_left_alone(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(TrainingError, match="in use by something else"):
        open_cache(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_record_is_a_clear_error(tmp_path) -> None:
    open_cache(tmp_path / "c")
    (tmp_path / "c" / "cache.json").write_text('{"format"')
    with pytest.raises(TrainingError, match="delete the folder to compute it again"):
        open_cache(tmp_path / "c")


def test_an_example_that_is_missing_is_not_read_as_zeros(tmp_path) -> None:
    with pytest.raises(TrainingError, match="no distributions for example 1 of training"):
        open_cache(tmp_path / "c").read("training", 1)


def test_a_teacher_that_predicts_nothing_is_refused(tmp_path) -> None:
    def broken(example: PackedExample) -> TopTokens:
        found = distributions(example)
        found.tail[0] = np.nan
        return found

    with pytest.raises(TrainingError, match="not finite"):
        fill(open_cache(tmp_path / "c"), broken)


def test_a_part_without_examples_needs_no_files(tmp_path) -> None:
    cache = open_cache(tmp_path / "c", examples={"training": EXAMPLES["training"], "validation": []})
    fill(cache, distributions)
    assert cache.missing() == []
