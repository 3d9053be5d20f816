"""A kept tokenizer gives what transformers gives, and is made again when anything it depends on changes."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from cosec.models.loading import quick_tokenizer
from cosec.models.loading.quick_tokenizer import QuickTokenizer, read_quick_tokenizer, token_ids
from cosec.models.loading.reading import read_tokenizer
from cosec.models.loading.store import cache_root
from tests.tiny import save_tiny

TEXTS = ("def read(path):\n    return open(path).read()\n", "", "e\u0301 \u00e9\t12345<|im_end|> x")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    return save_tiny("llama", tmp_path / "model")


def _refuse(name: str, folder: Path) -> None:
    pytest.fail("transformers read the tokenizer")


def test_a_kept_tokenizer_gives_the_ids_of_transformers_and_does_not_need_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_tokenizer("tiny", folder)
    read_quick_tokenizer("tiny", folder)
    monkeypatch.setattr(quick_tokenizer, "read_tokenizer", _refuse)
    quick = read_quick_tokenizer("tiny", folder)
    assert isinstance(quick, QuickTokenizer)
    for text in TEXTS:
        assert token_ids(quick, text) == token_ids(whole, text)
    assert quick.get_vocab() == whole.get_vocab()
    assert (len(quick), quick.eos_token_id) == (len(whole), whole.eos_token_id)
    assert quick.backend_tokenizer.to_str() == whole.backend_tokenizer.to_str()


def test_a_tokenizer_class_that_changes_the_file_is_kept_as_it_reads(folder: Path) -> None:
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**config, "tokenizer_class": "Qwen2Tokenizer"}), encoding="utf-8")
    whole, quick = read_tokenizer("tiny", folder), read_quick_tokenizer("tiny", folder)
    assert json.loads(whole.backend_tokenizer.to_str())["normalizer"] == {"type": "NFC"}
    assert [token_ids(quick, text) for text in TEXTS] == [token_ids(whole, text) for text in TEXTS]


def test_everything_else_is_that_of_transformers(folder: Path) -> None:
    whole, quick = read_tokenizer("tiny", folder), read_quick_tokenizer("tiny", folder)
    ids = whole(TEXTS[0]).input_ids
    assert quick(TEXTS[0]).input_ids == ids
    assert quick.decode(ids) == whole.decode(ids)
    assert quick.all_special_tokens == whole.all_special_tokens
    assert copy.deepcopy(quick)(TEXTS[0]).input_ids == ids


def test_changes_are_made_to_the_whole_tokenizer(folder: Path) -> None:
    quick = read_quick_tokenizer("tiny", folder)
    before = len(quick)
    quick.chat_template = "{{ messages[0].content }}"
    assert quick.apply_chat_template([{"role": "user", "content": "hello"}], tokenize=False) == "hello"
    quick.add_tokens(["<new>"])
    quick.eos_token = "<new>"
    assert (len(quick), quick.eos_token_id) == (before + 1, before)
    assert token_ids(quick, "<new>")[-1] == before
    assert len(read_quick_tokenizer("tiny", folder)) == before


def test_what_is_kept_belongs_to_the_files_and_the_releases(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = cache_root() / "tokenizers"
    read_quick_tokenizer("tiny", folder)
    file = folder / "tokenizer_config.json"
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    read_quick_tokenizer("tiny", folder)
    assert len(list(kept.iterdir())) == 2
    monkeypatch.setattr(quick_tokenizer, "version", lambda package: "0")
    read_quick_tokenizer("tiny", folder)
    assert len(list(kept.iterdir())) == 3


@pytest.mark.parametrize("damaged", ["tokenizer.json", "facts.json"])
def test_a_damaged_copy_is_replaced(folder: Path, damaged: str) -> None:
    expected = token_ids(read_quick_tokenizer("tiny", folder), TEXTS[0])
    (file,) = (cache_root() / "tokenizers").rglob(damaged)
    file.write_text("{", encoding="utf-8")
    assert token_ids(read_quick_tokenizer("tiny", folder), TEXTS[0]) == expected
    assert file.read_text(encoding="utf-8") != "{"


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("COSEC_CACHE", str(folder / "file"))
    tokenizer = read_quick_tokenizer("tiny", folder)
    assert not isinstance(tokenizer, QuickTokenizer)
    assert token_ids(tokenizer, TEXTS[0]) == token_ids(read_tokenizer("tiny", folder), TEXTS[0])


def test_models_with_equal_tokenizers_share_one(folder: Path, tmp_path: Path) -> None:
    other = save_tiny("llama", tmp_path / "other")
    (other / "config.json").write_text((folder / "config.json").read_text() + " ")
    ours, theirs = read_quick_tokenizer("tiny", folder), read_quick_tokenizer("other", other)
    assert ours.backend_tokenizer is theirs.backend_tokenizer
