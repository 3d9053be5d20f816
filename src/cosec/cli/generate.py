"""``cosec generate``: complete prompts with the hardened model, the target alone, or both side by side."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from cosec.cli.launching.collector import without_garbage_collection
from cosec.cli.runtime_flag import LoadFlags, tell
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
from cosec.decoding.rules.rule_file import read_rule
from cosec.decoding.rules.schema import changed_rule, rule_name
from cosec.decoding.settings import DecodingSettings, SamplingSettings, decoding_settings
from cosec.errors import PromptError, SettingsError
from cosec.files import is_unicode
from cosec.models.loading.embedded import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cosec.decoding.completer import Completion
    from cosec.decoding.pairing import PreparedPair

Format = Literal["text", "json", "html"]
"""Output formats."""

Arm = Literal["origin", "hardened"]
"""``origin``: the target alone; ``hardened``: co-decoded."""


def generate(
    source: Annotated[Literal["-"] | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    prompt_file: Sequence[Path] = (),
    prompt: Annotated[Sequence[str], Parameter(allow_leading_hyphen=True)] = (),
    target: str = DEFAULT_TARGET,
    security: str = "default",
    server: Annotated[TargetFlags | None, Parameter(name="*")] = None,
    anti_expert: str | None = None,
    sampling: Annotated[SamplingSettings | None, Parameter(name="*")] = None,
    rule: Annotated[RuleChoice | None, Parameter(name="*")] = None,
    recipe: Path | None = None,
    n: int = 1,
    batch_rows: int = 32,
    compare: Annotated[bool, Parameter(negative=())] = False,
    format: Format = "text",
    trace: Path | None = None,
    target_records: bool | None = None,
    load: Annotated[LoadFlags | None, Parameter(name="*")] = None,
) -> None:
    """Complete prompts with a hardened model.

    Args:
        source: ``-`` reads one prompt from standard input.
        prompt_file: A file whose whole text is a prompt; repeatable.
        prompt: A prompt; repeatable.
        target: The model to harden: an embedded name, a hub id, a folder, a GGUF file or the URL of a server (/v1).
        security: Its security model or adapter. ``none``: the target alone; ``default``: what ships for the target.
        server: How a target at a URL is asked.
        anti_expert: An adapter trained on vulnerable code, for ``--rule steer --against anti-expert``.
        sampling: How tokens are drawn.
        rule: The rule and its settings. Default: the adapter's own rule, else the paper's.
        recipe: A TOML file with a rule's settings under [rule], as ``cosec calibrate`` writes it. Flags override it.
        n: Completions for each prompt.
        batch_rows: Completions decoded at once.
        compare: Also complete with the target alone, with the same prompts, sampling and seed.
        format: ``json`` prints an object per line as completions finish; ``html`` prints one self-contained page.
        trace: File to write one JSON line per token to.
        target_records: Run the target even where it changes no token, to mark changes. Default: text, html, --trace.
        load: How the models are loaded.
    """
    rule, sampling, load = rule or RuleChoice(), sampling or SamplingSettings(), load or LoadFlags()
    others = {**load.model_dump(), "anti_expert": anti_expert, "draft_length": sampling.draft_length}
    others["target_records"] = target_records
    server = checked_flags(target, server, others)
    _refuse_without_effect(rule, recipe, security, n, batch_rows, compare)
    _refuse_untraced(sampling, trace)
    prompts = read_prompts(source, prompt_file, prompt)
    arms: list[Arm] = ["origin"] if security == "none" else ["origin", "hardened"] if compare else ["hardened"]
    marks = target_records if target_records is not None else trace is not None or format != "json"
    run = _Run(prompts, arms, n, batch_rows, load, marks)
    of_text = partial(run.of_text, target, security, server, rule, recipe, sampling)
    settings = None if is_url(target) else _settings(rule, recipe, sampling, target, security, load)
    of_pair = None if settings is None else partial(run.of_pair, target, security, anti_expert, settings)
    with _trace_file(trace) as trace_file:
        pair, completed = pair_or_text(security, of_pair, of_text, others)
        _print(format, _traced(completed, trace_file, pair), prompts, pair, len(arms))


@dataclass(frozen=True, slots=True)
class _Run:
    """What is completed, and how."""

    prompts: Sequence[str]
    arms: Sequence[Arm]
    n: int
    rows: int
    load: LoadFlags
    """How the models are loaded."""

    target_records: bool
    """Whether to ask the target also where it changes no token."""

    def of_pair(
        self, target: str, security: str, anti_expert: str | None, settings: DecodingSettings
    ) -> tuple[PreparedPair, Iterator[tuple[Arm, Completion]]]:
        """The models, and the completions of a pair with one vocabulary."""
        with without_garbage_collection():
            from cosec import load_pair

            pair = load_pair(
                target,
                security,
                anti_expert=anti_expert,
                rows=min(self.rows, self.n * len(self.prompts)),
                report=tell,
                **self.load.model_dump(),
            )
        refuse_unused_anti_expert(anti_expert, settings.rule)
        return pair, self._completed(pair, settings)

    def _completed(self, pair: PreparedPair, settings: DecodingSettings) -> Iterator[tuple[Arm, Completion]]:
        """Yield each completion when it is finished."""
        from cosec.decoding.completer import Completer

        for arm in self.arms:
            alone: Literal["target"] | None = "target" if arm == "origin" else None
            completer = Completer(pair, settings, alone=alone, rows=self.rows, target_records=self.target_records)
            for piece in completer.stream(self.prompts, n=self.n):
                if piece.completion is not None:
                    yield arm, piece.completion

    def of_text(
        self,
        target: str,
        security: str,
        server: TargetFlags,
        rule: RuleChoice,
        recipe: Path | None,
        sampling: SamplingSettings,
    ) -> tuple[PreparedPair, Iterator[tuple[Arm, Completion]]]:
        """The security model with its base, and the completions of a target that gives text."""
        from cosec.decoding.blackbox.loading import load_reader

        if sampling.top_logprobs:
            raise SettingsError(
                "--top-logprobs records no alternatives of a target that is hardened as text: leave it out, or use 0."
            )
        security = "default" if security == "none" else security
        load = self.load
        given = rule.settings() if recipe is None else _changed_recipe(recipe, rule)
        settings = text_settings(target, security, given, sampling.model_dump())
        reader = load_reader(security, dtype=load.dtype, device_map=load.device_map)
        make = target_maker(target, server, dtype=load.dtype, device_map=load.device_map, runtime=load.runtime)

        def completed() -> Iterator[tuple[Arm, Completion]]:
            for arm in self.arms:
                for one in text_completions(
                    make,
                    reader,
                    settings,
                    self.prompts,
                    n=self.n,
                    rows=self.rows,
                    hardened=arm == "hardened",
                    on_failure=server.on_failure,
                ):
                    yield arm, one

        return reader.pair, completed()


def _refuse_without_effect(
    rule: RuleChoice, recipe: Path | None, security: str, n: int, batch_rows: int, compare: bool
) -> None:
    if n < 1 or batch_rows < 1:
        raise SettingsError("--n and --batch-rows must be at least 1.")
    if security == "none" and (rule.settings() or compare or recipe):
        names = ["compare"] * compare + ["recipe"] * (recipe is not None) + sorted(rule.model_fields_set)
        flags = [name.replace("_", "-") for name in names]
        raise SettingsError(f"--security none hardens nothing, so --{flags[0]} would have no effect: drop one of them.")


def _refuse_untraced(sampling: SamplingSettings, trace: Path | None) -> None:
    if sampling.top_logprobs is not None and trace is None:
        raise SettingsError("--top-logprobs has no effect without --trace FILE, which records them.")


@without_garbage_collection()  # the adapter's rule is read with modules that import torch
def _settings(
    rule: RuleChoice, recipe: Path | None, sampling: SamplingSettings, target: str, security: str, load: LoadFlags
) -> DecodingSettings:
    """The recipe's rule, or else the adapter's own, as changed by the flags."""
    from cosec.decoding.pairing import carried_rule

    if recipe is None:
        own = carried_rule(target, security, security_copy=load.security_copy)
        return decoding_settings(changed_rule(own, rule.settings()), sampling.model_dump())
    return decoding_settings(_changed_recipe(recipe, rule), sampling.model_dump())


def _changed_recipe(recipe: Path, rule: RuleChoice) -> dict[str, object]:
    """The recipe's rule, as changed by the flags."""
    named = read_rule(recipe)
    return changed_rule(named, {"name": rule_name(named), **rule.settings()})


