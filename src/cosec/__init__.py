"""CoSec: make any served code LLM write safer code by co-decoding it with a small security model."""

__version__ = "0.1.0"
