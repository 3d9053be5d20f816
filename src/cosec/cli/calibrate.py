"""``cosec calibrate``: choose a rule and its strength within a budget of function."""

from __future__ import annotations

from pathlib import Path

from cosec.cli.study import Work, run_study
from cosec.errors import SettingsError


def calibrate(recipe: Path, /, *, out: Path, budget: float = 1.0, work: Work = None) -> None:
    """Choose a rule and its strength on validation scenarios, within a budget of function; write it as a recipe.

    Args:
        recipe: As for ``cosec frontier``; its scenarios should be the validation split.
        out: Folder of the records, of the curve (``frontier-NAME.csv`` of the benchmark NAME) and of ``rule.toml``, for
            cosec generate --recipe.
        budget: Points of pass@1 that the choice may cost against origin, as measured.
        work: How completions are computed and judged.
    """
    from rich.console import Console

    from cosec.decoding.rules.rule_file import RULE_FILE
    from cosec.evaluation.report import choose, rule_toml, write_frontier
    from cosec.evaluation.study import StudyFolder, calibration_settings, read_recipe
    from cosec.files import USUAL, write_atomically

    settings = read_recipe(recipe, calibration_settings)
    judged = [one.name for one in settings.benchmarks if one.scenarios is not None]
    if len(judged) != 1:
        raise SettingsError(
            f"A rule is chosen on one benchmark of scenarios; {recipe} has {', '.join(judged) or 'none'}."
        )
    solved = [one.name for one in settings.benchmarks if one.problems is not None]
    if len(solved) > 1:
        raise SettingsError(f"Function is compared on one benchmark of problems; {recipe} has {', '.join(solved)}.")
    other = next((arm.name for arm in settings.decoding_arms() if arm.security is not None), None)
    if other is not None:
        raise SettingsError(
            f"The arm {other!r} names a security model of its own, which rule.toml cannot; set security in the recipe."
        )
    results = run_study(settings, out, work)
    if results is None:
        return
    # The folder may hold other arms, such as those of another security model, which rule.toml cannot name.
    points = [one for one in write_frontier(StudyFolder(out), results) if one.arm in settings.arms]
    choice = choose(points, budget=budget / 100)
    write_atomically(out / RULE_FILE, rule_toml(choice, results), mode=USUAL)
    Console().print(f"{choice.reason}\nrecipe: {out / RULE_FILE}", soft_wrap=True, highlight=False)
