"""Every examination that a pair allows is made, and what does not fit is named."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cosec.decoding import selftest
from cosec.decoding.blackbox.examination import _whose
from cosec.decoding.blackbox.targets.openai_server import ServerAddress
from cosec.decoding.examination import examine, examine_server
from cosec.decoding.examined import Examined
from cosec.errors import VocabularyMismatch
from cosec.models.identity import model_fingerprint
from tests.decoding.blackbox.fake_server import FakeServer, running
from tests.tiny import save_tiny, save_tiny_adapter, save_tiny_prefix

REAL_LAW_SELFTEST = selftest.law_selftest


@pytest.fixture(autouse=True)
def quick_law(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The law's self-test has tests of its own; one test here runs the real one."""
    passed = selftest.SelfTest(passed=True, summary="the law holds")
    monkeypatch.setattr(selftest, "law_selftest", lambda: passed)
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return save_tiny("llama", tmp_path / "target")


def by_subject(findings: list[Examined]) -> dict[str, Examined]:
    subjects = {finding.subject: finding for finding in findings}
    assert len(subjects) == len(findings)
    return subjects


def test_a_pair_of_models_is_examined(target: Path, tmp_path: Path) -> None:
    security = save_tiny("llama", tmp_path / "security", seed=4, layers=1, head_width=336)
    found = by_subject(examine(str(target), str(security), "auto"))
    assert list(found) == ["target", "security", "rules", "vocabulary", "memory", "law"]
    assert all(finding.good for finding in found.values())
    assert "deepseek-coder" in found["target"].text
    assert "context 128" in found["target"].text
    assert found["vocabulary"].text == "320 tokens agree one by one (heads are 320 and 336 wide)"
    assert found["law"].text == "the law holds"


def test_an_adapter_of_the_target_shares_weights_and_doubles_the_cache(target: Path, tmp_path: Path) -> None:
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    alone = by_subject(examine(str(target), "none", "auto"))
    found = by_subject(examine(str(target), str(adapter), "auto"))
    assert list(found) == ["target", "adapter", "rules", "rule", "vocabulary", "memory", "law"]
    assert "threshold 0.3" in found["rule"].text
    assert "the paper's" in found["rule"].text
    assert "changes 8 linear maps and fits" in found["adapter"].text
    assert "no fingerprint is recorded" in found["adapter"].text
    assert "held once" in found["memory"].text
    # 2 layers x (keys and values) x 2 heads x 8 numbers x 4 bytes = 256 bytes a token; 25 x 1000 tokens = 6.1 MiB.
    assert "(25 completions of 1000 tokens: 6 MiB)" in alone["memory"].text
    assert "(25 completions of 1000 tokens: 12 MiB)" in found["memory"].text


def test_a_prefix_of_the_target_shares_weights_and_has_a_cache_of_its_own(target: Path, tmp_path: Path) -> None:
    found = by_subject(examine(str(target), str(save_tiny_prefix(target, tmp_path / "prefix")), "auto"))
    assert list(found) == ["target", "security", "memory", "law"]
    assert "a prefix of 3 virtual tokens, fits the keys and values of" in found["security"].text
    assert "(25 completions of 1000 tokens: 12 MiB)" in found["memory"].text
    assert all(finding.good for finding in found.values())


def test_a_prefix_that_does_not_fit_fails(target: Path, tmp_path: Path) -> None:
    wide = save_tiny("llama", tmp_path / "wide", hidden=64)
    folder = save_tiny_prefix(wide, tmp_path / "prefix")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(target)}))
    found = by_subject(examine(str(target), str(folder), "auto"))
    assert not found["security"].good
    assert "does not fit" in found["security"].text


def test_half_the_width_takes_half_the_cache(target: Path) -> None:
    assert "3 MiB)" in by_subject(examine(str(target), "none", "bfloat16"))["memory"].text


