"""The Python front door: load a target with its security model, and complete prompts with the hardened model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cosec.decoding.completer import DEFAULT_ROWS, Completer, Completion
from cosec.decoding.pairing import PreparedPair, carried_rule
from cosec.decoding.runtime_choice import RuntimeName, choose_runtime
from cosec.decoding.settings import DecodingSettings
from cosec.models.loading import load
from cosec.models.loading.bundled import shipped_adapter
from cosec.models.loading.embedded import BUNDLED_MODELS, DEFAULT_TARGET
from cosec.models.loading.load import ModelPair
from cosec.models.loading.quantised import GgufPair, load_gguf_pair
from cosec.runtime import with_security_copy


def load_pair(
    target: str | Path = DEFAULT_TARGET,
    security: str | Path = "default",
    *,
    anti_expert: str | Path | None = None,
    dtype: str = "auto",
    device_map: str | None = None,
    runtime: RuntimeName = "auto",
    rows: int = 1,
    security_copy: bool = False,
    report: Callable[[str], None] = lambda message: None,
) -> PreparedPair:
    """Load a target model with its security model, ready to decode.

    Args:
        target: The model to harden: an embedded name, a hub id, a folder or a GGUF file.
        security: Its security model or LoRA adapter: the same kinds of name, ``"default"`` for the adapter that ships
            for an embedded target, or ``"none"`` for the target alone.
        anti_expert: An adapter that ``cosec tune --side vulnerable`` trained on the same base as the security adapter,
            for the rule ``steer`` with ``against="anti-expert"``.
        dtype: ``"auto"`` (float32 on a processor, else the checkpoint's), ``"float32"``, ``"bfloat16"``, ``"float16"``.
        device_map: Passed to transformers, for example ``"auto"`` or ``"cuda"``.
        runtime: What runs the models: ``"torch"``, ``"llama.cpp"``, or ``"auto"`` for llama.cpp if it is installed,
            the models are GGUF files or pulled embedded models, and ``dtype`` and ``device_map`` are not given. For a
            pair that ``cosec bench runtime`` measured here, ``"auto"`` is the fastest.
        rows: Number of completions decoded at once, for which a measured runtime is chosen; has no other effect.
        security_copy: Take a Q4_0 copy of the target with its adapter added as the security model, which needs
            llama.cpp. It is faster, but a different model: under ``steer`` and ``gate`` its rounding error acts like
            part of the adapter's change.
        report: Called with a line of text before a copy is made, with what a measurement chose, and if the security
            model is an unhardened base.

    Raises:
        ModelError: If a model cannot be found, read or trusted.
        AdapterError: If an adapter is corrupt or was made for another base model.
        VocabularyMismatch: If the two models' tokens do not mean the same text.
        SettingsError: If the adapter's ``rule.toml`` is not a rule, or the runtime cannot run these models.
    """
    target, security, anti_expert = str(target), str(security), None if anti_expert is None else str(anti_expert)
    chosen = choose_runtime(
        target,
        security,
        runtime=runtime,
        anti_expert=anti_expert,
        dtype=dtype,
        device_map=device_map,
        rows=rows,
        security_copy=security_copy,
    )
    if chosen.measured:
        report(f"{chosen.name}: {chosen.reason}")
    pair: ModelPair | GgufPair = (
        load.load_pair(target, security, anti_expert=anti_expert, dtype=dtype, device_map=device_map)
        if chosen.name == "torch"
        else _gguf_pair(target, security, security_copy, report)
    )
    prepared = PreparedPair(pair)
    if security in BUNDLED_MODELS:
        report(_unhardened(target, security))
    return prepared


def _gguf_pair(target: str, security: str, security_copy: bool, report: Callable[[str], None]) -> GgufPair:
    """Load both models for llama.cpp, with a copy as the security model if that is asked for."""
    pair = load_gguf_pair(target, security)
    if not security_copy:
        return pair
    return with_security_copy(pair, carried_rule(target, security, security_copy=True), report)


def _unhardened(target: str, security: str) -> str:
    """What to say of a security model that is an embedded base: it ships as an adapter beside it."""
    told = f"{security} is a base model, which nothing has hardened"
    if shipped_adapter(target) is None:
        return f"{told}; name an adapter with --security"
    return f"{told}; --security default takes the adapter that ships for {target}"


def harden(
    pair: PreparedPair,
    prompts: str | Sequence[str],
    *,
    n: int = 1,
    settings: DecodingSettings | None = None,
    rows: int = DEFAULT_ROWS,
    target_records: bool = True,
) -> Iterator[Completion]:
    """Complete prompts with the hardened model, under the same rule as ``cosec generate``.

    Args:
        pair: Target and security model, from ``load_pair``.
        prompts: One prompt or several; each is code to continue.
        n: Completions of each prompt.
        settings: Rule and sampling. Without a rule in them, the rule that the adapter carries applies, or the paper's
            rule if it carries none.
        rows: Sequences decoded at once; changes the speed and never the text.
        target_records: Whether records say what the target gives each token. Without it, the target does not run where
            it changes no token: under ``steer`` with strength 1, if it is the security model's base. The texts stay the
            same, and ``changed`` and ``target_log_prob`` of the records are None.

    Returns:
        The completions in the order in which they finish; ``prompt_index`` and ``sample_index`` say which is which.

    Raises:
        SettingsError: If ``n`` or ``rows`` is below 1, or if the pair lacks what the rule needs.
        PromptError: If a prompt is empty or longer than the models' context; raised before the first completion.
    """
    completer = Completer(pair, settings or DecodingSettings(), rows=rows, target_records=target_records)
    pieces = completer.stream(prompts, n=n)
    return (piece.completion for piece in pieces if piece.completion is not None)
