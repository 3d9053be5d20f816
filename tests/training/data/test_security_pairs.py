import gzip
import math
import os
from collections import Counter
from pathlib import Path

import pytest

from cosec.errors import DataError
from cosec.training.data.security_pairs import load_pairs, shipped_pairs, split_by_commit
from tests.training.conftest import record

SVEN = Path(__file__).parents[4] / "shared" / "data" / "sven"


def test_a_folder_with_train_and_val_keeps_its_split(tmp_path, write_pairs) -> None:
    write_pairs("set/train/cwe-089.jsonl", [record(0), record(1)])
    write_pairs("set/val/cwe-089.jsonl", [record(2)])
    pairs = load_pairs([tmp_path / "set"], validation_share=0.5, seed=0)
    assert [pair.function_name for pair in pairs.training] == ["find_0", "find_1"]
    assert [pair.function_name for pair in pairs.validation] == ["find_2"]


def test_a_validation_pair_whose_commit_was_trained_on_is_left_out(tmp_path, write_pairs) -> None:
    write_pairs("set/train/a.jsonl", [record(0, commit_link="one")])
    write_pairs("set/val/a.jsonl", [record(1, commit_link="one"), record(2, commit_link="two")])
    pairs = load_pairs([tmp_path / "set"], validation_share=0, seed=0)
    assert [pair.commit for pair in pairs.validation] == ["two"]
    assert pairs.skipped_shared_commit == 1


def test_validation_pairs_without_a_commit_are_kept(tmp_path, write_pairs) -> None:
    for part, numbers in (("train", (0, 1)), ("val", (2, 3))):
        write_pairs(f"set/{part}/a.jsonl", [record(number, commit_link="") for number in numbers])
    pairs = load_pairs([tmp_path / "set"], validation_share=0, seed=0)
    assert [pair.function_name for pair in pairs.validation] == ["find_2", "find_3"]
    assert pairs.skipped_shared_commit == 0


def test_pairs_with_two_equal_sides_are_skipped_and_counted(write_pairs) -> None:
    file = write_pairs("a.jsonl", [record(0), record(1, func_src_before="same", func_src_after="same")])
    pairs = load_pairs([file], validation_share=0, seed=0)
    assert len(pairs.training) == 1
    assert pairs.skipped_equal == 1


def test_without_a_validation_part_whole_commits_are_set_aside(write_pairs) -> None:
    records = [record(number, commit_link=f"commit-{number % 20}") for number in range(100)]
    pairs = load_pairs([write_pairs("a.jsonl", records)], validation_share=0.3, seed=1)
    training, validation = ({pair.commit for pair in side} for side in (pairs.training, pairs.validation))
    assert training
    assert validation
    assert not training & validation
    assert len(pairs.training) + len(pairs.validation) == 100


def test_the_split_does_not_depend_on_the_order_of_the_pairs(write_pairs) -> None:
    pairs = load_pairs([write_pairs("a.jsonl", [record(n) for n in range(30)])], validation_share=0, seed=0).training
    _, forwards = split_by_commit(pairs, share=0.4, seed=3)
    _, backwards = split_by_commit(reversed(pairs), share=0.4, seed=3)
    _, other_seed = split_by_commit(pairs, share=0.4, seed=4)
    assert {pair.origin for pair in forwards} == {pair.origin for pair in backwards}
    assert {pair.origin for pair in forwards} != {pair.origin for pair in other_seed}


def test_pairs_without_a_commit_are_each_on_their_own(write_pairs) -> None:
    file = write_pairs("a.jsonl", [record(0, commit_link=""), record(1, commit_link="")])
    assert len({pair.commit for pair in load_pairs([file], validation_share=0, seed=0).training}) == 2


def test_pairs_without_a_commit_in_a_file_whose_name_is_not_utf_8_are_split(write_pairs) -> None:
    file = write_pairs(os.fsdecode(b"caf\xe9.jsonl"), [record(number, commit_link="") for number in range(20)])
    pairs = load_pairs([file], validation_share=0.5, seed=0)
    assert pairs.training
    assert pairs.validation


def test_spans_that_the_pair_brings_are_used(write_pairs) -> None:
    changes = {"added": [{"char_start": 4, "char_end": 8, "chars": "find"}], "deleted": []}
    file = write_pairs("a.jsonl", [record(0, char_changes=changes)])
    assert load_pairs([file], validation_share=0, seed=0).training[0].spans == ((4, 8),)


def test_spans_are_computed_when_the_pair_brings_none(write_pairs) -> None:
    (pair,) = load_pairs([write_pairs("a.jsonl", [record(0)])], validation_share=0, seed=0).training
    assert "".join(pair.after[start:end] for start, end in pair.spans) == "?,(,)"


def test_the_deletions_that_a_pair_brings_become_cuts(write_pairs) -> None:
    changes = {"added": [], "deleted": [{"char_start": 1, "char_end": 3, "chars": "bc"}]}
    pair = record(0, func_src_before="abcd", func_src_after="ad", char_changes=changes)
    assert load_pairs([write_pairs("a.jsonl", [pair])], validation_share=0, seed=0).training[0].spans == ((1, 1),)


@pytest.mark.parametrize(
    ("name", "language"), [("a.py", "python"), ("a.C", "c/c++"), ("x/b.hpp", "c/c++"), ("a.kt", "kt"), ("a.go", "go")]
)
def test_the_language_comes_from_the_file_name(write_pairs, name: str, language: str) -> None:
    file = write_pairs("a.jsonl", [record(0, file_name=name)])
    assert load_pairs([file], validation_share=0, seed=0).training[0].language == language


