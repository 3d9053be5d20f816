"""Checking Python: taint analysis of whole programs."""
