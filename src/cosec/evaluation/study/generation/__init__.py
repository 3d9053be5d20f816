"""Generation: completions for a study, from models in this process or from a served model."""

from cosec.evaluation.study.generation.endpoint import EndpointGenerator
from cosec.evaluation.study.generation.generator import Generator, LocalGenerator
from cosec.evaluation.study.generation.models import CompletionSource, completion_source
from cosec.evaluation.study.generation.recorded import RecordedSource

__all__ = [
    "CompletionSource",
    "EndpointGenerator",
    "Generator",
    "LocalGenerator",
    "RecordedSource",
    "completion_source",
]