def test_the_digest_follows_the_contents_and_not_the_place(write_pairs, tmp_path) -> None:
    digests = [
        load_pairs([write_pairs(name, records)], validation_share=0, seed=0).sha256
        for name, records in [
            ("one/train/a.jsonl", [record(0)]),
            ("two/train/a.jsonl", [record(0)]),
            ("two/train/a.jsonl", [record(1)]),
        ]
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", r"not a JSON object.*column 2\.$"),
        ("[]", r"not a JSON object, of which there must be one a line\.$"),
        ('{"func_src_before": "a"}', "func_src_after, vul_type, file_name"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line: str, complaint: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=complaint) as caught:
        load_pairs([tmp_path / "a.jsonl"], validation_share=0, seed=0)
    assert "a.jsonl:1" in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"added": [{"char_start": 0, "char_end": 10_000}]},
        {"added": [{"char_start": 0}]},
        {"added": [{"char_start": math.inf, "char_end": math.inf}]},
        ["no"],
    ],
    ids=["outside", "half", "infinite", "not an object"],
)
def test_unusable_spans_are_an_error(write_pairs, changes: object) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:1"):
        load_pairs([write_pairs("a.jsonl", [record(0, char_changes=changes)])], validation_share=0, seed=0)


def test_missing_and_empty_places_are_errors(tmp_path, write_pairs) -> None:
    with pytest.raises(DataError, match="No pairs at"):
        load_pairs([tmp_path / "nowhere"], validation_share=0, seed=0)
    with pytest.raises(DataError, match="No pairs at"):
        load_pairs([tmp_path], validation_share=0, seed=0)
    equal = write_pairs("a.jsonl", [record(0, func_src_before="x", func_src_after="x")])
    with pytest.raises(DataError, match="No usable training pairs"):
        load_pairs([equal], validation_share=0, seed=0)
    with pytest.raises(DataError, match=r"all 1 are set aside for validation.*--validation-share 0"):
        load_pairs([write_pairs("b.jsonl", [record(0)])], validation_share=0.999999, seed=0)


def test_the_shipped_pairs_load_with_a_validation_part() -> None:
    pairs = load_pairs([shipped_pairs()], validation_share=0, seed=0)
    assert len({pair.cwe for pair in pairs.training}) == 9
    assert {pair.language for pair in pairs.training} == {"python", "c/c++"}
    assert pairs.validation
    assert all(pair.spans for pair in pairs.training)


@pytest.mark.skipif(not SVEN.is_dir(), reason="needs SVEN's pairs")
def test_sven_has_the_counts_we_know() -> None:
    pairs = load_pairs([SVEN], validation_share=0, seed=0)
    assert (len(pairs.training), pairs.skipped_equal) == (716, 4)
    assert (len(pairs.validation), pairs.skipped_shared_commit) == (49, 34)
    assert Counter(pair.language for pair in pairs.training) == {"python": 342, "c/c++": 374}
    assert all(pair.spans for pair in pairs.training)


def test_a_reversed_pair_learns_what_the_fix_took_away(write_pairs) -> None:
    (pair,) = load_pairs([write_pairs("a.jsonl", [record(0)])], validation_share=0, seed=0).training
    back = pair.reversed()
    assert (back.before, back.after) == (pair.after, pair.before)
    assert back.spans == pair.removed_spans
    assert [back.after[start:end] for start, end in back.spans] == ["+ "]


def test_a_reversed_fix_that_only_adds_leaves_a_cut(write_pairs) -> None:
    pair = record(0, func_src_before="a = 1\nb = 2\n", func_src_after="a = 1\ncheck(a)\nb = 2\n")
    (read,) = load_pairs([write_pairs("a.jsonl", [pair])], validation_share=0, seed=0).training
    assert read.removed_spans == ()
    assert read.reversed().spans == ((6, 6),)


def test_the_shipped_instruction_pairs_load_beside_the_others() -> None:
    both = load_pairs([shipped_pairs(), shipped_pairs().with_name("instruction_pairs")], validation_share=0, seed=0)
    assert sum(bool(pair.instruction) for pair in both.training) >= 35
    assert sum(bool(pair.instruction) for pair in both.validation) >= 9
    assert both.skipped_equal == both.skipped_shared_commit == 0


def test_a_byte_order_mark_and_gzip_are_read(tmp_path, write_pairs) -> None:
    plain = write_pairs("a.jsonl", [record(0), record(1)])
    marked, packed = tmp_path / "marked.jsonl", tmp_path / "set" / "packed.jsonl.gz"
    packed.parent.mkdir()
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected = [pair.after for pair in load_pairs([plain], validation_share=0, seed=0).training]
    for path in (marked, packed, packed.parent):
        assert [pair.after for pair in load_pairs([path], validation_share=0, seed=0).training] == expected


@pytest.mark.parametrize(
    ("content", "said"), [(b"\x1f\x8b\x08damaged", "Cannot read"), ("{}".encode("utf-16"), "save it as UTF-8")]
)
def test_a_file_that_is_no_text_is_named(tmp_path, content: bytes, said: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.jsonl.*{said}|{said}.*a\.jsonl"):
        load_pairs([tmp_path / "a.jsonl"], validation_share=0, seed=0)
