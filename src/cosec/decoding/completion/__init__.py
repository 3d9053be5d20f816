"""Completions: the text and the token records of one sequence as they grow, and when it ends."""

from cosec.decoding.completion.growing import EndConditions, FinishReason, GrowingCompletion, Growth, Watcher
from cosec.decoding.completion.text import TextStream

__all__ = ["EndConditions", "FinishReason", "GrowingCompletion", "Growth", "TextStream", "Watcher"]
