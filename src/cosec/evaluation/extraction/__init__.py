"""Extraction: from a model's raw text to a program."""
