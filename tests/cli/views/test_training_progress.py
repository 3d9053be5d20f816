import io
from pathlib import Path

from rich.console import Console

from cosec.cli.views.training_progress import TerminalProgress, show_result
from cosec.training.hardening import HardeningResult
from cosec.training.loop.checkpoint import RunState

FOLDER = Path("runs/[lr=1e-4]")


def test_brackets_in_the_name_of_the_output_folder_are_shown() -> None:
    console = Console(file=io.StringIO(), width=200)
    TerminalProgress(console).saved(FOLDER)
    state = RunState(best_epoch=1)
    show_result(console, "adapter", HardeningResult(folder=FOLDER, state=state, interrupted=False, curves_drawn=True))
    saved, _, made = console.file.getvalue().splitlines()
    assert saved == f"checkpoint {FOLDER}"
    assert made == f"adapter in {FOLDER}, from epoch 1"
