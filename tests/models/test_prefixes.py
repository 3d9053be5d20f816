"""Prefixes are read as peft writes them and run as peft runs them, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import save_file
from torch import Tensor
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.errors import AdapterError, CosecWarning, SettingsError
from cosec.evaluation.study import study_settings
from cosec.evaluation.study.generation.models import StudyModels
from cosec.models.loading.load import load_model, load_pair
from cosec.models.prefixes import is_prefix, read_prefix
from cosec.runtime import TorchTokenModel
from cosec.runtime.torch.pair_models import TorchPairModels
from tests.tiny import ARCHITECTURES, CONTEXT_LENGTH, VOCABULARY_SIZE, save_tiny, save_tiny_adapter, save_tiny_prefix

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # peft asks transformers 5


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_tiny("llama", tmp_path / "base")


@pytest.fixture
def prefix(base: Path, tmp_path: Path) -> Path:
    return save_tiny_prefix(base, tmp_path / "prefix")


def pefts(base: Path, prefix: Path) -> PeftModel:
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), prefix).eval()


def assert_logits(found: Tensor, model: PeftModel, rows: list[list[int]]) -> None:
    for row, tokens in enumerate(rows):
        with torch.no_grad():
            expected = model(input_ids=torch.tensor([tokens])).logits[0, -found.shape[1] :]
        torch.testing.assert_close(found[row], expected[:, :VOCABULARY_SIZE], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_engine_gives_the_logits_of_pefts_own_forward(architecture: str, tmp_path: Path) -> None:
    base = save_tiny(architecture, tmp_path / "base")
    folder = save_tiny_prefix(base, tmp_path / "prefix")
    expected = pefts(base, folder)
    models = TorchPairModels(load_pair(str(base), str(folder)), VOCABULARY_SIZE)
    batch, plain = models.security(), models.target()
    rows = [[5, 6, 7, 8], [9], [10, 11, 12]]
    running = batch.prefill([row[:-1] for row in rows])
    first = running.advance(torch.tensor([[row[-1]] for row in rows]))
    assert_logits(first, expected, rows)
    running.rollback([0, 1, 0])
    rows = [rows[0], [], rows[2]]
    running.select([0, 1, 1, 2, 2])  # the rows of one prompt share its keys and values, those of the prefix included
    rows = [list(rows[index]) for index in (0, 1, 1, 2, 2)]
    fed = [[20, 21], [22, 23], [24, 25], [26, 27], [28, 29]]
    rows = [row + new for row, new in zip(rows, fed, strict=True)]
    assert_logits(running.advance(torch.tensor(fed)), expected, rows)
    running.join([batch.prefill([[13, 14]]), batch.prefill([[]])])
    rows += [[13, 14], []]
    fed = [[30 + index] for index in range(len(rows))]
    rows = [row + new for row, new in zip(rows, fed, strict=True)]
    assert_logits(running.advance(torch.tensor(fed)), expected, rows)
    alone = plain.prefill([[5, 6, 7]]).advance(torch.tensor([[8]]))
    assert (alone[0] - first[0]).abs().max() > 0.01, "the target itself has no prefix"


def test_a_copy_of_a_prompt_keeps_the_prefix(base: Path, prefix: Path) -> None:
    expected = pefts(base, prefix)
    batch = TorchPairModels(load_pair(str(base), str(prefix)), VOCABULARY_SIZE).security()
    read = batch.prefill([()])
    read.feed([5, 6, 7, 8])
    assert_logits(read.fork(3).advance(torch.tensor([[9, 10]])), expected, [[5, 6, 7, 9, 10]])


def test_a_prefix_of_the_target_shares_its_weights_and_takes_some_of_its_context(base: Path, prefix: Path) -> None:
    assert is_prefix(prefix)
    pair = load_pair(str(base), str(prefix))
    assert pair.security is not None
    assert pair.security.model is pair.target.model
    assert pair.adapter is None
    assert (pair.target.context_length, pair.security.context_length) == (CONTEXT_LENGTH, CONTEXT_LENGTH - 3)
    assert PreparedPair(pair).context_length == CONTEXT_LENGTH - 3
    alone = load_model(str(prefix))
    assert alone.prefix is not None
    assert alone.path == base


def greedy(model: PeftModel, tokens: list[int], count: int) -> list[int]:
    found: list[int] = []
    with torch.no_grad():
        for _ in range(count):
            found.append(int(model(input_ids=torch.tensor([tokens + found])).logits[0, -1].argmax()))
    return found


@pytest.mark.parametrize("role", ["security", "target"])
def test_a_completion_after_a_prefix_is_pefts(base: Path, prefix: Path, role: str) -> None:
    prompt = "def read(path, name):\n"
    as_security = role == "security"
    pair = PreparedPair(load_pair(str(base), str(prefix)) if as_security else load_pair(str(prefix), "none"))
    sampling = SamplingSettings(temperature=0.0, max_new_tokens=12)
    completer = Completer(pair, DecodingSettings(sampling=sampling), alone="security" if as_security else "target")
    (one, other) = (piece.completion for piece in completer.stream([prompt], n=2) if piece.completion is not None)
    tokens = [record.token_id for record in one.records]
    expected = greedy(pefts(base, prefix), pair.tokenizer(prompt)["input_ids"], len(tokens))
    assert tokens == expected == [record.token_id for record in other.records]


def test_a_prefix_can_be_the_security_model_of_the_papers_rule(base: Path, prefix: Path) -> None:
    pair = PreparedPair(load_pair(str(base), str(prefix)))
    sampling = SamplingSettings(temperature=0.0, max_new_tokens=8)
    settings = DecodingSettings.model_validate({"rule": {"name": "threshold", "threshold": 0.0}, "sampling": sampling})
    (one,) = (p.completion for p in Completer(pair, settings).stream(["import os\n"]) if p.completion is not None)
    tokens = [record.token_id for record in one.records]
    assert tokens == greedy(pefts(base, prefix), pair.tokenizer("import os\n")["input_ids"], len(tokens))


def test_a_study_has_an_arm_for_a_prefix_which_is_part_of_its_identity(base: Path, prefix: Path, tmp_path) -> None:
    other = save_tiny_prefix(base, tmp_path / "other", seed=5)
    adapter = save_tiny_adapter(base, tmp_path / "adapter")
    benchmark = {"name": "tiny", "scenarios": "own"}

    def models(security: Path) -> StudyModels:
        chosen = study_settings(
            {
                "target": str(base),
                "security_models": {"sven": str(security)},
                "arms": ("origin", "prefix@sven"),
                "benchmarks": (benchmark,),
            }
        )
        return StudyModels(chosen, dtype="auto", device_map=None, rows=2)

    assert models(prefix).named_hashes["sven"] != models(other).named_hashes["sven"]
    with pytest.raises(SettingsError, match=r"'prefix@sven' needs a prefix.*cosec tune --method prefix"):
        models(adapter)


def test_a_prefix_for_another_model_or_a_damaged_one_is_refused(base: Path, prefix: Path, tmp_path: Path) -> None:
    wide = save_tiny("llama", tmp_path / "wide", hidden=64)
    config = json.loads((prefix / "adapter_config.json").read_text())
    (prefix / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(wide)}))
    with pytest.raises(AdapterError, match="does not fit the keys and values"):
        load_pair(str(wide), str(prefix))
    embeddings = read_prefix(prefix).embeddings
    save_file({"prompt_embeddings": embeddings * float("nan")}, prefix / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="not finite"):
        read_prefix(prefix)
    save_file({"weights": embeddings}, prefix / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="'prompt_embeddings' alone"):
        read_prefix(prefix)


def test_an_untrained_prefix_is_refused_and_an_unfinished_one_says_so(prefix: Path) -> None:
    manifest = prefix / "manifest.json"
    manifest.write_text(json.dumps({"best_epoch": 0, "finished": True}))
    with pytest.raises(AdapterError, match="untrained"):
        read_prefix(prefix)
    manifest.write_text(json.dumps({"best_epoch": 1, "finished": False}))
    with pytest.warns(CosecWarning, match="unfinished"):
        assert read_prefix(prefix).tokens == 3


def test_without_a_prefix_nothing_is_added(base: Path) -> None:
    loaded = load_model(str(base))
    assert TorchTokenModel(loaded.model, VOCABULARY_SIZE).prefix == ()
