import io

from rich.console import Console

from cosec.cli.views.report_tables import ReportText


def test_names_that_do_not_fit_are_folded_and_not_cut() -> None:
    arms = ["gate:strength=0.1,decision=steered", "gate:strength=0.1,decision=security"]
    rows = "".join(f"| {arm} | 12.5 [10.0, 15.0] | 12.5 [10.0, 15.0] |\n" for arm in arms)
    console = Console(file=io.StringIO(), width=50)
    console.print(ReportText(f"| arm | works and secure | works |\n|---|---|---|\n{rows}"))
    shown = console.file.getvalue()
    names = "".join(line.split("  ")[0].strip() for line in shown.splitlines())
    assert all(arm in names for arm in arms)
