"""The engine over llama.cpp: every rule and kind of pair, with the texts that torch gives on the same weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import pytest

from cosec import harden, load_pair
from cosec.decoding.completer import Completer
from cosec.decoding.custom_generate import CoDecoding
from cosec.decoding.engine.lanes import PairedLanes, ThreeModelLanes, TwoModelLanes
from cosec.decoding.pairing import PreparedPair, carried_rule
from cosec.decoding.prompt_cache import PromptCache
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.errors import AdapterError, ModelError, SettingsError, VocabularyMismatch
from cosec.models.loading.quantised import GgufPair, export_adapter
from cosec.runtime import LlamaPairModels, llama_cpp_is_installed
from cosec.runtime.llama_cpp import pair_models
from tests.models.gguf_file import write_gguf
from tests.models.gguf_pair import GgufFiles, gguf_files
from tests.tiny import tiny_model

pytestmark = pytest.mark.skipif(not llama_cpp_is_installed(), reason="llama-cpp-python is not installed (cosec[llama])")

PROMPTS = ["def read(path):\n", "int main(", "x = é", "for name in os"]
RULES: list[dict[str, object]] = [
    {"name": "threshold", "threshold": 0.3},
    {"name": "speculative"},
    {"name": "steer", "strength": 1.5},
    {"name": "gate", "strength": 0.05},
]
OWN, SHARED = {"name": "steer", "strength": 1.0}, {"name": "steer", "strength": 1.5}
KINDS = ("security", "adapter", "other_adapter")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> GgufFiles:
    return gguf_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def pairs(files: GgufFiles, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], PreparedPair]:
    """Each kind of pair in both runtimes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSEC_CACHE", str(tmp_path_factory.mktemp("cache")))
        return {
            (kind, runtime): load_pair(files.target, getattr(files, kind), runtime=runtime)
            for kind in KINDS
            for runtime in ("torch", "llama.cpp")
        }


def settings(rule: dict[str, object], **sampling: object) -> DecodingSettings:
    return decoding_settings(rule, {"temperature": 0.8, "max_new_tokens": 16, **sampling})


def texts(pair: PreparedPair, rule: dict[str, object], **sampling: object) -> list[str]:
    done = Completer(pair, settings(rule, **sampling)).complete(PROMPTS, n=2)
    return [completion.text for completion in done]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["name"]))
@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_those_of_torch(
    pairs: dict[tuple[str, str], PreparedPair], kind: str, rule: dict[str, object]
) -> None:
    """Keys rounded to 16 bits turn some near ties; a wrong logit changes every text."""
    if kind == "security" and rule["name"] in ("steer", "gate"):
        with pytest.raises(SettingsError, match="is a whole model"):
            texts(pairs[kind, "llama.cpp"], rule)
        return
    ours, theirs = (texts(pairs[kind, runtime], rule) for runtime in ("llama.cpp", "torch"))
    assert sum(one == other for one, other in zip(ours, theirs, strict=True)) >= 4
    assert len(set(ours)) == len(ours)


@pytest.mark.parametrize("kind", KINDS)
def test_the_draft_length_hardly_changes_a_text(pairs: dict[tuple[str, str], PreparedPair], kind: str) -> None:
    """Other numbers of tokens in a pass take other kernels, which turns some near ties."""
    one, three, auto = (texts(pairs[kind, "llama.cpp"], RULES[0], draft_length=k) for k in (1, 3, "auto"))
    for other in (three, auto):
        assert sum(a == b for a, b in zip(one, other, strict=True)) >= 4


def test_the_same_call_gives_the_same_text(pairs: dict[tuple[str, str], PreparedPair]) -> None:
    pair = pairs["adapter", "llama.cpp"]
    assert texts(pair, RULES[0], draft_length=2) == texts(pair, RULES[0], draft_length=2)