def test_the_rule_that_an_adapter_carries_is_told_or_refused(target: Path, tmp_path: Path) -> None:
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    (adapter / "rule.toml").write_text('[rule]\nname = "steer"\nstrength = 1.5\n')
    assert by_subject(examine(str(target), str(adapter), "auto"))["rule"].text == (
        "rule steer, strength 1.5, against base, security_floor 0.0: the adapter's own"
    )
    (adapter / "rule.toml").write_text("")
    assert not by_subject(examine(str(target), str(adapter), "auto"))["rule"].good


def test_a_recorded_fingerprint_is_told(target: Path, tmp_path: Path) -> None:
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    manifest = {"base_model": {"name": str(target), "sha256": model_fingerprint(target)}}
    (adapter / "manifest.json").write_text(json.dumps(manifest))
    assert by_subject(examine(str(target), str(adapter), "auto"))["adapter"].text.endswith("its recorded base")


def test_an_adapter_of_another_base_is_examined_on_its_base(target: Path, tmp_path: Path) -> None:
    other = save_tiny("llama", tmp_path / "other", hidden=16)
    adapter = save_tiny_adapter(other, tmp_path / "adapter")
    found = by_subject(examine(str(target), str(adapter), "auto"))
    assert all(finding.good for finding in found.values())
    assert f"to be merged into {other}" in found["security"].text
    assert "held once" not in found["memory"].text


def test_different_vocabularies_fail_but_the_rest_is_still_examined(target: Path, tmp_path: Path) -> None:
    security = save_tiny("qwen2", tmp_path / "security")
    found = by_subject(examine(str(target), str(security), "auto"))
    assert [subject for subject, finding in found.items() if not finding.good] == ["vocabulary"]
    assert "Token 1 means" in found["vocabulary"].text
    assert "memory" in found


def test_an_adapter_that_does_not_fit_fails(target: Path, tmp_path: Path) -> None:
    adapter = save_tiny_adapter(save_tiny("llama", tmp_path / "wide", hidden=64), tmp_path / "adapter")
    manifest = {"base_model": {"name": "target", "sha256": model_fingerprint(target)}}
    (adapter / "manifest.json").write_text(json.dumps(manifest))
    found = by_subject(examine(str(target), str(adapter), "auto"))
    assert [subject for subject, finding in found.items() if not finding.good] == ["adapter"]
    assert "another base" in found["adapter"].text or "it was made for" in found["adapter"].text


def test_a_missing_security_model_is_a_finding(target: Path) -> None:
    found = by_subject(examine(str(target), "./nowhere", "auto"))
    assert not found["security"].good
    assert "nowhere" in found["security"].text


def test_a_missing_target_is_a_finding_and_the_law_is_still_tested() -> None:
    found = by_subject(examine("./nowhere", "none", "auto"))
    assert list(found) == ["target", "law"]
    assert not found["target"].good


def test_the_real_law_holds_here(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "law_selftest", REAL_LAW_SELFTEST)
    law = by_subject(examine(str(target), "none", "auto"))["law"]
    assert law.good
    assert "closed form" in law.text


def test_an_adapter_of_another_vocabulary_hardens_the_target_as_text(target: Path, tmp_path: Path) -> None:
    stranger = save_tiny("llama", tmp_path / "stranger", corpus="an entirely different corpus of words\n" * 9)
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    found = {one.subject: one for one in examine(str(stranger), str(adapter), "float32", "torch")}
    assert all(one.good for one in found.values())
    assert "hardens the target as text" in found["vocabulary"].text
    assert found["rules"].text.startswith("gate and steer, as the two models have different tokens")
    assert "plausibility_floor 0.0" in found["rule"].text
    (adapter / "rule.toml").write_text('[rule]\nname = "steer"\nstrength = 1.5\n')
    carried = {one.subject: one for one in examine(str(stranger), str(adapter), "float32", "torch")}
    assert carried["rule"].text == "rule steer, strength 1.5, against base, security_floor 0.0: the adapter's own"


