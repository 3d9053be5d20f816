"""The engine: a batch of sequences that both models decode together, block by block."""

from cosec.decoding.engine.run import Emission, Run, SequenceRequest

__all__ = ["Emission", "Run", "SequenceRequest"]
