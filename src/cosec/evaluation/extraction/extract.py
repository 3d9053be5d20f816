"""Extract a program from a model's raw text: cut where its code ends, parse, normalise, look for the sink.

``python_program.py`` and ``c_program.py`` hold what depends on the language. Nothing is run.
"""

from __future__ import annotations

from collections.abc import Collection

from cosec.checking.patterns import Language
from cosec.evaluation.extraction.extracted import Extracted
from cosec.evaluation.extraction.python_program import extract_python


def extract(prompt: str, completion: str, *, language: Language, sinks: Collection[str] = ()) -> Extracted:
    """Cut ``completion`` where its code ends (`code_of`: a fence, or the end of the function), and analyse the rest.

    A completion that stopped at its token limit keeps its complete statements. Its open blocks are closed, which adds
    nothing that has an effect. Text that does not parse or is nested too deeply is a ``problem``, never an empty
    program.

    Args:
        prompt: The text that the model continued.
        completion: The text that the model wrote.
        language: Of both.
        sinks: What counts as engaged; see `Scenario.sinks`.
    """
    try:
        if language == "py":
            return extract_python(prompt, completion, sinks)
        from cosec.evaluation.extraction.c_program import extract_c  # tree-sitter is needed for C only

        return extract_c(prompt, completion, sinks)
    except (RecursionError, MemoryError):
        return Extracted(program=prompt + completion, problem="nested too deeply to be read")
