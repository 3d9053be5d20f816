import pytest

from cosec.training.data.composition import composition, draw_composition
from cosec.training.data.security_pairs import SecurityPair


def pair(cwe: str, language: str) -> SecurityPair:
    return SecurityPair(
        origin="", function_name="", cwe=cwe, language=language, commit="", before="", after="x", spans=()
    )


PAIRS = [pair("cwe-089", "python"), pair("cwe-022", "python"), pair("cwe-022", "c/c++"), pair("cwe-022", "python")]


def test_pairs_are_counted_by_weakness_and_language() -> None:
    parts = [(part.cwe, part.language, part.count, part.share) for part in composition(PAIRS)]
    assert parts == [
        ("cwe-022", "c/c++", 1, 0.25),
        ("cwe-022", "python", 2, 0.5),
        ("cwe-089", "python", 1, 0.25),
    ]


@pytest.mark.parametrize("columns", [("before",), ("before", "after")])
def test_the_figure_is_a_picture(tmp_path, columns: tuple[str, ...]) -> None:
    draw_composition({name: composition(PAIRS) for name in columns}, tmp_path / "shares.png")
    assert (tmp_path / "shares.png").read_bytes().startswith(b"\x89PNG")
