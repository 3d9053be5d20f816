"""``cosec data stats``: the composition of a set of vulnerability-fix pairs (Fig. 2 of the paper)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from cosec.errors import SettingsError
from cosec.extras import how_to_install

if TYPE_CHECKING:
    from cosec.training.data.composition import Part
    from cosec.training.data.security_pairs import PairSet

data_app = App(name="data", help="Look at training data.")
"""The verb ``cosec data`` with its subcommands."""


@data_app.command
def stats(
    *paths: Path,
    balanced: Annotated[bool, Parameter(negative=())] = False,
    cwe_floor: int = 60,
    language_floor: int = 10,
    seed: int = 0,
    plot: Path | None = None,
    format: Literal["text", "json"] = "text",
) -> None:
    """Show the share of each CWE and language among the training pairs.

    Args:
        paths: Files or folders of pairs in SVEN's JSONL layout; the default is the pairs that come with the package.
        balanced: Also show the pairs after balancing.
        cwe_floor: Minimum number of pairs of a CWE after balancing; pairs are repeated to reach it.
        language_floor: Minimum number of pairs of a language within a CWE after balancing.
        seed: Random seed for the choice of repeated pairs.
        plot: Also draw the shares to this PNG file.
        format: Table or JSON.
    """
    from cosec.training.data.balancing import balance
    from cosec.training.data.composition import composition
    from cosec.training.data.security_pairs import load_pairs, shipped_pairs

    if not balanced and (cwe_floor, language_floor, seed) != (60, 10, 0):
        raise SettingsError("--cwe-floor, --language-floor and --seed say how to balance: add --balanced")
    pairs = load_pairs(paths or [shipped_pairs()], validation_share=0, seed=seed)
    columns = {"before": composition(pairs.training)}
    if balanced:
        after = balance(pairs.training, cwe_floor=cwe_floor, language_floor=language_floor, seed=seed)
        columns["after"] = composition(after)
    if plot is not None:
        _plot(columns, plot)
    if format == "json":
        print(json.dumps(_as_json(pairs, columns)))  # noqa: T201 - the contract
    else:
        _print_table(pairs, columns)


def _plot(columns: Mapping[str, Sequence[Part]], file: Path) -> None:
    from cosec.training.data.composition import draw_composition
    from cosec.training.loop.curves import plots_available

    if not plots_available():
        raise SettingsError(f"--plot needs matplotlib; {how_to_install('plots')}.")
    try:
        draw_composition(columns, file)
    except OSError as error:
        raise SettingsError(f"Cannot write the plot {str(file)!r}: {error.strerror}.") from error


def _as_json(pairs: PairSet, columns: Mapping[str, Sequence[Part]]) -> dict[str, object]:
    return {
        "training_pairs": len(pairs.training),
        "validation_pairs": len(pairs.validation),
        "skipped_equal": pairs.skipped_equal,
        "skipped_shared_commit": pairs.skipped_shared_commit,
        "sha256": pairs.sha256,
        **{name: [asdict(part) for part in parts] for name, parts in columns.items()},
    }


def _print_table(pairs: PairSet, columns: Mapping[str, Sequence[Part]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("CWE", "language", box=None)
    for name in columns if len(columns) > 1 else ("pairs",):
        table.add_column(name, justify="right")
        table.add_column("share", justify="right")
    found = {name: {(part.cwe, part.language): part for part in parts} for name, parts in columns.items()}
    for cwe, language in found["before"]:
        numbers = []
        for parts in found.values():
            part = parts[cwe, language]
            numbers += [str(part.count), f"{part.share:.1%}"]
        table.add_row(cwe, language, *numbers)
    totals = [cell for parts in columns.values() for cell in (str(sum(part.count for part in parts)), "100%")]
    table.add_row("all", "", *totals)
    console = Console()
    console.print(table)
    console.print(
        f"{len(pairs.validation)} validation pairs; left out: {pairs.skipped_equal} with two equal sides,"
        f" {pairs.skipped_shared_commit} validation pairs that share a commit with training",
        soft_wrap=True,
    )
