"""Pages of a mapped file are released, and their values can be read again."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cosec.runtime.mapped_pages import drop_file, drop_pages, mapped_ranges

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

NUMBERS = 1 << 20


def resident_kib(address: int) -> int:
    """Resident memory of the mapping that holds an address."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            start, end = (int(part, 16) for part in head.split("-"))
            inside = start <= address < end
        elif inside and head == "Rss:":
            return int(line.split()[1])
    raise AssertionError("no such mapping")


def test_the_memory_of_a_mapped_weight_is_released_and_its_values_stay_readable(tmp_path: Path) -> None:
    expected = torch.arange(NUMBERS, dtype=torch.float32)
    save_file({"weight": expected}, tmp_path / "model.safetensors")
    weight = load_file(tmp_path / "model.safetensors")["weight"]
    assert float(weight.sum()) == float(expected.sum())
    before = resident_kib(weight.data_ptr())
    drop_pages(weight, mapped_ranges())
    assert resident_kib(weight.data_ptr()) < before / 2
    assert torch.equal(weight, expected)


def test_the_memory_of_a_whole_file_is_released(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(bytes(range(256)) * 4096)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert sum(content[::1024]) == 0
        address = mapped_ranges(str(file))[0][0]
        before = resident_kib(address)
        drop_file(file)
        assert resident_kib(address) < before / 2
        assert content[:256] == bytes(range(256))


def test_memory_that_is_not_mapped_from_a_file_is_left_alone() -> None:
    weight = torch.arange(NUMBERS, dtype=torch.float32)
    drop_pages(weight, mapped_ranges())
    assert torch.equal(weight, torch.arange(NUMBERS, dtype=torch.float32))
