"""``cosec pipeline``: align, tune and evaluate from one recipe; finished stages are skipped."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cosec.cli.launching.stages import Stage, plan_stages, record_stage, resumed, state_of
from cosec.sandbox import BackendName, choose_sandbox


def pipeline(
    recipe: Path,
    /,
    *,
    out: Path,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    sandbox: BackendName | None = None,
) -> None:
    """Run all stages of a recipe one after the other: prune, align, tune, evaluate.

    Each stage is an ordinary command in a process of its own. A stage that has finished with the same inputs is
    skipped. One that stopped early continues from its last checkpoint. File names in the recipe are relative to the
    working folder.

    Args:
        recipe: A TOML file with the tables [prune], [align], [tune] and [[evaluate]], whose entries are the flags of
            these commands.
        out: Folder of the pipeline, with a folder for each stage.
        dry_run: Show what would run, and stop.
        sandbox: What isolates the programs that evaluations run: bubblewrap (the default), or resource limits alone.
    """
    from rich.console import Console

    from cosec.cli.launching.processes import run_alone
    from cosec.training.settings import read_recipe

    console = Console()
    stages = plan_stages(read_recipe(str(recipe), "pipeline"), out)
    for stage in stages:
        _check_flags(stage)
    if sandbox is not None:
        choose_sandbox(sandbox)  # the stages inherit it
    undone = False
    for stage in stages:
        # The output of an unfinished stage does not exist yet, so it cannot be compared.
        state = "new" if undone and dry_run else state_of(stage)
        undone = undone or state != "done"
        command = resumed(stage) if state == "begun" else stage.command
        word = {"done": "done already", "begun": "continues", "new": "runs"}[state]
        console.print(f"{stage.name} {word}: cosec {shlex.join(command)}", soft_wrap=True, highlight=False)
        if state == "done" or dry_run:
            continue
        record_stage(stage, "begun")
        code = run_alone(command)
        if code:
            console.print(f"{stage.name} ended with code {code}; run the same command to go on", highlight=False)
            sys.exit(code if code > 0 else 1)
        record_stage(stage, "done")


def _check_flags(stage: Stage) -> None:
    """Parse the flags with the command's own parser before anything runs.

    Raises:
        CycloptsError: As on the command line.
    """
    from cosec.cli.main import app

    app.parse_args(list(stage.command), exit_on_error=False, print_error=False)
