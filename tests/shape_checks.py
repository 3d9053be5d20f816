"""Checks the shapes in annotations in the first calls of each test; later calls repeat them for every token.

A function inside a checked function is decorated anew in each call, which takes milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from beartype import beartype
from jaxtyping import config


class Budget:
    """How many more calls are checked."""

    calls = 500
    """Of one test."""

    left: float = math.inf

    def renew(self, *, whole: bool) -> None:
        """Begin a test, of which all calls are checked if it is ``whole``."""
        self.left = math.inf if whole else self.calls
        config.update("jaxtyping_disable", False)

    def spend(self) -> None:
        """Count a call."""
        self.left -= 1
        if self.left == 0:
            config.update("jaxtyping_disable", True)


BUDGET = Budget()


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with checks of its arguments; jaxtyping calls it where an annotation has a shape."""
    checking = beartype(function)

    @wraps(checking)
    def call(*arguments: Any, **named: Any) -> Any:
        BUDGET.spend()
        return checking(*arguments, **named)

    return call
