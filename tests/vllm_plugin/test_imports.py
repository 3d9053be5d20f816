import importlib
import sys
from pathlib import Path

import pytest

import cosec.vllm_plugin

ROOM = Path(cosec.vllm_plugin.__file__).parent
WITHOUT_VLLM = sorted(
    ".".join(path.relative_to(ROOM.parents[1]).with_suffix("").parts)
    for folder in (ROOM, ROOM / "deciding")
    for path in folder.glob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("name", WITHOUT_VLLM)
def test_each_module_can_be_the_first_to_be_imported_and_none_needs_vllm(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    for known in [one for one in sys.modules if one.startswith("cosec.vllm_plugin")]:
        monkeypatch.delitem(sys.modules, known)
    before = set(sys.modules)
    importlib.import_module(name)
    for new in set(sys.modules) - before:
        if new.startswith("cosec.vllm_plugin"):
            del sys.modules[new]