@pytest.mark.parametrize("seed", [1, 2])
def test_texts_are_the_same_without_records_of_the_target(
    pairs: dict[tuple[str, str], PreparedPair], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, chosen = (
        pairs["adapter", "llama.cpp"],
        settings({"name": "steer", "strength": 1.0}, seed=seed, draft_length=1),
    )
    whole = [one.text for one in Completer(pair, chosen).complete(PROMPTS, n=2)]
    monkeypatch.setattr(LlamaPairModels, "target", None)
    brief = Completer(pair, chosen, target_records=False).complete(PROMPTS, n=2)
    assert [one.text for one in brief] == whole
    assert not any(one.totals.target_asked for one in brief)


def test_another_base_keeps_the_target(pairs: dict[tuple[str, str], PreparedPair]) -> None:
    pair, chosen = pairs["other_adapter", "llama.cpp"], settings({"name": "steer", "strength": 1.0})
    done = Completer(pair, chosen, target_records=False).complete(PROMPTS)
    assert all(one.totals.target_asked for one in done)


def test_lanes_run_each_model_in_a_pass_of_its_own(pairs: dict[tuple[str, str], PreparedPair]) -> None:
    shared, other = pairs["adapter", "llama.cpp"], pairs["other_adapter", "llama.cpp"]
    assert isinstance(shared.lanes(1), TwoModelLanes)
    assert isinstance(pairs["adapter", "torch"].lanes(1), PairedLanes)
    assert isinstance(other.lanes(1, "base"), ThreeModelLanes)
    assert isinstance(other.lanes(1), TwoModelLanes)
    assert (shared.shared_weights, shared.target_is_base, shared.has_base) == (True, True, True)
    assert (other.shared_weights, other.target_is_base, other.has_base) == (False, False, True)
    # Keys and values of two layers, two heads and eight numbers, in 16 bits, for the target and for the adapter.
    assert shared.cache_bytes_per_token == 256


def test_gguf_files_run_in_llama_cpp_unless_torch_is_asked_for(pairs: dict[tuple[str, str], PreparedPair]) -> None:
    assert isinstance(pairs["adapter", "llama.cpp"].pair, GgufPair)
    assert not isinstance(pairs["adapter", "torch"].pair, GgufPair)


def test_harden_completes_with_an_exported_adapter_and_its_rule(files: GgufFiles, tmp_path: Path) -> None:
    out = tmp_path / "adapter.gguf"
    export_adapter(Path(files.adapter), out, RULES[3])
    pair = load_pair(files.target, str(out))
    assert isinstance(pair.pair, GgufPair)
    assert pair.own_rule == RULES[3] == carried_rule(files.target, str(out))
    (completion,) = harden(pair, PROMPTS[0])
    assert completion.records[0].gated is not None


def test_the_rule_of_a_whole_model_in_a_file_needs_no_conversion(
    files: GgufFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path))
    assert carried_rule(files.target, files.security) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"name": "newer", "strength": 1}, "no rule 'newer'"),
        ({"name": "steer", "shared_weights": 1}, "shared_weights must be a table"),
    ],
)
def test_an_exported_rule_that_is_none_is_refused_with_its_file(
    files: GgufFiles, tmp_path: Path, rule: dict[str, object], said: str
) -> None:
    out = tmp_path / "adapter.gguf"
    export_adapter(Path(files.adapter), out, rule)
    with pytest.raises(SettingsError, match=f"adapter.gguf: .*{said}"):
        carried_rule(files.target, str(out))


@pytest.mark.parametrize("runtime", ["llama.cpp", "torch"])
def test_an_adapter_may_carry_another_rule_for_its_own_base(
    files: GgufFiles, tmp_path: Path, runtime: Literal["llama.cpp", "torch"]
) -> None:
    rules = "[rule]\nname = 'steer'\nstrength = 1.0\n[rule.shared_weights]\nname = 'steer'\nstrength = 1.5\n"
    for kind, adapter, rule in (("own", files.adapter, SHARED), ("other", files.other_adapter, OWN)):
        folder = shutil.copytree(adapter, tmp_path / kind)
        (folder / "rule.toml").write_text(rules)
        pair = load_pair(files.target, str(folder), runtime=runtime)
        assert pair.own_rule == rule == carried_rule(files.target, str(folder))


def test_a_copy_does_not_take_the_rule_for_shared_weights(files: GgufFiles, tmp_path: Path) -> None:
    folder = shutil.copytree(files.adapter, tmp_path / "own")
    (folder / "rule.toml").write_text(
        "[rule]\nname = 'steer'\nstrength = 1.0\n[rule.shared_weights]\nname = 'steer'\nstrength = 1.5\n"
    )
    assert carried_rule(files.target, str(folder)) == SHARED
    assert carried_rule(files.target, str(folder), security_copy=True) == OWN


