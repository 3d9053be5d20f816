"""Where a test runs: always on the processor, and with ``-m gpu`` on a CUDA device too."""

from __future__ import annotations

import pytest

DEVICES = ("cpu", pytest.param("cuda", marks=pytest.mark.gpu))
