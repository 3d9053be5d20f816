"""Sampling: distributions over next tokens, and the random numbers that tokens are drawn with."""

from cosec.decoding.sampling.distributions import (
    TokenDistribution,
    Warping,
    most_likely,
    raw_distribution,
    warped_distribution,
)

__all__ = ["TokenDistribution", "Warping", "most_likely", "raw_distribution", "warped_distribution"]
