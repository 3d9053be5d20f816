"""What is decided is counted, full acceptance included, and reaches the process that answers /metrics."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from cosec.vllm_plugin.deciding.counters import Counters
from cosec.vllm_plugin.deciding.decision import NO_TOKEN, Decided
from cosec.vllm_plugin.deciding.watch import Watch
from tests.vllm_plugin.deciding.test_verification import drafting, run

TARGET = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]]).log().expand(3, 2, 3)
"""The most likely tokens are 1 and then 0, in three rows of two places."""


def values(registry: CollectorRegistry) -> dict[str, float]:
    """Each counter's value by its name, with the label if it has one."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    samples = [sample for family in families for sample in family.samples if sample.name.endswith("_total")]
    return {"".join([one.name, *one.labels.values()]): one.value for one in samples}


def decided(gated: torch.Tensor | None = None) -> Decided:
    """A row that is accepted in full, one with a replacement, and one whose draft had one token."""
    return Decided(token_ids=torch.tensor([[1, 0], [1, 2], [2, NO_TOKEN]]), accepted=[2, 1, 1], gated=gated)


def test_accepted_replaced_and_changed_tokens_are_counted() -> None:
    counters = Counters()
    counters.note(TARGET, decided())
    assert values(counters.registry) == {
        "cosec_tokens_totalsecurity": 4,
        "cosec_tokens_totaltarget": 1,
        "cosec_draft_tokens_total": 5,
        "cosec_accepted_tokens_total": 4,
        "cosec_changed_tokens_total": 2,
        "cosec_decision_tokens_total": 0,
    }


def test_decisions_are_counted_where_a_token_was_decided() -> None:
    counters = Counters()
    counters.note(TARGET, decided(torch.tensor([[True, False], [False, False], [True, True]])))
    assert values(counters.registry)["cosec_decision_tokens_total"] == 2


def test_every_verified_step_is_counted_but_for_those_of_the_start_up_check() -> None:
    made = drafting(rule="speculative")
    made.counters = Counters()
    tokens = int((run(made, {"a": 3, "b": 2, "c": 0}).token_ids != NO_TOKEN).sum())
    assert values(made.counters.registry)["cosec_draft_tokens_total"] == tokens
    made.watch = Watch()
    run(made, {"a": 3, "b": 2, "c": 0})
    assert values(made.counters.registry)["cosec_draft_tokens_total"] == tokens


WORKER = """
import torch
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from cosec.vllm_plugin.deciding.counters import Counters
from cosec.vllm_plugin.deciding.decision import Decided
for worker in range(2):
    tokens, scores = torch.tensor([[1, 0]]), torch.tensor([[[0.1, 0.9], [0.8, 0.2]]]).log()
    Counters().note(scores, Decided(token_ids=tokens, accepted=[2], gated=None))
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""
"""Counts as a worker does, and then reads the folder as the process does that answers /metrics."""


@pytest.mark.slow
def test_counters_reach_the_process_that_answers_through_a_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", WORKER], env=environment, check=True, capture_output=True, text=True)
    assert "cosec_accepted_tokens_total 4.0" in ran.stdout
    assert 'cosec_tokens_total{source="target"} 0.0' in ran.stdout
    assert "cosec_changed_tokens_total 0.0" in ran.stdout
