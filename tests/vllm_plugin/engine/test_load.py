"""Many requests in little memory: none is lost, and no token goes out that was not drafted and decided.

With COSEC_VLLM_RECORD=FOLDER each run writes what was counted to a file there.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from cosec.evaluation.environment import environment
from cosec.files import write_atomically
from cosec.vllm_plugin import VLLM_VERSION
from tests.vllm_plugin.engine.engines import engine, generate
from tests.vllm_plugin.engine.prompts import prompt_ids

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(3600), pytest.mark.filterwarnings("ignore")]

_logger = logging.getLogger(__name__)
REQUESTS = int(os.environ.get("COSEC_VLLM_REQUESTS", "200"))
TOKENS = int(os.environ.get("COSEC_VLLM_TOKENS", "32"))
RECORD = os.environ.get("COSEC_VLLM_RECORD")
BLOCK = 32
"""Tokens in a block of the key-value cache."""


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Count from outside, at vLLM's own scheduler, what is emitted and on what grounds."""
    from vllm.v1.core.sched.scheduler import Scheduler

    counts = {"tokens": 0, "unscreened": 0, "preemptions": 0, "steps": 0, "cached": 0, "chunks": 0}
    update, preempt = Scheduler.update_from_output, Scheduler._preempt_request

    @wraps(update)  # the plugin checks signatures
    def updated(self: Any, scheduled: Any, made: Any) -> Any:
        counts["steps"] += 1
        for request_id, row in made.req_id_to_index.items():
            tokens = made.sampled_token_ids[row] if made.sampled_token_ids else []
            drafted = scheduled.scheduled_spec_decode_tokens.get(request_id, [])
            counts["tokens"] += len(tokens)
            counts["unscreened"] += max(0, len(tokens) - len(drafted))
            counts["chunks"] += not drafted
        for new in scheduled.scheduled_new_reqs:
            counts["cached"] += new.num_computed_tokens
        return update(self, scheduled, made)

    @wraps(preempt)
    def preempted(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts["preemptions"] += 1
        return preempt(self, *args, **kwargs)

    Scheduler.update_from_output, Scheduler._preempt_request = updated, preempted
    try:
        yield counts
    finally:
        Scheduler.update_from_output, Scheduler._preempt_request = update, preempt


def long_prompts(count: int) -> list[list[int]]:
    """Prompts of different lengths, of which many share a beginning longer than a block."""
    shared = [token for prompt in prompt_ids(10) for token in prompt][: 2 * BLOCK]
    return [[*(shared if number % 2 else shared[:7]), *one] for number, one in enumerate(prompt_ids(count))]


@pytest.mark.parametrize("prefix_caching", [True, False])
def test_no_token_is_unscreened_and_no_request_lost(prefix_caching: bool) -> None:
    from vllm import SamplingParams

    prompts = long_prompts(REQUESTS)
    params = [
        SamplingParams(max_tokens=TOKENS, temperature=0.8, top_p=0.95, seed=number, ignore_eos=True)
        for number in range(REQUESTS)
    ]
    options = {
        "enable_prefix_caching": prefix_caching,
        "block_size": BLOCK,
        "max_num_seqs": 64,
        "max_num_batched_tokens": 64 * 6,  # prompts are read in pieces beside running requests
        "num_gpu_blocks_override": 64,  # room for about 20 of these requests at once
    }
    with counted() as counts, engine("mild", 4, **options) as llm:
        texts = [samples[0] for samples in generate(llm, prompts, params)]
    with engine("mild", 4, enable_prefix_caching=False) as llm:
        alone = [samples[0] for samples in generate(llm, prompts[:10], params[:10])]
    equal = sum(one == other for one, other in zip(texts, alone, strict=False))
    _logger.info("prefix caching %s: %s, %d of %d texts equal", prefix_caching, counts, equal, len(alone))
    if RECORD:
        record = {
            "command": f"COSEC_VLLM_RECORD=DIR python -m pytest -m vllm {Path(__file__).name} -k {prefix_caching}",
            "engine": options,
            "requests": REQUESTS,
            "tokens of each": TOKENS,
            "whole texts": sum(len(text) == TOKENS for text in texts),
            "counts": counts,
            "texts equal to those of an engine with room for all": [equal, len(alone)],
            "environment": environment() | {"vllm": VLLM_VERSION},
        }
        name = "load-with-cached-prefixes" if prefix_caching else "load-without-cached-prefixes"
        write_atomically(Path(RECORD) / f"{name}.json", json.dumps(record) + "\n")
    assert [len(text) for text in texts] == [TOKENS] * REQUESTS
    # A token that is drawn when its request has already ended is not part of it.
    assert counts["tokens"] >= TOKENS * REQUESTS
    assert counts["unscreened"] == 0
    assert counts["preemptions"] > 0, counts
    assert counts["chunks"] > REQUESTS, "each prompt is read before its last token"
    assert (counts["cached"] > 0) == prefix_caching
    # What was preempted and read again is the text that an engine with room for all writes.
    assert equal >= 9
