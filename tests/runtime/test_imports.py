"""Naming the runtimes is quick: transformers' models are imported only where torch runs them."""

from __future__ import annotations

import subprocess
import sys


def test_a_pair_can_be_completed_in_llama_cpp_without_transformers() -> None:
    program = "import sys, cosec.decoding.completer, cosec.decoding.hardening; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
