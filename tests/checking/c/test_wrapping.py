"""Sizes of allocations are rewritten so that their overflow shows."""

from __future__ import annotations

from cosec.checking.c.wrapping import with_checked_sizes


def test_the_size_of_an_allocation_is_checked() -> None:
    program = "void *f(int n) { return malloc(n * 4); }"
    assert with_checked_sizes(program) == "void *f(int n) { return malloc(COSEC_MUL(n, 4)); }"


def test_a_program_that_is_nested_too_deeply_stays_as_it_is() -> None:
    program = f"void *f(int n) {{ return malloc({'(' * 2000}n * 4{')' * 2000}); }}"
    assert with_checked_sizes(program) == program
