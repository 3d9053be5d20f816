"""``cosec frontier``: measure rules at many strengths and draw security against function."""

from __future__ import annotations

from pathlib import Path

from cosec.cli.study import Work, run_study


def frontier(recipe: Path, /, *, out: Path, work: Work = None) -> None:
    """Measure rules at many strengths and draw security against function.

    Args:
        recipe: A TOML file as for ``cosec study``, with [strengths] in place of arms.
        out: Folder of the records; the same command continues what is there.
        work: How completions are computed and judged.
    """
    from cosec.evaluation.report import write_frontier
    from cosec.evaluation.study import StudyFolder, frontier_settings, read_recipe

    results = run_study(read_recipe(recipe, frontier_settings), out, work)
    if results is not None:
        write_frontier(StudyFolder(out), results)
