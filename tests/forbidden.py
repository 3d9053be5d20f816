"""Folders that may not be entered, also where the tests run as a user who may enter all."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest


def forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let no file below the folders of this name be looked at, as without their execute permission."""
    look = os.stat

    def refuse(path: Any, **how: Any) -> os.stat_result:
        if not isinstance(path, int) and name in [folder.name for folder in Path(path).absolute().parents]:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return look(path, **how)

    monkeypatch.setattr(os, "stat", refuse)
