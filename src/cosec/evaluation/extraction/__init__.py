"""Extraction: from a model's text to a program. Nothing is run."""

from cosec.evaluation.extraction.chat_answer import judged_parts, program_of
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.extraction.extracted import Extracted

__all__ = ["Extracted", "extract", "judged_parts", "program_of"]
