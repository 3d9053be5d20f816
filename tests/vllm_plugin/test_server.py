"""The server's module is the first that its process imports."""

import subprocess
import sys


def test_the_server_can_be_the_first_module_that_is_imported() -> None:
    program = "import cosec.vllm_plugin.server"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
