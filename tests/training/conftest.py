"""Shapes in the losses' jaxtyping annotations are checked in every test of this room."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jaxtyping import install_import_hook

install_import_hook(
    [
        "cosec.training.losses.security",
        "cosec.training.losses.fused_security",
        "cosec.training.losses.distillation",
        "cosec.training.losses.top_tokens",
    ],
    "beartype.beartype",
)


def _function(number: int, arguments: str) -> str:
    return f"def find_{number}(cursor, name):\n    cursor.execute({arguments})\n    return {number}\n"


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A pair in SVEN's layout, different for each number."""
    return {
        "func_name": f"find_{number}",
        "func_src_before": _function(number, "'SELECT ' + name"),
        "func_src_after": _function(number, "'SELECT ?', (name,)"),
        "vul_type": "cwe-089",
        "file_name": "app/find.py",
        "commit_link": f"example.org/commit/{number}",
        **changes,
    }


def write_pair_set(folder: Path, *, training: Sequence[int], validation: Sequence[int]) -> Path:
    """Write pairs of these numbers below ``train/`` and ``val/``."""
    for part, numbers in (("train", training), ("val", validation)):
        (folder / part).mkdir()
        (folder / part / "a.jsonl").write_text("".join(json.dumps(record(number)) + "\n" for number in numbers))
    return folder


def curve_points(folder: Path) -> list[dict[str, Any]]:
    """The points of a run's curves without the time they took."""
    lines = (folder / "curves.jsonl").read_text(encoding="utf-8").splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]


@pytest.fixture
def write_pairs(tmp_path: Path) -> Callable[[str, Sequence[Mapping[str, Any]]], Path]:
    """Writes records to a JSONL file below the test's folder and returns its path."""

    def write(name: str, records: Sequence[Mapping[str, Any]]) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
        return file

    return write


def without_pictures(*modules: ModuleType) -> Iterator[None]:
    """For a fixture: nothing is drawn by these modules, as that takes longer than to train tiny models."""
    with pytest.MonkeyPatch.context() as patched:
        for module in modules:
            patched.setattr(module, "plots_available", lambda: False)
        yield
