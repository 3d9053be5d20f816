"""The weaknesses that the flow checker looks for, one module a pattern."""

from cosec.checking.python.sinks.observer import SinkObserver

__all__ = ["SinkObserver"]
