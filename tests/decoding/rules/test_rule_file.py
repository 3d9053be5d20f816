from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cosec.decoding.rules.rule_file import own_rule, read_rule, rule_on, unamplified
from cosec.errors import SettingsError


def test_a_rule_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "rule.toml"
    path.write_text('# why\n[rule]\nname = "gate"\nstrength = 0.2\n', encoding="utf-8")
    assert read_rule(path) == {"name": "gate", "strength": 0.2}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[rule", "Cannot read"),
        ('name = "gate"\n', "one table"),
        ('[rule]\nname = "gate"\n[other]\n', "one table"),
        ('[rule]\nname = "nope"\n', "no rule 'nope'"),
        ('[rule]\nname = "steer"\nthreshold = 0.3\n', "threshold"),
        ('[rule]\nname = "steer"\nstrength = -1\n', "strength"),
    ],
)
def test_what_is_no_rule_is_refused_by_the_files_name(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "rule.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=complaint) as refused:
        read_rule(path)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"rule.toml': No such file or directory\.$"):
        read_rule(tmp_path / "rule.toml")


def test_a_folder_without_a_rule_carries_none(tmp_path: Path) -> None:
    assert own_rule(tmp_path) == {}
    (tmp_path / "rule.toml").write_text('[rule]\nname = "steer"\n', encoding="utf-8")
    assert own_rule(tmp_path) == {"name": "steer"}


BOTH = '[rule]\nname = "steer"\nstrength = 1.0\n[rule.shared_weights]\n{}\n'


def test_an_adapter_may_carry_a_rule_for_its_own_base(tmp_path: Path) -> None:
    (tmp_path / "rule.toml").write_text(BOTH.format('name = "gate"\nstrength = 0.2'), encoding="utf-8")
    own = own_rule(tmp_path)
    assert rule_on(own, shared_weights=False) == {"name": "steer", "strength": 1.0}
    assert rule_on(own, shared_weights=True) == {"name": "gate", "strength": 0.2}
    assert rule_on({"name": "steer"}, shared_weights=True) == {"name": "steer"}
    with pytest.raises(SettingsError, match="second rule, for shared weights"):
        read_rule(tmp_path / "rule.toml")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [(BOTH.format('name = "nope"'), "no rule 'nope'"), ("[rule]\nshared_weights = 1.5\n", "must be a table")],
)
def test_a_mistaken_rule_for_shared_weights_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "rule.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=complaint):
        own_rule(tmp_path)


@pytest.mark.parametrize(
    ("adapter", "record", "shared"),
    [
        ("smollm2-135m", "calibration", True),
        ("qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b-calibration", True),
        ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b-floor/calibration", False),
    ],
)
def test_a_shipped_adapter_carries_the_rule_that_was_calibrated(adapter: str, record: str, shared: bool) -> None:
    repository = Path(__file__).parents[3]
    shipped = repository / "src" / "cosec" / "data" / "adapters" / adapter
    recorded = repository / "docs" / "results" / record
    assert rule_on(own_rule(shipped), shared_weights=shared) == read_rule(recorded / "rule.toml")
    models = json.loads((recorded / "manifest.json").read_text(encoding="utf-8"))["identity"]["models"]
    weights = (shipped / "adapter_model.safetensors").read_bytes()
    assert models["adapter"] == hashlib.sha256(weights).hexdigest()


@pytest.mark.parametrize(
    ("rule", "limited"),
    [
        ({"name": "steer", "strength": 2.0, "security_floor": 0.1}, {"name": "steer", "strength": 1.0}),
        ({"name": "steer"}, {"name": "steer", "strength": 1.0}),
        ({"name": "steer", "strength": 0.5, "security_floor": 0.1}, {"name": "steer", "strength": 0.5}),
        ({"name": "gate", "strength": 2.0}, {"name": "gate", "strength": 2.0}),
        ({}, {}),
    ],
)
def test_only_steering_is_limited_to_what_the_adapter_learned(
    rule: dict[str, object], limited: dict[str, object]
) -> None:
    assert unamplified(rule) == limited
