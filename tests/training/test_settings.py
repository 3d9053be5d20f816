import pytest

from cosec.errors import SettingsError
from cosec.training.settings import HardeningSettings, choose_settings, make_settings, read_recipe, shipped_recipes


def test_the_recipe_of_the_paper_says_what_the_defaults_say() -> None:
    assert make_settings(read_recipe("cosec-plus")) == HardeningSettings()


def test_every_shipped_recipe_is_valid() -> None:
    qwen = {"qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b-preference"}
    assert set(shipped_recipes()) == {"cosec-plus", "cosec", "lora", "prefix", *qwen, "smollm2-135m"}
    for name in shipped_recipes():
        make_settings(read_recipe(name))


def differences(recipe: str) -> dict[str, object]:
    settings, default = make_settings(read_recipe(recipe)).model_dump(), HardeningSettings().model_dump()
    return {name: value for name, value in settings.items() if value != default[name]}


def test_the_arms_differ_from_cosec_plus_only_where_the_paper_says() -> None:
    assert differences("cosec") == {
        "method": "cosec",
        "kl_direction": "forward",
        "cwe_floor": 0,
        "language_floor": 0,
    }
    assert differences("lora") == {"method": "lora"}
    assert differences("smollm2-135m") == {"max_tokens": 384, "learning_rate": 2e-4, "epochs": 3, "patience": 2}


def test_the_recipe_with_a_preference_differs_from_its_model_in_nothing_else() -> None:
    plain, preferring = (make_settings(read_recipe(f"qwen2.5-coder-0.5b{end}")) for end in ("", "-preference"))
    assert preferring.preference > 0
    assert preferring.model_copy(update={"preference": 0}) == plain


def test_what_is_set_by_hand_wins() -> None:
    assert make_settings({"epochs": 3, "seed": 1}, {"epochs": 5}).model_dump(include={"epochs", "seed"}) == {
        "epochs": 5,
        "seed": 1,
    }


def test_a_misspelt_setting_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SettingsError, match=r"Unknown setting 'lora_rnk'\. Did you mean 'lora_rank'\?"):
        make_settings({"lora_rnk": 4})


@pytest.mark.parametrize(
    "entry", [{"epochs": 0}, {"kl_direction": "sideways"}, {"lora_dropout": 1.0}, {"seed": -1}, {"seed": 2**63}]
)
def test_a_value_out_of_range_is_named(entry: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=f"Setting {next(iter(entry))}"):
        make_settings(entry)


def test_a_recipe_may_be_a_file(tmp_path) -> None:
    (tmp_path / "mine.toml").write_text("epochs = 3\n")
    assert read_recipe(str(tmp_path / "mine.toml")) == {"epochs": 3}


def test_a_missing_or_broken_recipe_is_an_error(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"shipped are cosec, cosec-plus, lora, prefix, qwen2\.5-coder-0\.5b, qwen"):
        read_recipe("nope")
    (tmp_path / "bad.toml").write_text("epochs = = 3\n")
    with pytest.raises(SettingsError, match="Cannot read the recipe"):
        read_recipe(str(tmp_path / "bad.toml"))


def test_only_flags_that_were_given_override_the_recipe() -> None:
    chosen = choose_settings("smollm2-135m", HardeningSettings(epochs=3))
    assert (chosen.epochs, chosen.max_tokens, chosen.patience) == (3, 384, 2)
    # A flag that repeats the default still wins over the recipe.
    assert choose_settings("smollm2-135m", HardeningSettings(max_tokens=1024)).max_tokens == 1024


def test_the_method_chooses_its_recipe() -> None:
    assert choose_settings(None, HardeningSettings(method="cosec")).kl_direction == "forward"
    assert choose_settings(None, None) == HardeningSettings()


def test_a_method_that_contradicts_the_recipe_is_an_error() -> None:
    with pytest.raises(SettingsError, match="--method lora contradicts the recipe cosec"):
        choose_settings("cosec", HardeningSettings(method="lora"))
