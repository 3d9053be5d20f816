from __future__ import annotations

import pytest

from cosec.errors import SettingsError
from cosec.models.families import FAMILIES
from cosec.training.alignment.settings import RECIPES, AlignmentSettings, choose_alignment
from cosec.training.settings import read_recipe, shipped_recipes

PAPER = ("codegen", "starcoderbase", "deepseek-coder", "qwen2.5-coder")


def test_the_recipes_name_the_families_pairs_and_table_ivs_settings() -> None:
    assert set(shipped_recipes(RECIPES)) == {*PAPER, "smollm2-135m"}
    by_name = {family.name: family for family in FAMILIES}
    for name in PAPER:
        names, settings = choose_alignment(name, None, {"teacher": None, "student": None})
        assert names == {"teacher": by_name[name].teacher, "student": by_name[name].student}
        assert (settings.learning_rate, settings.batch_size, settings.epochs) == (1e-5, 24, 3)
        assert (settings.clip_norm, settings.max_tokens, settings.kl_weight) == (1.0, 1024, 0.5)
        assert (settings.divergence, settings.train) == ("reverse-kl", "full")


def test_only_flags_that_were_given_override_the_recipe() -> None:
    names, settings = choose_alignment(
        "smollm2-135m", AlignmentSettings(divergence="forward-kl"), {"teacher": None, "student": "here"}
    )
    assert names == {"teacher": "smollm2-135m", "student": "here"}
    assert (settings.divergence, settings.max_tokens) == (
        "forward-kl",
        read_recipe("smollm2-135m", RECIPES)["max_tokens"],
    )


def test_a_recipe_without_a_student_asks_for_one() -> None:
    with pytest.raises(SettingsError, match="No student: name it with --student"):
        choose_alignment("smollm2-135m", None, {"teacher": None, "student": None})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lora_rank": 16, "lora_alpha": 32}, "lora_alpha, lora_rank: an adapter is trained only with train = lora"),
        ({"skew": 0.2}, "skew: the divergence reverse-kl has none"),
        ({"skew": 0.2, "divergence": "forward-kl"}, "skew: the divergence forward-kl has none"),
    ],
)
def test_settings_of_another_kind_of_run_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        choose_alignment(None, AlignmentSettings(**given), {"teacher": "a", "student": "b"})


@pytest.mark.parametrize(
    "given", [{"train": "lora", "lora_rank": 16}, {"divergence": "skew-reverse-kl", "skew": 0.2}, {}]
)
def test_settings_of_the_run_are_taken(given: dict[str, object]) -> None:
    _, settings = choose_alignment(None, AlignmentSettings(**given), {"teacher": "a", "student": "b"})
    assert settings.model_dump(include=set(given)) == given
