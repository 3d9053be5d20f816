"""``cosec demo``: complete the demo prompts with the target alone and hardened, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cosec.cli.runtime_flag import Runtime, SecurityCopy, tell
from cosec.cli.text_target import (
    TargetFlags,
    checked_flags,
    pair_or_text,
    target_maker,
    text_completions,
    text_settings,
)
from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.decoding.rules.choice import RuleChoice, refuse_unused_anti_expert
from cosec.errors import SettingsError
from cosec.models.loading.embedded import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.decoding.completer import Completion
    from cosec.decoding.pairing import PreparedPair
    from cosec.decoding.rules.schema import AnyRule
    from cosec.evaluation.judging.prompt_verdict import PromptVerdict
    from cosec.evaluation.tasks.demo_prompts import DemoPrompt


def demo(
    *,
    target: str = DEFAULT_TARGET,
    security: str = "default",
    server: Annotated[TargetFlags | None, Parameter(name="*")] = None,
    anti_expert: str | None = None,
    limit: int | None = None,
    max_new_tokens: int = 96,
    temperature: float = 0.4,
    top_p: float = 0.95,
    rule: Annotated[RuleChoice | None, Parameter(name="*")] = None,
    seed: int = 0,
    dtype: str = "auto",
    runtime: Runtime = "auto",
    security_copy: SecurityCopy = False,
) -> None:
    """Complete the demo prompts with and without hardening, and show both with what the static checks find.

    Args:
        target: The model to harden, or the URL of a server (/v1).
        security: Its security model or adapter.
        server: How a target at a URL is asked.
        anti_expert: An adapter trained on vulnerable code, for ``--rule steer --against anti-expert``.
        limit: Number of prompts; all by default.
        max_new_tokens: Maximum length of a completion, in tokens. It ends earlier where its function ends.
        temperature: Divides the logits, for both completions.
        top_p: Keep the most likely tokens that together reach this probability, for both completions.
        rule: The rule and its settings. Default: the adapter's own rule, else the paper's.
        seed: The same seed gives the same text.
        dtype: auto, float32, bfloat16 or float16.
        runtime: What runs the models.
        security_copy: Whether the security model is a copy with its adapter added.
    """
    if limit is not None and limit < 1:
        raise SettingsError("--limit must be at least 1.")
    load = {"dtype": dtype, "runtime": runtime, "security_copy": security_copy, "anti_expert": anti_expert}
    flags = checked_flags(target, server, load)
    from cosec.cli.views.side_by_side import terminal
    from cosec.decoding.rules.choice import described_rule
    from cosec.evaluation.tasks.demo_prompts import demo_prompts

    sampling: dict[str, object] = {"temperature": temperature, "top_p": top_p, "max_new_tokens": max_new_tokens}
    sampling |= {"seed": seed, "code_end": "function"}
    prompts = demo_prompts()[:limit]
    console = terminal()
    console.print(f"Loading {target} and its security model …")
    given = (rule or RuleChoice()).settings()
    models = _Models(target, security, flags, given, sampling, {**load, "rows": len(prompts)})
    opened = models.opened()
    console.print(
        f"Left: the model alone. Right: the same model hardened by co-decoding ({described_rule(opened.rule)}),\n"
        "same prompt, same seed.\n"
        f"{opened.legend}"
    )
    _show_both(console, prompts, opened)


Complete = Callable[[Sequence[str]], list["Completion"]]
"""Completes prompts, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """Loaded models, and both ways to complete."""

    pair: PreparedPair
    """The models that the marks are read with."""

    rule: AnyRule
    over_text: bool
    """Whether the target is hardened as text."""

    alone: Complete
    hardened: Complete

    @property
    def legend(self) -> str:
        """What marked tokens are."""
        if self.rule.marks_decisions:
            return "Marked tokens are security decisions: there the adapter changes what its base would write."
        if self.over_text and self.rule.name == "threshold":
            return "Marked tokens were put by the security model in place of the model's text."
        return "Marked tokens differ from what the model alone finds most likely at that place."

    def acceptance(self, completions: Sequence[Completion]) -> str:
        """What became of the security model's proposals, or of the target's text."""
        totals = [one.totals for one in completions]
        drafted, changed = sum(one.drafted for one in totals), sum(one.changed for one in totals)
        if not self.over_text:
            accepted = sum(one.accepted for one in totals)
            share = f" ({accepted / drafted:.1%})" if drafted else ""
            return f"Security model's proposals accepted by the target: {accepted} of {drafted}{share}"
        if self.rule.marks_decisions:
            decisions = sum(one.decisions for one in totals)
            return f"Security decisions: {decisions}, of which {changed} changed the text"
        return f"Tokens changed by hardening: {changed} of {sum(one.tokens for one in totals)}"


