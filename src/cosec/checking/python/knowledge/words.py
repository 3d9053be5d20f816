"""Tables of names, written as running text."""


def words(text: str) -> frozenset[str]:
    """The words of ``text``."""
    return frozenset(text.split())
