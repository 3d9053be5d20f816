"""vLLM as the engine: prepare the models, start vLLM's own OpenAI server with our rule in it, and watch over it."""

from cosec.serving.vllm.command import VllmServer, check_passed_on, vllm_server
from cosec.serving.vllm.interpreter import VllmPython, find_vllm
from cosec.serving.vllm.models import VllmModels, prepare_models
from cosec.serving.vllm.process import run_until_ended

__all__ = [
    "VllmModels",
    "VllmPython",
    "VllmServer",
    "check_passed_on",
    "find_vllm",
    "prepare_models",
    "run_until_ended",
    "vllm_server",
]
