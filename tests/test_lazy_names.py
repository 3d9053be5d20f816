"""Public names that are imported when they are first used."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGES = (
    "cosec",
    "cosec.decoding",
    "cosec.decoding.completion",
    "cosec.evaluation.judging",
    "cosec.models",
    "cosec.models.loading",
    "cosec.runtime",
    "cosec.serving",
    "cosec.serving.access",
    "cosec.serving.api",
)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_found(package: str) -> None:
    module = import_module(package)
    assert all(getattr(module, name) is not None for name in module.__all__)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with a module that is imported when its name is used."""
    package = tmp_path / "lazy_shop"
    (package / "goods").mkdir(parents=True)
    (package / "goods" / "fruit.py").write_text("APPLE = 'red'\n")
    (package / "__init__.py").write_text(
        "from cosec.lazy_names import lazy_names\n"
        "__getattr__ = lazy_names(__name__, {'goods.fruit': ('APPLE', 'PEAR')})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "lazy_shop"


def test_a_name_is_imported_when_it_is_used(shop: str) -> None:
    package = import_module(shop)
    assert f"{shop}.goods.fruit" not in sys.modules
    assert package.APPLE == "red"
    with pytest.raises(AttributeError, match="module 'lazy_shop' has no attribute 'PLUM'"):
        _ = package.PLUM