def _print(
    format: Format,
    completed: Iterator[tuple[Arm, Completion]],
    prompts: Sequence[str],
    pair: PreparedPair,
    arms: int,
) -> None:
    if format == "json":
        for arm, completion in completed:
            print(json.dumps(_row(arm, completion), ensure_ascii=False), flush=True)  # noqa: T201 - the contract
    elif format == "html":
        _print_html(completed, prompts, pair)
    else:
        _print_text(completed, prompts, pair, arms)


def read_prompts(source: str | None, files: Sequence[Path], texts: Sequence[str]) -> list[str]:
    """Collect the prompts, in the order files, texts, standard input.

    Raises:
        PromptError: If there is no prompt, a file is missing or unreadable, or a file or standard input is not UTF-8.
    """
    prompts = []
    for path in files:
        try:
            prompts.append(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise PromptError(f"Cannot read the prompt file {str(path)!r}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise PromptError(f"The prompt file {str(path)!r} is not UTF-8 text.") from error
    if not all(map(is_unicode, texts)):
        raise PromptError("A prompt given with --prompt is not UTF-8 text.")
    prompts.extend(texts)
    if source == "-":
        prompts.append(_standard_input())
    if not prompts:
        raise PromptError("No prompt given: use --prompt-file FILE, --prompt TEXT, or - for standard input.")
    empty = next((index for index, text in enumerate(prompts) if not text), None)
    if empty is not None:
        raise PromptError(f"Prompt {empty} is empty; give the code to continue.")
    return prompts


def _standard_input() -> str:
    """The text on standard input, which is UTF-8 whatever the locale says, as that of files."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise PromptError("Standard input is not UTF-8 text.") from error


def _trace_file(path: Path | None) -> IO[str] | nullcontext[None]:
    """Open the trace file; this happens before the models are loaded, so that a bad path fails at once."""
    if path is None:
        return nullcontext()
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"Cannot write the trace file {str(path)!r}: {error.strerror}.") from error


def _traced(
    completed: Iterator[tuple[Arm, Completion]], trace_file: IO[str] | None, pair: PreparedPair
) -> Iterator[tuple[Arm, Completion]]:
    """The completions, each after its trace is written."""
    for arm, completion in completed:
        if trace_file is not None:
            _write_trace(trace_file, arm, completion, pair)
        yield arm, completion


def _row(arm: Arm, completion: Completion) -> dict[str, object]:
    totals = completion.totals
    return {
        "prompt_index": completion.prompt_index,
        "sample_index": completion.sample_index,
        "arm": arm,
        "completion": completion.text,
        "finish_reason": completion.finish_reason,
        "tokens": totals.tokens,
        "accepted": totals.accepted,
        "drafted": totals.drafted,
        "changed": totals.changed if totals.target_asked else None,
        "seconds": round(completion.seconds, 4),
        **_of_text(completion),
    }


def _of_text(completion: Completion) -> dict[str, object]:
    """What only a completion of a target that gives text has."""
    requests, unchecked = getattr(completion, "requests", None), getattr(completion, "unchecked_from", None)
    found = {"decisions": completion.totals.decisions, "requests": requests, "unchecked_from": unchecked}
    return {} if requests is None else {name: value for name, value in found.items() if value is not None}


def _write_trace(file: IO[str], arm: Arm, completion: Completion, pair: PreparedPair) -> None:
    from cosec.decoding.completion.spans import spans_of

    place = {"prompt_index": completion.prompt_index, "sample_index": completion.sample_index, "arm": arm}
    for span in spans_of(completion, pair.tokenizer):
        file.write(json.dumps({**place, **span.record.to_json(), "text": span.text}, ensure_ascii=False) + "\n")
    file.flush()


def _print_text(
    completed: Iterator[tuple[Arm, Completion]], prompts: Sequence[str], pair: PreparedPair, arms: int
) -> None:
    """Print each completion when it is finished; with two arms, each pair side by side."""
    from cosec.cli.views.side_by_side import panel, side_by_side, terminal
    from cosec.decoding.completion.spans import spans_of

    console = terminal()
    waiting: dict[tuple[int, int], RenderableType] = {}
    for arm, completion in completed:
        key = (completion.prompt_index, completion.sample_index)
        totals = completion.totals
        changed = f"{totals.changed} changed, " * totals.target_asked
        footer = f"{totals.tokens} tokens, {changed}{completion.finish_reason}"
        if totals.drafted:
            footer += f", {totals.accepted}/{totals.drafted} accepted"
        if completion.records and completion.records[0].gated is not None:
            footer += f", {totals.decisions} decision{'s' * (totals.decisions != 1)}"
        tail = prompts[completion.prompt_index].rsplit("\n", 1)[-1]
        title = f"{arm} · prompt {key[0]}, sample {key[1]}"
        view = panel(title, tail, spans_of(completion, pair.tokenizer), footer, colour=console.is_terminal)
        if arms == 1:
            console.print(view)
        elif key in waiting:
            console.print(side_by_side(waiting.pop(key), view))
        else:
            waiting[key] = view


def _print_html(completed: Iterator[tuple[Arm, Completion]], prompts: Sequence[str], pair: PreparedPair) -> None:
    """Print one page, at the end or when the user interrupts."""
    from cosec.cli.views.html_page import Shown, html_page
    from cosec.decoding.completion.spans import spans_of

    shown: list[Shown] = []
    try:
        for arm, completion in completed:
            one = Shown(
                prompt_index=completion.prompt_index,
                title=f"{arm}, sample {completion.sample_index}",
                prompt=prompts[completion.prompt_index],
                spans=spans_of(completion, pair.tokenizer),
            )
            shown.append(one)
    finally:
        if shown:
            sys.stdout.write(html_page("CoSec completions", shown))
