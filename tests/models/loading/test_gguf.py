"""A GGUF file becomes an ordinary model folder with the same weights and the tokenizer the model was trained with."""

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from cosec.errors import ModelError, UnknownArchitecture
from cosec.models.loading import gguf as conversion
from cosec.models.loading.gguf import convert_gguf
from cosec.models.loading.load import load_model
from cosec.models.loading.quantised import load_gguf
from cosec.models.loading.store import cache_root
from tests.models.gguf_file import write_gguf
from tests.tiny import tiny_model, tiny_tokenizer

FIRST = "<\uff5cbegin\u2581of\u2581sentence\uff5c>"
"""DeepSeek's first token."""


@pytest.fixture
def gguf_file(tmp_path: Path) -> Path:
    return write_gguf(tiny_model("llama", seed=3), tmp_path / "tiny.gguf")


def test_a_gguf_file_loads_with_the_weights_it_was_written_from(gguf_file: Path) -> None:
    loaded = load_model(str(gguf_file))
    token_ids = torch.arange(3, 15).unsqueeze(0)
    expected = tiny_model("llama", seed=3)(token_ids).logits
    torch.testing.assert_close(loaded.model(token_ids).logits, expected, atol=1e-4, rtol=1e-4)
    assert loaded.model.dtype == torch.float32
    assert loaded.context_length == 128
    assert loaded.family is not None
    assert loaded.family.name == "deepseek-coder"
    assert loaded.stop_token_ids >= {0}


def test_quantised_weights_are_those_that_transformers_reads(tmp_path: Path) -> None:
    file = write_gguf(tiny_model("llama", seed=3), tmp_path / "tiny.gguf", quantisation=gguf.GGMLQuantizationType.Q8_0)
    ours = load_model(str(file)).model.state_dict()
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=file.name, dtype=torch.float32).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    exact = tiny_model("llama", seed=3).state_dict()
    assert any(not torch.equal(ours[name], exact[name]) for name in exact), "nothing was quantised"


def test_a_file_that_lacks_a_weight_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    file = write_gguf(tiny_model("llama"), tmp_path / "tiny.gguf", left_out="model.norm.weight")
    with pytest.raises(ModelError, match=r"tiny\.gguf could not be converted \(it lacks 1 weights, first model.norm"):
        load_model(str(file))
    assert list((cache_root() / "gguf").iterdir()) == []


def test_tokens_are_those_of_the_original(gguf_file: Path) -> None:
    tokenizer = load_model(str(gguf_file)).tokenizer
    text = "def read(path):\n    return [1,  23]"
    assert tokenizer.get_vocab() == tiny_tokenizer("llama").get_vocab()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_numbers_are_split_as_the_files_pretokenizer_says(tmp_path: Path, gguf_file: Path) -> None:
    """transformers' converter forgets the digits: three blanks before a number became two blanks and a blank."""
    plain = load_model(str(write_gguf(tiny_model("llama"), tmp_path / "plain.gguf", pretokenizer="gpt-2"))).tokenizer
    digits = load_model(str(gguf_file)).tokenizer
    pieces = [
        [piece for piece, _ in t.backend_tokenizer.pre_tokenizer.pre_tokenize_str("   1")] for t in (plain, digits)
    ]
    assert pieces == [["ĠĠ", "Ġ1"], ["ĠĠĠ", "1"]]


def test_a_token_that_begins_every_text_has_the_files_number(tmp_path: Path) -> None:
    """transformers' converter spells such a token as bytes, and adds it again behind the vocabulary."""
    file = write_gguf(tiny_model("llama"), tmp_path / "tiny.gguf", first_token=FIRST)
    tokenizer = load_model(str(file)).tokenizer
    assert tokenizer.encode("def")[0] == 0
    assert len(tokenizer) == len(tiny_tokenizer("llama"))
    assert tokenizer.decode([0]) == FIRST


def test_positions_are_stretched_as_the_file_says(tmp_path: Path) -> None:
    def stretch(kind: gguf.RopeScalingType) -> Callable[[gguf.GGUFWriter], None]:
        def write(writer: gguf.GGUFWriter) -> None:
            writer.add_rope_scaling_type(kind)
            writer.add_rope_scaling_factor(4.0)
            writer.add_rope_scaling_orig_ctx_len(32)

        return write

    def parameters(kind: gguf.RopeScalingType) -> dict[str, object]:
        file = write_gguf(tiny_model("llama"), tmp_path / f"{kind.value}.gguf", more=stretch(kind))
        return dict(load_model(str(file)).model.config.rope_parameters)

    linear, yarn = parameters(gguf.RopeScalingType.LINEAR), parameters(gguf.RopeScalingType.YARN)
    assert (linear["rope_type"], linear["factor"]) == ("linear", 4.0)
    assert (yarn["rope_type"], yarn["factor"], yarn["original_max_position_embeddings"]) == ("yarn", 4.0, 32)
    assert linear["rope_theta"] == yarn["rope_theta"] == tiny_model("llama").config.rope_parameters["rope_theta"]


