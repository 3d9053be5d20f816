"""Losses: plain formulas and their fused implementations."""
