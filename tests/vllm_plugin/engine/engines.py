"""vLLM engines with the plugin, in this process, so that tests can look inside."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cosec.vllm_plugin import PluginSettings, engine_options
from tests.vllm_plugin.engine.models import model_folder

CONTEXT = 512


@contextmanager
def engine(
    security: str, draft_length: int, settings: PluginSettings | None = None, target: str = "target", **options: Any
) -> Iterator[Any]:
    """An engine for a target and one of its changed copies."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from vllm import LLM
    from vllm.distributed import cleanup_dist_env_and_memory

    chosen = {
        "dtype": "float32",
        "max_model_len": CONTEXT,
        "enforce_eager": True,
        "max_num_seqs": 128,
        "max_num_batched_tokens": 2048,
        **engine_options(model_folder(security), draft_length, settings or PluginSettings()),
        **options,
    }
    llm = LLM(model=model_folder(target), **chosen)
    try:
        yield llm
    finally:
        llm.llm_engine.engine_core.shutdown()
        del llm
        cleanup_dist_env_and_memory()
        gc.collect()


def generate(llm: Any, prompts: Sequence[Sequence[int]], params: Any) -> list[list[list[int]]]:
    """The tokens of each sample of each prompt."""
    outputs = llm.generate([{"prompt_token_ids": list(prompt)} for prompt in prompts], params, use_tqdm=False)
    return [[list(sample.token_ids) for sample in output.outputs] for output in outputs]
