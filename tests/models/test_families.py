"""Families are recognised by architecture and tokens, and LoRA attaches to attention projections only."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from cosec.errors import SettingsError, UnknownArchitecture
from cosec.models.families import FAMILIES, family_of, lora_targets
from tests.tiny import ARCHITECTURES, tiny_config, tiny_model, tiny_tokenizer

FAMILY_OF_TINY = {
    "codegen": "codegen",
    "gpt_bigcode": "starcoderbase",
    "llama": "deepseek-coder",
    "qwen2": "qwen2.5-coder",
}
PROJECTIONS_PER_LAYER = {"codegen": 2, "gpt_bigcode": 2, "llama": 4, "qwen2": 4}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_family_is_recognised_by_architecture_and_tokens(architecture: str) -> None:
    family = family_of(architecture, tiny_tokenizer(architecture).get_vocab())
    assert family is not None
    assert family.name == FAMILY_OF_TINY[architecture]


def test_two_families_of_one_architecture_are_told_apart_by_their_tokens() -> None:
    smollm2 = next(family for family in FAMILIES if family.name == "smollm2")
    token_ids = {token: index for index, token in enumerate(smollm2.marks)}
    assert family_of("llama", token_ids) is smollm2
    assert family_of("llama", {"<s>": 0}) is None
    assert family_of("llama") is None, "without tokens two families are possible"


def test_an_architecture_of_one_family_is_recognised_without_tokens() -> None:
    family = family_of("gpt_bigcode")
    assert family is not None
    assert family.name == "starcoderbase"


def test_unknown_architecture_has_no_family() -> None:
    assert family_of("mamba", {}) is None


def test_no_family_is_shadowed_by_another() -> None:
    for family in FAMILIES:
        assert family_of(family.model_type, dict.fromkeys(family.marks, 0)) is family


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks transformers
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_lora_attaches_to_attention_projections_only_and_trains_a_step(architecture: str) -> None:
    torch.manual_seed(0)  # dropout and the adapter's first weights decide whether two steps suffice
    model = tiny_model(architecture)
    adapted = get_peft_model(
        model, LoraConfig(r=2, target_modules=list(lora_targets(model)), task_type="CAUSAL_LM")
    ).train()
    changed = {name.split(".lora_A")[0] for name, _ in adapted.named_parameters() if "lora_A" in name}
    assert len(changed) == 2 * PROJECTIONS_PER_LAYER[architecture]
    assert all("attn" in name and "mlp" not in name for name in changed)

    trainable = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=0.05)
    token_ids = torch.arange(2, 26).view(2, 12)
    losses = []
    for _ in range(2):
        loss = adapted(input_ids=token_ids, labels=token_ids).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[1] < losses[0]


def test_names_given_by_the_user_win() -> None:
    assert lora_targets(tiny_model("llama"), ["up_proj", "down_proj"]) == ("up_proj", "down_proj")


def test_a_head_that_shares_its_weights_with_the_embedding_is_refused() -> None:
    config = tiny_config("llama")
    config.tie_word_embeddings = True
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(SettingsError, match="--lora-targets lm_head: the output head"):
        lora_targets(model, ["q_proj", "lm_head"])
    assert lora_targets(model, ["q_proj"]) == ("q_proj",)
    assert lora_targets(tiny_model("llama"), ["lm_head"]) == ("lm_head",)


def test_a_name_that_matches_nothing_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownArchitecture, match=r"'query'.*--lora-targets can name: .*q_proj"):
        lora_targets(tiny_model("llama"), ["q_proj", "query"])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(4, 4)
        self.out = nn.Linear(4, 4)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.out = nn.Linear(4, 4)


def test_unknown_architecture_gets_the_linear_maps_inside_its_attention_blocks() -> None:
    model = nn.ModuleDict({"layer": Block()})
    assert lora_targets(model) == ("attention.out", "attention.query")


def test_unknown_architecture_without_attention_blocks_asks_for_names() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    with pytest.raises(UnknownArchitecture, match="--lora-targets"):
        lora_targets(model)
