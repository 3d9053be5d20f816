"""Engines in which the law could not hold do not start, and one that breaks it does not pass the start-up check."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from cosec.errors import SettingsError
from cosec.vllm_plugin import PluginSettings, command_line, engine_options, installation
from cosec.vllm_plugin.self_check import LawBroken, check_law
from cosec.vllm_plugin.settings import CONFIG_KEY
from tests.vllm_plugin.engine.engines import engine
from tests.vllm_plugin.engine.models import model_folder
from tests.vllm_plugin.engine.prompts import prompt_ids

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800), pytest.mark.filterwarnings("ignore")]


def drafting(**changed: Any) -> dict[str, Any]:
    options = {"model": model_folder("mild"), "method": "draft_model", "num_speculative_tokens": 2}
    return {"speculative_config": {**options, "draft_sample_method": "probabilistic", **changed}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (drafting(draft_sample_method="greedy"), "probabilistic"),
        ({"worker_extension_cls": ""}, "worker_extension_cls"),
        ({"scheduler_cls": None}, "scheduler_cls"),
        ({"additional_config": {}}, "no settings"),
        ({"additional_config": {CONFIG_KEY: {"rule": {"name": "gate"}}}}, "base"),
        ({"additional_config": {CONFIG_KEY: {"rules": {}}}}, "rules"),
        ({"logprobs_mode": "processed_logprobs"}, "raw_logprobs"),
        ({"max_num_batched_tokens": 511, "max_num_seqs": 128}, "max_num_batched_tokens"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_engine_in_which_the_law_could_not_hold_does_not_start(options: dict[str, Any], said: str) -> None:
    with pytest.raises((SettingsError, ValueError), match=said), engine("mild", 2, **options):
        pass


def test_the_server_names_what_is_wrong_in_one_line_before_it_starts_an_engine() -> None:
    options = engine_options(model_folder("short-mild"), 2, PluginSettings())
    flags = ["--model", model_folder("short"), "--pipeline-parallel-size", "2", *command_line(options)]
    command = [sys.executable, "-m", "cosec.vllm_plugin.server", *flags]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 2
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("error: CoSec's rules cannot hold in this engine:")
    assert "--pipeline-parallel-size 1" in last


def test_another_version_of_vllm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "vllm_version", lambda: "0.33.0")
    with pytest.raises(SettingsError, match=r"this is 0\.33\.0"):
        installation.install()


def test_a_changed_function_of_vllm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosec.vllm_plugin.engine import internals

    changed = {"Scheduler.update_from_output": (lambda self, output: None, "self, scheduler_output, output")}
    monkeypatch.setattr(internals.changed_signatures, "__defaults__", (changed,))
    with pytest.raises(SettingsError, match=r"Scheduler\.update_from_output"):
        installation.install()


def test_the_second_runner_of_the_installed_version_is_the_one_that_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.v1.worker.gpu import model_runner

    from cosec.vllm_plugin.engine import internals

    runner = model_runner.GPUModelRunner
    for owner, name in ((model_runner, "init_speculator"), (runner, "sample"), (runner, "add_requests")):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back after the test
    monkeypatch.setattr(runner, "cosec_installed", False, raising=False)
    internals.install_in_second_runner()
    assert runner.cosec_installed
    assert runner.sample.__module__ == internals.__name__


class LocalEngine:
    """The engine of this process as the check sees it."""

    def __init__(self, llm: Any) -> None:
        self.llm = llm
        self.prompts = prompt_ids(6)

    async def call_workers(self, method: str) -> list[list[Any]]:
        return [self.llm.collective_rpc(method)]

    async def first_tokens(self, prompt: Sequence[int], rule: dict[str, Any], count: int) -> list[list[int]]:
        from vllm import SamplingParams

        params = SamplingParams(n=count, max_tokens=2, seed=0, ignore_eos=True, extra_args=rule)
        (output,) = self.llm.generate([{"prompt_token_ids": prompt}], params, use_tqdm=False)
        return [list(sample.token_ids) for sample in output.outputs]

    async def logprob_after(self, prompt: Sequence[int], token: int) -> float:
        from vllm import SamplingParams

        asked = SamplingParams(max_tokens=1, prompt_logprobs=0)
        (output,) = self.llm.generate([{"prompt_token_ids": [*prompt, token]}], asked, use_tqdm=False)
        return float(output.prompt_logprobs[-1][token].logprob)


def test_the_check_passes_and_notices_a_rule_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosec.vllm_plugin.engine import internals

    with engine("strong", 2, PluginSettings(base="target")) as llm:
        asyncio.run(check_law(LocalEngine(llm), with_base=True))
        sampled = internals._sampled

        def target_alone(runner: Any, logits: Any, metadata: Any) -> Any:
            output = sampled(runner, logits, metadata)
            drawn = logits[metadata.target_logits_indices].float().softmax(-1).multinomial(1)[:, 0]
            rows = [row for row, length in enumerate(metadata.num_draft_tokens) for _ in range(length)]
            for row, token in reversed(list(zip(rows, drawn.tolist(), strict=True))):
                output.sampled_token_ids[row, 0] = token
                output.sampled_token_ids[row, 1:] = -1
            return output

        monkeypatch.setattr(internals, "_sampled", target_alone)
        with pytest.raises(LawBroken, match="do not follow"):
            asyncio.run(check_law(LocalEngine(llm), with_base=False))
