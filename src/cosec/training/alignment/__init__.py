"""Alignment, phase 1: distil a small model from a larger one of its family."""
