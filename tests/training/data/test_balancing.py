from collections import Counter

import pytest

from cosec.training.data.balancing import balance
from cosec.training.data.security_pairs import SecurityPair


def pair(cwe: str, language: str, number: int) -> SecurityPair:
    origin = f"{cwe}/{language}/{number}"
    return SecurityPair(
        origin=origin, function_name="", cwe=cwe, language=language, commit=origin, before="", after="x", spans=()
    )


def pairs(counts: dict[tuple[str, str], int]) -> list[SecurityPair]:
    return [pair(cwe, language, n) for (cwe, language), count in counts.items() for n in range(count)]


def counted(items: list[SecurityPair]) -> Counter[tuple[str, str]]:
    return Counter((item.cwe, item.language) for item in items)


def test_rare_weaknesses_reach_the_floor_and_frequent_ones_stay() -> None:
    balanced = balance(pairs({("a", "c"): 7, ("b", "c"): 80}), cwe_floor=60, language_floor=0, seed=0)
    assert counted(balanced) == {("a", "c"): 60, ("b", "c"): 80}


def test_every_original_is_kept_in_front_and_in_order() -> None:
    originals = pairs({("a", "c"): 7, ("b", "c"): 3})
    assert balance(originals, cwe_floor=20, language_floor=5, seed=0)[:10] == originals


def test_repeats_are_spread_evenly() -> None:
    repeats = Counter(item.origin for item in balance(pairs({("a", "c"): 7}), cwe_floor=60, language_floor=0, seed=0))
    assert len(repeats) == 7
    assert max(repeats.values()) - min(repeats.values()) == 1


def test_a_rare_language_inside_a_weakness_reaches_its_floor() -> None:
    originals = pairs({("a", "c"): 70, ("a", "python"): 2})
    assert counted(balance(originals, cwe_floor=60, language_floor=10, seed=0)) == {("a", "c"): 70, ("a", "python"): 10}


def test_a_language_that_a_weakness_lacks_is_not_invented() -> None:
    balanced = balance(pairs({("a", "c"): 5, ("b", "python"): 5}), cwe_floor=0, language_floor=10, seed=0)
    assert counted(balanced) == {("a", "c"): 10, ("b", "python"): 10}


def test_the_same_seed_gives_the_same_repeats_and_another_seed_others() -> None:
    originals = pairs({("a", "c"): 40})
    first, again, other = (balance(originals, cwe_floor=60, language_floor=0, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("items", [[], pairs({("a", "c"): 3})])
def test_floors_of_zero_change_nothing(items: list[SecurityPair]) -> None:
    assert balance(items, cwe_floor=0, language_floor=0, seed=0) == items
