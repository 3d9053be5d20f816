"""Checking C: static analysis, and runs under the sanitizers."""
