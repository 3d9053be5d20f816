"""Extraction: from a model's text to a program. Nothing is run."""

from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.extraction.extracted import Extracted
from cosec.evaluation.extraction.function_end import FunctionEnd

__all__ = ["Extracted", "FunctionEnd", "extract"]