def test_factors_of_single_frequencies_are_refused_and_not_left_out(tmp_path: Path) -> None:
    def factors(values: np.ndarray) -> Callable[[gguf.GGUFWriter], None]:
        return lambda writer: writer.add_tensor("rope_freqs.weight", values)

    model = tiny_model("llama")
    count = model.config.head_dim // 2
    load_model(str(write_gguf(model, tmp_path / "ones.gguf", more=factors(np.ones(count, np.float32)))))
    file = write_gguf(model, tmp_path / "factors.gguf", more=factors(np.arange(1, count + 1, dtype=np.float32)))
    with pytest.raises(ModelError, match=r"rope_freqs\.weight.*--runtime llama\.cpp"):
        load_model(str(file))
    assert load_gguf(str(file)).context_length == 128


def test_a_file_whose_embeddings_depend_on_the_length_is_refused_in_llama_cpp_too(tmp_path: Path) -> None:
    def long(writer: gguf.GGUFWriter) -> None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)
        writer.add_rope_scaling_orig_ctx_len(64)
        writer.add_tensor("rope_factors_long.weight", np.ones(4, np.float32))

    file = write_gguf(tiny_model("llama"), tmp_path / "long.gguf", more=long)
    with pytest.raises(UnknownArchitecture, match="more than 64 tokens"):
        load_gguf(str(file))
    with pytest.raises(ModelError, match="longrope"):
        load_model(str(file))


def test_a_file_is_converted_once(gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_model(str(gguf_file)).path
    source = json.loads((first / "source.json").read_text())
    assert source["gguf"] == "tiny.gguf"
    assert len(source["gguf_sha256"]) == 64

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(conversion, "convert_gguf", refuse)
    assert load_model(str(gguf_file)).path == first


@pytest.mark.parametrize("length", [10, 200, 20_000])
def test_a_file_cut_short_is_named_and_leaves_nothing(gguf_file: Path, length: int) -> None:
    gguf_file.write_bytes(gguf_file.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"tiny\.gguf could not be converted"):
        load_model(str(gguf_file))
    assert not (cache_root() / "gguf").exists()


def test_a_vocabulary_with_a_token_twice_is_refused_before_llama_cpp_ends_the_process(gguf_file: Path) -> None:
    one, other = ((1).to_bytes(8, "little") + letter for letter in (b"a", b"b"))
    content = gguf_file.read_bytes()
    assert content.count(one) == content.count(other) == 1
    gguf_file.write_bytes(content.replace(one, other))
    with pytest.raises(ModelError, match=r"tiny\.gguf has a token twice in its vocabulary"):
        load_gguf(str(gguf_file))


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "fake.gguf").write_text("not a model")
    with pytest.raises(ModelError, match="does not start like a GGUF file"):
        load_model(str(tmp_path / "fake.gguf"))


def test_a_crash_while_saving_leaves_nothing(gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion, "write_atomically", crash)
    folder = cache_root() / "gguf" / "crashed"
    with pytest.raises(OSError, match="No space left"):
        convert_gguf(gguf_file, folder, source={})
    assert list(folder.parent.iterdir()) == []


def test_conversion_draws_nothing_on_the_terminal(gguf_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    load_model(str(gguf_file))
    assert capfd.readouterr() == ("", "")


def test_code_beside_the_file_is_never_run(gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers asks whether to run the code of a tokenizer that names some, and runs it after a yes."""
    (gguf_file.parent / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["code.Tokenizer", "code.Tokenizer"]}})
    )
    marker = gguf_file.parent / "it_ran"
    (gguf_file.parent / "code.py").write_text(f"open({str(marker)!r}, 'w')\nclass Tokenizer: pass\n")
    monkeypatch.setattr("builtins.input", lambda *prompt: "y")
    with pytest.raises(ModelError, match="names code to run: then move it"):
        load_model(str(gguf_file))
    assert not marker.exists()
