"""Evaluation: measuring speed, security and function. Knows nothing about HTTP."""