def test_a_file_of_another_vocabulary_is_hardened_as_text_too(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(target: str, security: str) -> None:
        raise VocabularyMismatch("Token 0 differs.")

    chosen = SimpleNamespace(name="llama.cpp", measured=False, security_copy=False, reason="told")
    monkeypatch.setattr("cosec.decoding.runtime_choice.choose_runtime", lambda *_, **__: chosen)
    monkeypatch.setattr("cosec.models.loading.quantised.load_gguf_pair", differ)
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    found = {one.subject: one for one in examine("m.gguf", str(adapter), "auto")}
    assert all(one.good for one in found.values())
    assert found["vocabulary"].text == "Token 0 differs. With this one CoSec hardens the target as text"
    assert found["rules"].text.startswith("gate and steer")
    whole = {one.subject: one for one in examine("m.gguf", str(target), "auto")}
    assert not whole["vocabulary"].good


@pytest.mark.parametrize(
    ("rule", "whose"),
    [
        ('name = "gate"', "the adapter's own, without a floor"),
        ('name = "threshold"', "the default here; --rule threshold chooses the adapter's own"),
        ('name = "steer"', "the default here; the adapter's own, steer, cannot be used, as a server gives at most"),
    ],
)
def test_why_an_adapters_own_rule_does_not_apply_at_a_server_is_told(
    target: Path, tmp_path: Path, rule: str, whose: str
) -> None:
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    (adapter / "rule.toml").write_text(f"[rule]\n{rule}\n")
    found = by_subject(examine_server(ServerAddress(url="http://127.0.0.1:9/v1"), str(adapter)))
    assert f": {whose}" in found["rule"].text


@pytest.mark.parametrize(
    ("floor", "told"),
    [("0.1", ", without its floor, which text does not allow, and so at most at strength 1"), ("0.0", "")],
)
def test_a_rule_that_loses_its_floor_over_text_is_told(floor: str, told: str) -> None:
    own = {"name": "steer", "security_floor": float(floor)}
    assert _whose(own, "steer", in_process=True) == f"the adapter's own{told}"


def test_a_security_model_that_does_not_exist_is_named_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosec.runtime.llama_cpp_is_installed", lambda: True)
    (tmp_path / "m.gguf").touch()
    found = by_subject(examine(str(tmp_path / "m.gguf"), "nothing", "auto"))
    assert "There is no model 'nothing'" in found["security"].text
    assert not found["security"].good


def test_a_server_is_examined_with_its_adapter(target: Path, tmp_path: Path) -> None:
    adapter = save_tiny_adapter(target, tmp_path / "adapter")
    with running(FakeServer(lambda _: "x")) as server:
        found = {one.subject: one for one in examine_server(ServerAddress(url=server.url), str(adapter))}
    assert found["target"].text == f"fake at {server.url}"
    assert found["chats"].text.startswith("hardened")
    assert found["floor"].text.startswith("any plausibility floor")
    assert found["rules"].text.endswith("not threshold: the server's tokens differ from those of the security model")
    with running(FakeServer(lambda _: "x", continues=False, scores="shifted")) as anew:
        found = {one.subject: one for one in examine_server(ServerAddress(url=anew.url), str(adapter))}
    assert found["floor"].text.startswith("a plausibility floor of 0 only")
    assert found["chats"].text.startswith("not hardened: the server begins a new answer")
    assert found["rules"].text.startswith("gate alone")
    assert "not threshold: the server gives no log-probabilities of a prompt" in found["rules"].text
    assert found["rule"].text.endswith("plausibility_floor 0.0: the default here, as the adapter carries none")
    gone = {one.subject: one for one in examine_server(ServerAddress(url="http://127.0.0.1:9/v1"), str(target))}
    assert [subject for subject, one in gone.items() if not one.good] == ["target", "security"]
