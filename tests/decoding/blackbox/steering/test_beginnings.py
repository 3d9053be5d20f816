from cosec.decoding.blackbox.steering.beginnings import Beginnings


def found(beginnings: Beginnings, begun: bytes, token: int) -> set[int]:
    return set(beginnings.of(begun, token).tolist())


def test_tokens_are_found_by_the_bytes_that_they_begin_with() -> None:
    beginnings = Beginnings([b"re", b"read", b"rea", b"", b"rf", b"\xff", b"\xff\xff", b"r"])
    assert found(beginnings, b"re", 0) == {0, 1, 2}
    assert found(beginnings, b"r", 7) == {0, 1, 2, 4, 7}
    assert found(beginnings, b"\xff", 5) == {5, 6}


def test_the_given_token_is_always_among_them() -> None:
    beginnings = Beginnings([b"re", b"", b"x"])
    assert found(beginnings, b"re", 1) == {0, 1}
    assert found(beginnings, b"nothing", 2) == {2}
