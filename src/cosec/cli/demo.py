"""``cosec demo``: complete the demo prompts with the target alone and hardened, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosec.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.decoding.completer import Completion
    from cosec.decoding.pairing import PreparedPair
    from cosec.evaluation.tasks.demo_prompts import DemoPrompt


def demo(
    *,
    target: str = "smollm2-135m",
    security: str = "default",
    limit: int | None = None,
    max_new_tokens: int = 64,
    temperature: float = 0.4,
    top_p: float = 0.95,
    threshold: float | None = None,
    seed: int = 0,
) -> None:
    """Complete the demo prompts with and without hardening, and show both.

    Args:
        target: The model to harden.
        security: Its security model or adapter.
        limit: Number of prompts; all by default.
        max_new_tokens: Maximum length of a completion, in tokens.
        temperature: Divides the logits, for both completions.
        top_p: Keep the most likely tokens that together reach this probability, for both completions.
        threshold: Use the paper's rule with this threshold. Default: the adapter's own rule, else the paper's with 0.3.
        seed: The same seed gives the same text.
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
    settings = decoding_settings(changed_rule(carried_rule(target, security), rule), sampling)
    prompts = demo_prompts()[:limit]
    console = terminal()
    console.print(f"Loading {target} and its security model …")
    pair = load_pair(target, security)
    console.print(
        f"Left: the model alone. Right: the same model hardened by co-decoding ({described_rule(settings.rule)}),\n"
        "same prompt, same seed.\n"
        "Marked tokens differ from what the model alone finds most likely at that place."
    )
    origin, hardened = (Completer(pair, settings, alone=alone) for alone in ("target", None))
    pairs = []
    for prompt in prompts:
        both = origin.complete([prompt.text])[0], hardened.complete([prompt.text])[0]
        _show(console, prompt, both, pair)
        pairs.append(both)
    _show_totals(console, pairs)


def _show(console: Console, prompt: DemoPrompt, both: tuple[Completion, Completion], pair: PreparedPair) -> None:
    from cosec.cli.views.side_by_side import panel, side_by_side
    from cosec.decoding.completion.spans import spans_of

    console.rule(f"{prompt.title} · {prompt.language} · {prompt.cwe}", align="left")
    console.print(prompt.text.rpartition("\n")[0], style="dim", markup=False)
    console.print(f"→ {prompt.look_for}", style="italic", markup=False)
    views = []
    for name, completion in zip(("origin", "hardened"), both, strict=True):
        totals = completion.totals
        footer = f"{totals.tokens} tokens in {completion.seconds:.1f} s, {totals.changed} marked"
        if totals.drafted:
            footer += f", {totals.accepted}/{totals.drafted} proposals accepted"
        tail = prompt.text.rpartition("\n")[2]
        views.append(panel(name, tail, spans_of(completion, pair.tokenizer), footer, colour=console.is_terminal))
    console.print(side_by_side(*views))


def _show_totals(console: Console, pairs: Sequence[tuple[Completion, Completion]]) -> None:
    """Print the acceptance rate over all prompts, and the time per token relative to the target alone."""
    seconds_per_token = [
        sum(completion.seconds for completion in arm) / sum(completion.totals.tokens for completion in arm)
        for arm in zip(*pairs, strict=True)
    ]
    totals = [hardened.totals for _, hardened in pairs]
    drafted = sum(one.drafted for one in totals)
    accepted = sum(one.accepted for one in totals)
    console.rule("In total", align="left")
    console.print(
        f"{len(pairs)} prompts.\n"
        f"Security model's proposals accepted by the target: {accepted} of {drafted} ({accepted / drafted:.1%}).\n"
        f"Time per token: {seconds_per_token[0] * 1000:.0f} ms alone, {seconds_per_token[1] * 1000:.0f} ms hardened, "
        f"ratio {seconds_per_token[1] / seconds_per_token[0]:.2f} (prefill included)."
    )
