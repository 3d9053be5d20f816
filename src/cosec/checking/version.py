"""The version of what the checkers of this package find."""

CHECKER_VERSION = 32
"""Version of the checkers' judgement, part of the identity of every recorded study.

Raise it by one, by hand, in each change after which a checker may judge some program differently: a new pattern, a new
table row, a repaired defect. Moving, renaming or documenting code does not raise it.
"""