def test_a_copy_steers_with_a_strength_of_at_most_1(files: GgufFiles, tmp_path: Path) -> None:
    folder = shutil.copytree(files.adapter, tmp_path / "own")
    (folder / "rule.toml").write_text("[rule]\nname = 'steer'\nstrength = 2.0\nsecurity_floor = 0.1\n")
    assert carried_rule(files.target, str(folder)) == {"name": "steer", "strength": 2.0, "security_floor": 0.1}
    assert carried_rule(files.target, str(folder), security_copy=True) == OWN


def test_an_exported_adapter_keeps_the_rule_for_its_base(files: GgufFiles, tmp_path: Path) -> None:
    out = tmp_path / "adapter.gguf"
    export_adapter(Path(files.adapter), out, {**OWN, "shared_weights": SHARED})
    assert load_pair(files.target, str(out)).own_rule == SHARED == carried_rule(files.target, str(out))
    other = tmp_path / "other.gguf"
    export_adapter(Path(files.other_adapter), other, {**OWN, "shared_weights": SHARED})
    assert carried_rule(files.target, str(other)) == OWN


def test_more_rows_than_the_first_context_holds_are_decoded_at_once(
    pairs: dict[tuple[str, str], PreparedPair],
) -> None:
    pair = pairs["security", "llama.cpp"]
    done = Completer(pair, settings(RULES[0], max_new_tokens=4), rows=100).complete([PROMPTS[0]], n=100)
    assert len(done) == 100


def test_more_rows_than_llama_cpp_supports_are_refused(pairs: dict[tuple[str, str], PreparedPair]) -> None:
    pair = pairs["security", "llama.cpp"]
    with pytest.raises(SettingsError, match="at most 256 sequences"):
        Completer(pair, settings(RULES[0], max_new_tokens=4), rows=300).complete([PROMPTS[0]], n=300)
    assert texts(pair, RULES[0])


def test_a_cache_of_prompts_leaves_sequences_for_rows(pairs: dict[tuple[str, str], PreparedPair]) -> None:
    pair = pairs["security", "llama.cpp"]
    cache, lanes = PromptCache.for_study(pair), pair.lanes(1)
    for first in range(150):
        cache.keep("kind", [first, 1, 2], lanes.prefill([[first, 1, 2]]))
    assert cache.tokens == 64 * 3
    assert cache.take("kind", [149, 1, 2]) is not None
    assert cache.take("kind", [1, 1, 2]) is None


def test_transformers_generate_is_for_torch(pairs: dict[tuple[str, str], PreparedPair]) -> None:
    model = tiny_model()
    import torch

    with pytest.raises(SettingsError, match="load it with runtime='torch'"):
        model.generate(
            torch.tensor([[1, 2]]),
            custom_generate=CoDecoding(pairs["security", "llama.cpp"]),
            do_sample=False,
            max_new_tokens=2,
        )


def test_models_of_other_vocabularies_are_refused(files: GgufFiles, tmp_path: Path) -> None:
    other = write_gguf(tiny_model("qwen2"), tmp_path / "other.gguf")
    with pytest.raises(VocabularyMismatch, match="means"):
        load_pair(files.target, str(other))


def test_an_adapter_of_another_shape_is_refused(files: GgufFiles, tmp_path: Path) -> None:
    wide = write_gguf(tiny_model("llama", hidden=64), tmp_path / "wide.gguf")
    adapter = tmp_path / "adapter.gguf"
    export_adapter(Path(files.adapter), adapter, {})
    from cosec.runtime.llama_cpp.weights import Weights

    with pytest.raises(AdapterError, match=r"cannot put the adapter .* incorrect shape"):
        Weights(wide, "wide").adapter(adapter)
    with pytest.raises(AdapterError, match="cannot put the adapter"):
        Weights(Path(files.target), "target").adapter(Path(files.security))


def test_too_little_memory_is_told_before_llama_cpp_needs_it(files: GgufFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_models, "free_memory", lambda: 1000)
    with pytest.raises(ModelError, match=r"GB of memory, and 0\.0 GB are available"):
        load_pair(files.target, "none")
