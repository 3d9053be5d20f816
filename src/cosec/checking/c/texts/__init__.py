"""Texts in C: where they come from, what is looked at, and where they can do harm."""
