import subprocess
import sys
from pathlib import Path

import cosec.vllm_plugin

ROOM = Path(cosec.vllm_plugin.__file__).parent
WITHOUT_VLLM = sorted(
    ".".join(path.relative_to(ROOM.parents[1]).with_suffix("").parts)
    for folder in (ROOM, ROOM / "deciding")
    for path in folder.glob("*.py")
    if path.name != "__init__.py"
)


def test_each_module_can_be_the_first_to_be_imported_and_none_needs_vllm() -> None:
    program = f"""
import importlib, sys
sys.modules["vllm"] = None
for name in {WITHOUT_VLLM!r}:
    for known in [one for one in sys.modules if one.startswith("cosec.vllm_plugin")]:
        del sys.modules[known]
    importlib.import_module(name)
"""
    assert len(WITHOUT_VLLM) > 8
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
