"""The package's public names: present, loaded on first use, and documented in docs/api.md."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import cosec

DOCUMENTS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", cosec.__all__)
def test_every_public_name_exists_and_is_listed(name: str) -> None:
    assert getattr(cosec, name) is not None
    assert name in dir(cosec)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'hardened'"):
        cosec.hardened  # noqa: B018
    with pytest.raises(ImportError):
        from cosec import hardened  # noqa: F401


def test_importing_the_package_and_its_settings_does_not_import_torch() -> None:
    program = (
        "import sys, cosec\n"
        "cosec.DecodingSettings(rule=cosec.SteerSettings(strength=3.0))\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_api_document_is_what_the_docstrings_say() -> None:
    built = runpy.run_path(str(DOCUMENTS / "build_api.py"))["build"]()
    assert (DOCUMENTS / "api.md").read_text(encoding="utf-8") == built, "run `make docs` and commit docs/api.md"


def test_the_api_document_has_every_public_name() -> None:
    text = (DOCUMENTS / "api.md").read_text(encoding="utf-8")
    for name in set(cosec.__all__) - {"__version__"}:
        assert f"### `{name}`\n" in text, name
