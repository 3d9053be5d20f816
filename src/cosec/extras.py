"""How to install the packages that only a part of the program needs."""


def how_to_install(extra: str) -> str:
    """Say how to install one of the extras that pyproject.toml lists, as the end of a message.

    Args:
        extra: The extra's name.
    """
    return f"install the extra {extra!r}: pip install '.[{extra}]' in a clone of the repository"
