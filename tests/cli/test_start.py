import subprocess
import sys

INTERRUPTED_IMPORT = """
import sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "cyclopts":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
from cosec.cli.start import start

sys.exit(start())
"""


def test_ctrl_c_while_the_command_is_loaded_ends_in_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip(), done.stdout) == (130, "cosec: stopped", "")


def test_nothing_that_takes_time_is_loaded_before_ctrl_c_is_handled() -> None:
    program = (
        "import sys; import cosec.cli.start; print(sorted({'cyclopts', 'rich', 'torch', 'numpy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
