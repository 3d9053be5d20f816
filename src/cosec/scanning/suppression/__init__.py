"""Suppression comments: people mark a finding as accepted in the source, next to the statement that it is about."""

from cosec.scanning.suppression.suppress import Suppressed, Suppression, Unused, suppress

__all__ = ["Suppressed", "Suppression", "Unused", "suppress"]
