"""A missing or foreign llama.cpp is told in one line, with the remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from cosec.errors import SettingsError
from cosec.runtime.llama_cpp import binding


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    binding.library.cache_clear()
    yield
    binding.library.cache_clear()


def test_a_missing_package_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "is_installed", lambda: False)
    with pytest.raises(SettingsError, match=r"pip install '\.\[llama\]'.*or choose --runtime torch"):
        binding.library()


def test_a_library_of_another_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "is_installed", lambda: True)
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(SettingsError, match=r"cannot be loaded.*build it again on this machine"):
        binding.library()


@pytest.mark.parametrize(("told", "amx"), [(b"AVX2 = 1 | AMX_INT8 = 1 | ", True), (b"AVX2 = 1 | ", False)])
def test_amx_is_read_from_the_librarys_description(monkeypatch: pytest.MonkeyPatch, told: bytes, amx: bool) -> None:
    monkeypatch.setattr(binding.library(), "llama_print_system_info", lambda: told)
    assert binding.uses_amx() is amx
