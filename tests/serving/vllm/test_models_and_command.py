"""What vLLM's server is started with: whole models with equal heads, our plugin's settings, and the user's options."""

import itertools
import json
import os
from pathlib import Path

import pytest

from cosec.errors import AdapterError, SettingsError, VocabularyMismatch
from cosec.models.loading.checks import read_config
from cosec.serving.vllm import VllmModels, VllmPython, VllmServer, check_passed_on, prepare_models, vllm_server
from cosec.serving.vllm.command import KEY_VARIABLE, plugin_settings
from cosec.vllm_plugin import PluginSettings
from tests.tiny import VOCABULARY_SIZE, save_tiny, save_tiny_adapter

PYTHON = VllmPython(path=Path("/env/bin/python"), package="vllm")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """A target, a smaller model of its family with fewer logits, and an adapter of each."""
    target = save_tiny("qwen2", tmp_path / "target", layers=3, head_width=VOCABULARY_SIZE + 64)
    small = save_tiny("qwen2", tmp_path / "small", head_width=VOCABULARY_SIZE + 16)
    own = save_tiny_adapter(target, tmp_path / "own-adapter")
    adapter = save_tiny_adapter(small, tmp_path / "adapter")
    return {"target": str(target), "small": str(small), "adapter": str(adapter), "own": str(own)}


def server(models: VllmModels, folder: Path, *, host: str = "127.0.0.1", passed_on: tuple[str, ...] = ()) -> VllmServer:
    return vllm_server(
        PYTHON,
        models,
        host=host,
        port=8000,
        names=("code", "other"),
        draft_length=2,
        dtype="bfloat16",
        metrics_folder=folder,
        passed_on=passed_on,
    )


def test_an_adapter_of_a_smaller_model_gets_as_many_logits_as_the_target(folders: dict[str, str]) -> None:
    models = prepare_models(folders["target"], folders["adapter"], {"threshold": 0.5})
    assert models.target == Path(folders["target"])
    assert models.drafter is not None
    config = read_config(models.drafter.security)
    assert (config["vocab_size"], config["num_hidden_layers"]) == (VOCABULARY_SIZE + 64, 2)
    assert models.drafter.vocabulary == VOCABULARY_SIZE
    assert plugin_settings(models).rule["threshold"] == 0.5
    assert plugin_settings(models).base is None


def test_a_rule_that_compares_with_the_base_gets_it(folders: dict[str, str]) -> None:
    models = prepare_models(folders["target"], folders["adapter"], {"name": "gate", "strength": 0.2})
    assert models.drafter is not None
    settings = plugin_settings(models)
    assert settings.base == str(models.drafter.base)
    assert read_config(Path(settings.base))["vocab_size"] == VOCABULARY_SIZE + 64
    assert (settings.rule["name"], settings.rule["strength"]) == ("gate", 0.2)
    # An adapter of the target itself: the target is the base.
    own = prepare_models(folders["target"], folders["own"], {"name": "steer"})
    assert plugin_settings(own).base == "target"


def test_a_target_that_is_the_base_serves_every_rule_unless_requests_may_change_it(folders: dict[str, str]) -> None:
    models = prepare_models(folders["target"], folders["own"], {"name": "threshold"})
    assert plugin_settings(models).base == "target"
    assert plugin_settings(models, with_lora=True).base is None
    flags = ((), ("--enable-lora",), ("--enable_lora",))
    told = [server(models, Path(), passed_on=one).command for one in flags]
    assert ['"base": "target"' in " ".join(one) for one in told] == [True, False, False]


def test_the_adapters_own_rule_applies_and_can_be_changed(folders: dict[str, str]) -> None:
    (Path(folders["adapter"]) / "rule.toml").write_text('[rule]\nname = "gate"\nstrength = 0.3\n')
    own = prepare_models(folders["target"], folders["adapter"], {}).drafter
    changed = prepare_models(folders["target"], folders["adapter"], {"divergence": "js"}).drafter
    assert own is not None
    assert changed is not None
    assert own.rule.model_dump() == {**changed.rule.model_dump(), "divergence": "kl"}
    assert own.rule.model_dump()["strength"] == 0.3


