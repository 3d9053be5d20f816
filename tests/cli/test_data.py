import json

import pytest

from cosec.cli import data as data_verb
from cosec.cli.main import main


def write(file, counts: dict[tuple[str, str], int]) -> None:
    """Pairs with the given CWEs and file names."""
    records = [
        {
            "func_src_before": f"old {number}",
            "func_src_after": f"new {number}",
            "vul_type": cwe,
            "file_name": name,
            "commit_link": f"{cwe}/{name}/{number}",
        }
        for (cwe, name), count in counts.items()
        for number in range(count)
    ]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def pairs(tmp_path):
    file = tmp_path / "pairs.jsonl"
    write(file, {("cwe-089", "a.py"): 70, ("cwe-022", "b.c"): 10})
    return file


def test_json_gives_counts_and_shares(pairs, capsys) -> None:
    assert main(["data", "stats", str(pairs), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["training_pairs"] == 80
    assert shown["before"] == [
        {"cwe": "cwe-022", "language": "c/c++", "count": 10, "share": 0.125},
        {"cwe": "cwe-089", "language": "python", "count": 70, "share": 0.875},
    ]
    assert "after" not in shown


def test_balanced_adds_what_balancing_makes_of_them(pairs, capsys) -> None:
    assert main(["data", "stats", str(pairs), "--balanced", "--cwe-floor", "30", "--format", "json"]) == 0
    after = json.loads(capsys.readouterr().out)["after"]
    assert [part["count"] for part in after] == [30, 70]


def test_the_table_names_weaknesses_and_languages(pairs, capsys) -> None:
    assert main(["data", "stats", str(pairs), "--balanced"]) == 0
    shown = capsys.readouterr().out
    assert "cwe-022" in shown
    assert "87.5%" in shown
    assert "60" in shown


def test_the_table_speaks_of_before_and_after_only_where_both_are_shown(pairs, capsys) -> None:
    assert main(["data", "stats", str(pairs)]) == 0
    assert capsys.readouterr().out.split()[:4] == ["CWE", "language", "pairs", "share"]
    assert main(["data", "stats", str(pairs), "--balanced"]) == 0
    assert capsys.readouterr().out.split()[:6] == ["CWE", "language", "before", "share", "after", "share"]


def test_the_shipped_pairs_are_the_default(capsys) -> None:
    assert main(["data", "stats", "--format", "json"]) == 0
    assert len({part["cwe"] for part in json.loads(capsys.readouterr().out)["before"]}) == 9


def test_plot_draws_a_png(pairs, tmp_path) -> None:
    assert main(["data", "stats", str(pairs), "--balanced", "--plot", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_plot_without_matplotlib_says_how_to_get_it(pairs, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("cosec.training.loop.curves.plots_available", lambda: False)
    assert main(["data", "stats", str(pairs), "--plot", str(tmp_path / "a.png")]) == 2
    assert "pip install '.[plots]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere"], "No pairs at nowhere"),
        (["--cwe-floor", "3"], "add --balanced"),
        (["--plot", "nowhere/a.png"], "Cannot write the plot"),
        (["--blanced"], "--balanced"),
    ],
)
def test_bad_usage_is_one_clear_line(arguments: list[str], complaint: str, capsys) -> None:
    assert main(["data", "stats", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert len(error.splitlines()) == 1


def test_the_verb_is_registered_where_main_looks_for_it() -> None:
    assert data_verb.data_app.name == ("data",)
