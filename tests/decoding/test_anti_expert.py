"""Steering against an anti-expert, over real models: the law in closed form, and what a pair refuses."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cosec import load_pair
from cosec.decoding.batch import batch_setup
from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.draft import Position
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.errors import AdapterError, SettingsError
from cosec.models.loading.load import load_model
from tests.decoding.law import lossless_law
from tests.tiny import save_tiny, save_tiny_adapter

PROMPTS = [[1, 2, 3], [4], [5, 6]]
RULE = {"name": "steer", "strength": 1.5, "against": "anti-expert"}


class Folders:
    """A target, another model of its vocabulary, and two adapters of one of them."""

    def __init__(self, root: Path, *, shared: bool) -> None:
        self.target = str(save_tiny("llama", root / "target"))
        self.base = self.target if shared else str(save_tiny("llama", root / "base", seed=1))
        self.expert = str(save_tiny_adapter(Path(self.base), root / "expert", seed=2))
        self.anti = str(save_tiny_adapter(Path(self.base), root / "anti", seed=3, targets=("q_proj", "up_proj")))

    @cached_property
    def pair(self) -> PreparedPair:
        return load_pair(self.target, self.expert, anti_expert=self.anti)


@pytest.fixture(scope="module", params=["shared", "another base"])
def folders(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return Folders(tmp_path_factory.mktemp("folders"), shared=request.param == "shared")


def settings(rule: dict[str, object] = RULE, **sampling: object) -> DecodingSettings:
    return decoding_settings(rule, {"temperature": 0.8, "top_p": 0.9, "max_new_tokens": 16, **sampling})


def logits(folder: str, tokens: list[int], size: int) -> Tensor:
    model = load_model(folder).model  # an adapter is merged into its base
    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0, -1, :size]


def test_every_position_follows_expert_minus_anti_expert(folders: Folders) -> None:
    chosen = settings()
    setup = batch_setup(folders.pair, chosen)
    batch = setup.lanes.prefill(PROMPTS)
    scores = batch.advance(torch.tensor([7, 8, 9]), 1, lambda log_probs, index: log_probs.argmax(dim=-1))
    assert scores.security_log_probs is not None
    assert scores.base_log_probs is not None
    size = scores.target_log_probs.shape[-1]
    for row, (prompt, fed) in enumerate(zip(PROMPTS, (7, 8, 9), strict=True)):
        target, expert, anti = (
            logits(folder, [*prompt, fed], size) for folder in (folders.target, folders.expert, folders.anti)
        )
        at = Position(
            target_log_probs=scores.target_log_probs[row],
            security_log_probs=scores.security_log_probs[row],
            base_log_probs=scores.base_log_probs[row],
        )
        law = setup.rule.law(at).dense(size)[0]  # type: ignore[attr-defined] # steer's
        views = (one.double().numpy() for one in (target, expert, anti))
        expected = lossless_law(*views, {"name": "steer", "strength": 1.5}, temperature=0.8, top_p=0.9)
        torch.testing.assert_close(law.double(), torch.from_numpy(expected), rtol=1e-3, atol=1e-5)


def test_the_draft_length_never_changes_the_text_and_the_anti_expert_does(folders: Folders) -> None:
    pair, prompts = folders.pair, ["def read(path):\n", "int main("]

    def texts(chosen: DecodingSettings) -> list[str]:
        return [one.text for one in Completer(pair, chosen, rows=3).complete(prompts, n=2)]

    opposed = texts(settings())
    for length in (1, 3, "auto"):
        assert texts(settings(draft_length=length)) == opposed
    assert texts(settings({"name": "steer", "strength": 1.5})) != opposed


def test_rules_without_a_contrast_say_what_they_say_without_an_anti_expert(folders: Folders) -> None:
    alone = load_pair(folders.target, folders.expert)
    for rule in ({"name": "threshold"}, {"name": "gate", "strength": 0.01}, {"name": "steer", "strength": 1.5}):
        chosen = settings(rule)
        texts = [
            [one.text for one in Completer(pair, chosen).complete(["def read(path):\n"], n=2)]
            for pair in (alone, folders.pair)
        ]
        assert texts[0] == texts[1]


def test_a_pair_without_an_anti_expert_says_how_to_get_one(folders: Folders) -> None:
    pair = load_pair(folders.target, folders.expert)
    with pytest.raises(SettingsError, match=r"--anti-expert.*--side vulnerable"):
        Completer(pair, settings())


def test_an_anti_expert_needs_an_adapter_of_the_same_base_beside_it(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="beside a security adapter"):
        load_pair(folders.target, "none", anti_expert=folders.anti)
    other = save_tiny("llama", tmp_path / "other", seed=9)
    stranger = str(save_tiny_adapter(other, tmp_path / "stranger"))
    with pytest.raises(AdapterError, match="train both on one base"):
        load_pair(folders.target, folders.expert, anti_expert=stranger)
