"""From names to models and pairs: every kind of name, every kind of security model, every way it can go wrong."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from cosec.errors import AdapterError, ModelError, ModelNotFound, SettingsError, UnknownArchitecture, UnsafeCheckpoint
from cosec.models.identity import model_fingerprint
from cosec.models.loading import bundled
from cosec.models.loading import load as loading
from cosec.models.loading.load import load_model, load_pair, resolve_model
from tests.tiny import ARCHITECTURES, CONTEXT_LENGTH, save_tiny, save_tiny_adapter, tiny_model

TOKEN_IDS = torch.arange(3, 27).view(2, 12)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_tiny("llama", tmp_path / "base")


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return save_tiny_adapter(base, tmp_path / "adapter")


def write_manifest(adapter: Path, **base_model: str) -> None:
    (adapter / "manifest.json").write_text(json.dumps({"base_model": base_model}))


def edit_json(path: Path, **entries: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_folder_loads_ready_for_inference(architecture: str, tmp_path: Path) -> None:
    loaded = load_model(str(save_tiny(architecture, tmp_path / "model")))
    assert loaded.path == tmp_path / "model"
    assert loaded.family is not None
    assert loaded.family.model_type == architecture
    assert loaded.context_length == CONTEXT_LENGTH
    assert not loaded.model.training
    assert not any(weight.requires_grad for weight in loaded.model.parameters())
    torch.testing.assert_close(loaded.model(TOKEN_IDS).logits, tiny_model(architecture)(TOKEN_IDS).logits)


def test_stop_tokens_are_the_configured_ones_and_the_familys(tmp_path: Path) -> None:
    folder = save_tiny("qwen2", tmp_path / "model")
    edit_json(folder / "generation_config.json", eos_token_id=[0, 100])
    loaded = load_model(str(folder))
    token_ids = loaded.tokenizer.get_vocab()
    expected = {0, 100, token_ids["<|endoftext|>"], token_ids["<|im_end|>"], token_ids["<|file_sep|>"]}
    assert loaded.stop_token_ids == expected


def test_an_unknown_family_of_a_known_architecture_loads(tmp_path: Path) -> None:
    folder = save_tiny("llama", tmp_path / "model")
    shutil.copy(save_tiny("codegen", tmp_path / "other") / "tokenizer.json", folder)
    loaded = load_model(str(folder))
    assert loaded.family is None
    assert loaded.stop_token_ids == {0}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_type_asked_for_is_the_type_loaded(base: Path, dtype: str) -> None:
    assert load_model(str(base), dtype=dtype).model.dtype == getattr(torch, dtype)


def test_auto_is_float32_on_a_processor_whatever_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "half"
    save_tiny("llama", folder)
    tiny_model("llama").to(torch.bfloat16).save_pretrained(folder)
    assert load_model(str(folder)).model.dtype == torch.float32
    assert load_model(str(folder), device_map="cpu").model.dtype == torch.float32


def test_loading_draws_and_logs_nothing(base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    load_model(str(base))
    assert capfd.readouterr() == ("", "")


def test_a_path_may_start_at_the_home_folder(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(base.parent))
    assert resolve_model("~/base") == base


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smollm2-135m", "cosec models pull smollm2-135m"),
        ("smolm2-135m", r"no such folder or file.*Did you mean smollm2-135m\?"),
        ("./nowhere", "no such folder or file"),
        ("/no/where/at/all", "no such folder or file"),
        ("models/missing.gguf", "no such folder or file"),
        ("", "no such folder"),
    ],
)
def test_a_name_that_leads_nowhere_is_answered_with_a_remedy(name: str, message: str) -> None:
    with pytest.raises(ModelNotFound, match=message):
        resolve_model(name)


@pytest.mark.parametrize(
    ("file", "error", "message"),
    [
        ("pytorch_model.bin", UnsafeCheckpoint, "pickled checkpoint.*safetensors"),
        ("model.pt", UnsafeCheckpoint, "pickled checkpoint"),
        ("model.safetensors", ModelNotFound, "name its folder"),
        ("notes.txt", ModelNotFound, "neither a model folder nor a .gguf file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, file: str, error: type[ModelError], message: str) -> None:
    (tmp_path / file).write_bytes(b"content")
    with pytest.raises(error, match=message):
        load_model(str(tmp_path / file))


def test_an_unknown_type_is_refused(base: Path) -> None:
    with pytest.raises(SettingsError, match=r"float64.*auto, float32, bfloat16, float16"):
        load_model(str(base), dtype="float64")


def test_missing_weights_are_never_made_up(base: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(base / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of its weights, first model\.layers\.1\.mlp\.up_proj\.weight"):
        load_model(str(base))


def test_weights_of_another_shape_are_refused(base: Path) -> None:
    edit_json(base / "config.json", intermediate_size=48)
    with pytest.raises(ModelError, match="could not be loaded"):
        load_model(str(base))


def test_a_corrupt_tokenizer_is_named(base: Path) -> None:
    (base / "tokenizer.json").write_text('{"version": "1.0", "model": {"type": "BPE"}}')
    with pytest.raises(ModelError, match=r"tokenizer of .* cannot be read"):
        load_model(str(base))


def test_an_architecture_that_predicts_no_tokens_is_refused(base: Path) -> None:
    edit_json(base / "config.json", model_type="vit", architectures=["ViTModel"])
    with pytest.raises(UnknownArchitecture, match="'vit' model, which does not predict next tokens"):
        load_model(str(base))


def test_an_architecture_that_transformers_does_not_know_is_refused(base: Path) -> None:
    edit_json(base / "config.json", model_type="homemade")
    with pytest.raises(ModelError, match="homemade"):
        load_model(str(base))


def test_a_configuration_without_context_length_is_refused(base: Path) -> None:
    edit_json(base / "config.json", max_position_embeddings=None)
    with pytest.raises(UnknownArchitecture, match="context length"):
        load_model(str(base))


def test_an_adapter_of_the_target_shares_its_weights(base: Path, adapter: Path) -> None:
    pair = load_pair(str(base), str(adapter))
    assert pair.security is None
    loaded = pair.adapter
    assert loaded is not None
    assert loaded.path == adapter


def test_the_recorded_fingerprint_wins_over_the_name(base: Path, adapter: Path) -> None:
    edit_json(adapter / "adapter_config.json", base_model_name_or_path="somebody/else")
    write_manifest(adapter, name="somebody/else", sha256=model_fingerprint(base))
    loaded = load_pair(str(base), str(adapter)).adapter
    assert loaded is not None
    assert loaded.path == adapter


def test_an_adapter_for_other_weights_of_the_same_name_is_refused(base: Path, adapter: Path) -> None:
    write_manifest(adapter, name="base", sha256="0" * 64)
    with pytest.raises(AdapterError, match=r"other weights than those now called .*base.*The target is .*base"):
        load_pair(str(base), str(adapter))


def test_an_adapter_of_another_base_comes_with_that_base(base: Path, adapter: Path, tmp_path: Path) -> None:
    target = save_tiny("llama", tmp_path / "target", seed=9, hidden=16)
    pair = load_pair(str(target), str(adapter))
    assert pair.adapter is not None
    assert pair.adapter.path == adapter
    assert pair.security is not None
    assert pair.security.path == base


def test_an_adapter_loaded_as_a_model_is_merged_into_its_base(base: Path, adapter: Path) -> None:
    merged, alone = load_model(str(adapter)), load_model(str(base))
    difference = (merged.model(TOKEN_IDS).logits - alone.model(TOKEN_IDS).logits).abs().max()
    assert difference > 0.1, "the adapter must be in the weights"


def test_an_adapter_whose_base_is_missing_names_both(adapter: Path, base: Path, tmp_path: Path) -> None:
    target = save_tiny("llama", tmp_path / "target", seed=9)
    shutil.rmtree(base)
    with pytest.raises(AdapterError, match=r"belongs to the base model '.*base'.*The target is '.*target'"):
        load_pair(str(target), str(adapter))


def test_an_adapter_that_names_no_base_must_fit(base: Path, adapter: Path, tmp_path: Path) -> None:
    edit_json(adapter / "adapter_config.json", base_model_name_or_path=None)
    loaded = load_pair(str(base), str(adapter)).adapter
    assert loaded is not None
    assert loaded.path == adapter
    narrow = save_tiny("llama", tmp_path / "narrow", hidden=16)
    with pytest.raises(AdapterError, match="another base"):
        load_pair(str(narrow), str(adapter))


def test_an_adapter_of_an_adapter_is_refused(adapter: Path, tmp_path: Path) -> None:
    second = Path(shutil.copytree(adapter, tmp_path / "second"))
    edit_json(second / "adapter_config.json", base_model_name_or_path=str(adapter))
    with pytest.raises(AdapterError, match="which is an adapter itself"):
        load_model(str(second))


def test_a_full_model_is_loaded_as_security_model(base: Path, tmp_path: Path) -> None:
    security = save_tiny("llama", tmp_path / "security", seed=4, layers=1)
    pair = load_pair(str(base), str(security))
    assert pair.security is not None
    assert pair.security.path == security
    assert pair.adapter is None


def test_without_security_the_target_is_alone(base: Path) -> None:
    pair = load_pair(str(base), "none")
    assert pair.security is None
    assert pair.adapter is None


def test_a_target_without_shipped_security_model_asks_for_one(base: Path) -> None:
    with pytest.raises(ModelNotFound, match="--security none"):
        load_pair(str(base))


def test_the_shipped_adapter_is_the_default(base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "shipped_adapter", lambda name: adapter if name == str(base) else None)
    loaded = load_pair(str(base)).adapter
    assert loaded is not None
    assert loaded.path == adapter


def test_the_original_of_an_embedded_model_counts_as_its_name(
    base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit_json(adapter / "adapter_config.json", base_model_name_or_path="HuggingFaceTB/SmolLM2-135M-Instruct")
    monkeypatch.setattr(bundled.BundledModel, "folder", base)
    loaded = load_pair("smollm2-135m", str(adapter)).adapter
    assert loaded is not None
    assert loaded.path == adapter
    assert load_model(str(adapter)).path == base


def test_a_corrupt_adapter_is_refused_before_weights_are_loaded(
    base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    monkeypatch.setattr(loading, "read_weights", lambda *arguments, **options: pytest.fail("loaded weights first"))
    with pytest.raises(AdapterError, match="corrupt"):
        load_pair(str(base), str(adapter))


def test_finding_a_model_needs_no_torch(base: Path) -> None:
    program = (
        "import sys; from cosec.models.loading.load import resolve_model; resolve_model(sys.argv[1]);"
        "heavy = {'torch', 'transformers', 'peft'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program, str(base)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.embedded
def test_the_embedded_model_writes_code() -> None:
    loaded = load_model("smollm2-135m")
    assert loaded.family is not None
    assert loaded.family.name == "smollm2"
    assert loaded.context_length == 8192
    prompt = loaded.tokenizer("def add(a, b):\n    return", return_tensors="pt")
    written = loaded.model.generate(**prompt, max_new_tokens=3, do_sample=False)
    assert loaded.tokenizer.decode(written[0]).startswith("def add(a, b):\n    return a + b")


@pytest.mark.embedded
def test_the_embedded_model_splits_numbers_into_digits() -> None:
    tokenizer = load_model("smollm2-135m").tokenizer
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("   123")) == ["ĠĠĠ", "1", "2", "3"]


@pytest.mark.embedded
def test_the_embedded_model_loads_quickly_and_maps_its_weights() -> None:
    program = (
        "import time; start = time.process_time(); from cosec.models.loading.load import load_model;"
        "load_model('smollm2-135m'); print(time.process_time() - start);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    started = time.monotonic()
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, peak_kib = finished.stdout.split()
    assert float(seconds) < 12, f"processor seconds; {time.monotonic() - started:.1f} s on the clock"
    assert int(peak_kib) < (513 + 500) * 1024, "weights of 513 MiB must be held once"


def test_a_model_that_attends_to_a_window_is_refused_before_weights_are_loaded(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windowed = save_tiny("llama", tmp_path / "windowed")
    edit_json(windowed / "config.json", model_type="mistral", architectures=["MistralForCausalLM"], sliding_window=16)

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(loading, "read_weights", refuse)
    for target, security in ((windowed, base), (base, windowed), (windowed, "none")):
        with pytest.raises(UnknownArchitecture, match="windowed' attends to its latest 16 tokens only"):
            load_pair(str(target), str(security))


def test_a_model_that_attends_to_a_window_may_be_a_teacher(tmp_path: Path) -> None:
    windowed = save_tiny("llama", tmp_path / "windowed")
    edit_json(windowed / "config.json", model_type="mistral", architectures=["MistralForCausalLM"], sliding_window=16)
    assert load_model(str(windowed)).model.config.sliding_window == 16


def test_a_run_that_was_stopped_before_it_saved_weights_says_how_to_continue(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ModelNotFound, match=r"stopped before it saved weights.*--resume"):
        load_model(str(tmp_path / "run"))
