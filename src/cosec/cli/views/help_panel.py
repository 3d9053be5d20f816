"""The flags of a verb, as ``--help`` shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from cyclopts.help.specs import ColumnSpec
    from rich.console import Console, ConsoleOptions


def whole_flags(console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
    """Print a panel of flags with a first column in which each flag is whole; cyclopts would break a long one.

    Args:
        console: Where to print.
        options: How wide it is.
        panel: The flags.
    """
    from cyclopts.help import DefaultFormatter
    from cyclopts.help.specs import NameRenderer, get_default_parameter_columns

    def columns(console: Console, options: ConsoleOptions, entries: list[HelpEntry]) -> tuple[ColumnSpec, ...]:
        longest = max((len(flag) for entry in entries for flag in entry.all_options), default=0)
        width = longest + len("  ")  # the indent of a flag's further lines

        def wide(column: ColumnSpec) -> ColumnSpec:
            if not isinstance(column.renderer, NameRenderer) or width <= (column.max_width or width):
                return column
            return column.copy(renderer=NameRenderer(max_width=width), max_width=width)

        return tuple(map(wide, get_default_parameter_columns(console, options, entries)))

    DefaultFormatter(column_specs=columns)(console, options, panel)