def test_models_that_do_not_fit_together_are_refused(folders: dict[str, str], tmp_path: Path) -> None:
    other = save_tiny("llama", tmp_path / "other")
    with pytest.raises(VocabularyMismatch):
        prepare_models(folders["target"], str(other), {})
    with pytest.raises(AdapterError, match="--rule threshold"):
        prepare_models(folders["target"], folders["small"], {"name": "steer"})
    with pytest.raises(SettingsError, match="against the base"):
        prepare_models(folders["target"], folders["adapter"], {"name": "steer", "against": "anti-expert"})
    with pytest.raises(SettingsError, match="no effect without a security model"):
        prepare_models(folders["target"], "none", {"threshold": 0.5})


def test_the_command_names_the_models_the_plugin_and_the_users_options(folders: dict[str, str], tmp_path: Path) -> None:
    models = prepare_models(folders["target"], folders["adapter"], {})
    assert models.drafter is not None
    command = server(models, tmp_path, passed_on=("--tensor-parallel-size", "2")).command
    values = dict(itertools.pairwise(command))
    assert command[:3] == ("/env/bin/python", "-m", "cosec.vllm_plugin.server")
    assert command[-2:] == ("--tensor-parallel-size", "2")
    assert (values["--model"], values["--port"], values["--dtype"]) == (folders["target"], "8000", "bfloat16")
    assert command[command.index("--served-model-name") + 1 :][:2] == ("code", "other")
    speculative = json.loads(values["--speculative-config"])
    assert speculative["model"] == str(models.drafter.security)
    assert speculative["draft_sample_method"] == "probabilistic"
    assert speculative["num_speculative_tokens"] == 2
    told = json.loads(values["--additional-config"])["cosec"]
    assert PluginSettings.read(told) == plugin_settings(models)


def test_a_target_alone_is_served_without_drafts(folders: dict[str, str], tmp_path: Path) -> None:
    command = server(prepare_models(folders["target"], "none", {}), tmp_path).command
    assert not {"--speculative-config", "--additional-config", "--scheduler-cls"} & set(command)


@pytest.mark.parametrize(
    ("host", "passed_on", "url"),
    [
        ("0.0.0.0", (), "http://127.0.0.1:8000"),
        ("::", (), "http://[::1]:8000"),
        ("::1", (), "http://[::1]:8000"),
        ("gpu.example.org", ("--ssl-certfile=c.pem",), "https://gpu.example.org:8000"),
        ("gpu.example.org", ("--ssl_certfile", "c.pem"), "https://gpu.example.org:8000"),
    ],
)
def test_the_url_is_reachable_from_this_machine(host: str, passed_on: tuple[str, ...], url: str) -> None:
    assert server(VllmModels(target=Path("t"), drafter=None), Path(), host=host, passed_on=passed_on).url == url


def test_a_target_alone_is_served_by_vllms_own_server_and_refuses_settings_of_rules() -> None:
    command = server(VllmModels(target=Path("t"), drafter=None), Path()).command
    assert command[2] == "vllm.entrypoints.openai.api_server"
    assert command[command.index("--middleware") + 1].endswith(".NoCosecField")


def test_the_environment_shares_metrics_and_keeps_what_the_user_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = VllmModels(target=Path("t"), drafter=None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for name in ("PROMETHEUS_MULTIPROC_DIR", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    found = server(models, tmp_path).environment
    assert (found["HF_HUB_OFFLINE"], found["PROMETHEUS_MULTIPROC_DIR"]) == ("0", str(tmp_path))
    assert found["PATH"] == os.environ["PATH"]
    assert "LD_PRELOAD" not in found


@pytest.mark.parametrize(
    ("passed_on", "host", "said"),
    [
        (["--model", "x"], "127.0.0.1", "follows from --target"),
        (["--served_model_name=x"], "127.0.0.1", "follows from --model-name"),
        (["--speculative-config.model", "x"], "127.0.0.1", "--draft-length"),
        (["--scheduler-cls=x"], "127.0.0.1", "the engine"),
        (["--generation-config", "auto"], "127.0.0.1", "the engine"),
        ([], "0.0.0.0", KEY_VARIABLE),
    ],
)
def test_options_that_would_undo_the_hardening_or_open_the_server_are_refused(
    passed_on: list[str], host: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        check_passed_on(passed_on, host)


def test_an_address_open_to_the_network_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    check_passed_on(["--api-key", "k", "--tensor-parallel-size", "2", "-O3"], "0.0.0.0")
    monkeypatch.setenv(KEY_VARIABLE, "k")
    check_passed_on([], "0.0.0.0")