@dataclass(frozen=True, slots=True)
class _Models:
    """What completes the prompts, and how."""

    target: str
    security: str
    flags: TargetFlags
    """How a target at a URL is asked."""

    rule: Mapping[str, object]
    """The name and settings of a rule that were given; the adapter's own, or the default, for the rest."""

    sampling: Mapping[str, object]
    """How tokens are drawn."""

    load: Mapping[str, Any]
    """How the models are loaded."""

    def opened(self) -> _Opened:
        """Load what the target needs: both models, or the security model for a target that is hardened as text."""
        of_pair = None if is_url(self.target) else self._of_pair
        return pair_or_text(self.security, of_pair, self._of_text, self.load)

    def _of_pair(self) -> _Opened:
        """Load both models."""
        from cosec import load_pair
        from cosec.decoding.completer import Completer
        from cosec.decoding.pairing import carried_rule
        from cosec.decoding.rules.schema import changed_rule
        from cosec.decoding.settings import decoding_settings

        copied = bool(self.load["security_copy"])
        rule = changed_rule(carried_rule(self.target, self.security, security_copy=copied), self.rule)
        settings = decoding_settings(rule, self.sampling)
        pair = load_pair(self.target, self.security, report=tell, **self.load)
        refuse_unused_anti_expert(self.load["anti_expert"], settings.rule)
        alone, both = Completer(pair, settings, alone="target"), Completer(pair, settings)
        return _Opened(pair=pair, rule=settings.rule, over_text=False, alone=alone.complete, hardened=both.complete)

    def _of_text(self) -> _Opened:
        """Load the security model, for a target at a server or with other tokens."""
        from cosec.decoding.blackbox.loading import load_reader

        settings = text_settings(self.target, self.security, self.rule, self.sampling)
        reader = load_reader(self.security, dtype=self.load["dtype"])
        make = target_maker(self.target, self.flags, dtype=self.load["dtype"], runtime=self.load["runtime"])

        def completes(hardened: bool) -> Complete:
            def complete(prompts: Sequence[str]) -> list[Completion]:
                found = text_completions(
                    make, reader, settings, prompts, n=1, rows=8, hardened=hardened, on_failure=self.flags.on_failure
                )
                return sorted(found, key=lambda one: one.prompt_index)

            return complete

        return _Opened(
            pair=reader.pair, rule=settings.rule, over_text=True, alone=completes(False), hardened=completes(True)
        )


@dataclass(frozen=True, slots=True)
class _Arm:
    """The completions of all prompts by one arm, and the time that they took together."""

    completions: Sequence[Completion]
    seconds: float

    @property
    def tokens(self) -> int:
        return sum(one.totals.tokens for one in self.completions)


def _completed(console: Console, name: str, complete: Complete, prompts: Sequence[DemoPrompt]) -> _Arm:
    """Complete all prompts in one batch."""
    console.print(f"Completing {len(prompts)} prompt{'s' * (len(prompts) != 1)}, {name} …")
    started = time.perf_counter()
    completions = complete([prompt.text for prompt in prompts])
    return _Arm(completions, time.perf_counter() - started)


def _show_both(console: Console, prompts: Sequence[DemoPrompt], opened: _Opened) -> None:
    """Complete all prompts in both ways, and show each prompt with both completions, then the totals."""
    arms = [
        _completed(console, name, complete, prompts)
        for name, complete in (("alone", opened.alone), ("hardened", opened.hardened))
    ]
    shown = [
        _show(console, prompt, both, opened.pair)
        for prompt, *both in zip(prompts, *(arm.completions for arm in arms), strict=True)
    ]
    _show_totals(console, arms, shown, opened.acceptance(arms[1].completions))


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
        console.print("Neither has the weakness: there was nothing to harden.")
    return verdicts


def _show_totals(
    console: Console, arms: Sequence[_Arm], shown: Sequence[tuple[PromptVerdict, ...]], acceptance: str
) -> None:
    """Print what the checks found, the acceptance rate, and the time per token relative to the target alone."""
    found = [sum(both[side].insecure for both in shown) for side in range(2)]
    secure = sum(all(verdict.secure for verdict in both) for both in shown)
    per_token = [arm.seconds / max(1, arm.tokens) for arm in arms]
    console.rule("In total", align="left")
    console.print(
        f"The checks find the weakness in {found[0]} of {len(shown)} completions of the model alone, and in "
        f"{found[1]} of {len(shown)} hardened completions. Neither has it for {secure} of {len(shown)} prompts.\n"
        f"{acceptance}.\n"
        f"Time per token: {per_token[0] * 1000:.0f} ms alone, {per_token[1] * 1000:.0f} ms hardened, "
        f"ratio {per_token[1] / per_token[0]:.2f} (batch size {len(shown)}, prefill included)."
    )
