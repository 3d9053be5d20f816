from __future__ import annotations

import subprocess
import sys

import pytest

import cosec.decoding


def test_every_public_name_can_be_imported() -> None:
    assert {name for name in cosec.decoding.__all__ if getattr(cosec.decoding, name, None) is None} == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = cosec.decoding.nothing


def test_settings_do_not_import_torch() -> None:
    code = "import sys; from cosec.decoding import DecodingSettings, TokenRecord; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
