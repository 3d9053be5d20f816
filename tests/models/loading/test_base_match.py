"""Whether an adapter was made for a target is told before weights are loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cosec.errors import ModelError
from cosec.models.loading.base_match import shares_weights
from cosec.models.loading.quantised import export_adapter
from tests.models.gguf_pair import GgufFiles, gguf_files, record_fingerprint


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GgufFiles:
    monkeypatch.setenv("COSEC_CACHE", str(tmp_path / "cache"))
    return gguf_files(tmp_path)


def test_an_adapter_shares_the_weights_of_its_base_alone(files: GgufFiles, tmp_path: Path) -> None:
    recorded = str(shutil.copytree(files.adapter, tmp_path / "recorded"))
    record_fingerprint(recorded, files.target)
    exported = str(tmp_path / "adapter.gguf")
    export_adapter(Path(files.adapter), Path(exported), {})
    for adapter in (files.adapter, recorded, exported):
        assert shares_weights(files.target, adapter)
        assert not shares_weights(files.security, adapter)
    assert not shares_weights(files.target, files.other_adapter)


def test_no_security_model_and_a_whole_one_share_nothing(files: GgufFiles) -> None:
    assert not shares_weights(files.target, "none")
    assert not shares_weights(files.target, files.security)


def test_the_shipped_adapter_belongs_to_the_embedded_model_that_it_was_trained_on() -> None:
    assert shares_weights("smollm2-135m", "default")


def test_a_target_that_does_not_exist_is_named(files: GgufFiles) -> None:
    with pytest.raises(ModelError, match="no-such-model"):
        shares_weights("no-such-model", files.adapter)
