"""``cosec demo``: complete the demo prompts with the target alone and hardened, side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosec.cli.runtime_flag import Runtime
from cosec.errors import SettingsError
from cosec.models.loading.embedded import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.decoding.completer import Completer, Completion
    from cosec.decoding.pairing import PreparedPair
    from cosec.evaluation.judging.prompt_verdict import PromptVerdict
    from cosec.evaluation.tasks.demo_prompts import DemoPrompt


def demo(
    *,
    target: str = DEFAULT_TARGET,
    security: str = "default",
    limit: int | None = None,
    max_new_tokens: int = 96,
    temperature: float = 0.4,
    top_p: float = 0.95,
    threshold: float | None = None,
    seed: int = 0,
    dtype: str = "auto",
    runtime: Runtime = "auto",
) -> None:
    """Complete the demo prompts with and without hardening, and show both with what the static checks find.

    Args:
        target: The model to harden.
        security: Its security model or adapter.
        limit: Number of prompts; all by default.
        max_new_tokens: Maximum length of a completion, in tokens. It ends earlier where its function ends.
        temperature: Divides the logits, for both completions.
        top_p: Keep the most likely tokens that together reach this probability, for both completions.
        threshold: Use the paper's rule with this threshold. Default: the adapter's own rule, else the paper's with 0.3.
        seed: The same seed gives the same text.
        dtype: auto, float32, bfloat16 or float16.
        runtime: What runs the models.
    """
    if limit is not None and limit < 1:
        raise SettingsError("--limit must be at least 1.")
    from cosec import load_pair
    from cosec.cli.views.side_by_side import terminal
    from cosec.decoding.completer import Completer
    from cosec.decoding.pairing import carried_rule
    from cosec.decoding.rules.choice import described_rule
    from cosec.decoding.rules.schema import changed_rule
    from cosec.decoding.settings import decoding_settings
    from cosec.evaluation.tasks.demo_prompts import demo_prompts

    sampling = {"temperature": temperature, "top_p": top_p, "max_new_tokens": max_new_tokens, "seed": seed}
    rule = {} if threshold is None else {"threshold": threshold}
    chosen = changed_rule(carried_rule(target, security), rule)
    settings = decoding_settings(chosen, {**sampling, "code_end": "function"})
    prompts = demo_prompts()[:limit]
    console = terminal()
    console.print(f"Loading {target} and its security model …")
    pair = load_pair(target, security, dtype=dtype, runtime=runtime)
    console.print(
        f"Left: the model alone. Right: the same model hardened by co-decoding ({described_rule(settings.rule)}),\n"
        "same prompt, same seed.\n"
        "Marked tokens differ from what the model alone finds most likely at that place."
    )
    arms = [
        _completed(console, "alone", Completer(pair, settings, alone="target"), prompts),
        _completed(console, "hardened", Completer(pair, settings), prompts),
    ]
    shown = [
        _show(console, prompt, both, pair)
        for prompt, *both in zip(prompts, *(arm.completions for arm in arms), strict=True)
    ]
    _show_totals(console, arms, shown)


@dataclass(frozen=True, slots=True)
class _Arm:
    """The completions of all prompts by one arm, and the time that they took together."""

    completions: Sequence[Completion]
    seconds: float

    @property
    def tokens(self) -> int:
        return sum(one.totals.tokens for one in self.completions)


def _completed(console: Console, name: str, completer: Completer, prompts: Sequence[DemoPrompt]) -> _Arm:
    """Complete all prompts in one batch."""
    console.print(f"Completing {len(prompts)} prompts, {name} …")
    started = time.perf_counter()
    completions = completer.complete([prompt.text for prompt in prompts])
    return _Arm(completions, time.perf_counter() - started)


def _show(
    console: Console, prompt: DemoPrompt, both: Sequence[Completion], pair: PreparedPair
) -> tuple[PromptVerdict, ...]:
    """Show both completions of a prompt, and return what the checks say about each."""
    from cosec.cli.views.side_by_side import panel, side_by_side
    from cosec.decoding.completion.spans import spans_of
    from cosec.evaluation.judging.prompt_verdict import prompt_verdict

    console.rule(f"{prompt.title} · {prompt.language} · {prompt.cwe}", align="left")
    console.print(prompt.text.rpartition("\n")[0], style="dim", markup=False)
    console.print(f"→ {prompt.look_for}", style="italic", markup=False)
    views, verdicts = [], tuple(prompt_verdict(prompt, completion.text) for completion in both)
    for name, completion, verdict in zip(("origin", "hardened"), both, verdicts, strict=True):
        totals = completion.totals
        footer = f"{totals.tokens} tokens, {totals.changed} marked"
        if totals.drafted:
            footer += f", {totals.accepted}/{totals.drafted} proposals accepted"
        tail = prompt.text.rpartition("\n")[2]
        title = f"{name} ─ {verdict.text}"
        views.append(panel(title, tail, spans_of(completion, pair.tokenizer), footer, colour=console.is_terminal))
    console.print(side_by_side(*views))
    if all(verdict.secure for verdict in verdicts):
        console.print("Both are secure already: there was nothing to harden.")
    return verdicts


def _show_totals(console: Console, arms: Sequence[_Arm], shown: Sequence[tuple[PromptVerdict, ...]]) -> None:
    """Print what the checks found, the acceptance rate, and the time per token relative to the target alone."""
    found = [sum(both[side].insecure for both in shown) for side in range(2)]
    secure = sum(all(verdict.secure for verdict in both) for both in shown)
    per_token = [arm.seconds / max(1, arm.tokens) for arm in arms]
    totals = [one.totals for one in arms[1].completions]
    drafted, accepted = sum(one.drafted for one in totals), sum(one.accepted for one in totals)
    console.rule("In total", align="left")
    console.print(
        f"{len(shown)} prompts. The checks find the weakness in {found[0]} completions of the model alone and in "
        f"{found[1]} hardened ones; in {secure} cases both sides are secure.\n"
        f"Security model's proposals accepted by the target: {accepted} of {drafted} ({accepted / drafted:.1%}).\n"
        f"Time per token: {per_token[0] * 1000:.0f} ms alone, {per_token[1] * 1000:.0f} ms hardened, "
        f"ratio {per_token[1] / per_token[0]:.2f} ({len(shown)} prompts at once, prefill included)."
    )
