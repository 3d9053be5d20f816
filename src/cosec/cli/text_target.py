"""Targets that give text, on the command line: a server's URL, or a model with another tokenizer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.decoding.runtime_choice import RuntimeName
from cosec.decoding.settings import DecodingSettings
from cosec.errors import SettingsError, VocabularyMismatch

if TYPE_CHECKING:
    from cosec.decoding.blackbox.completer import TextCompletion
    from cosec.decoding.blackbox.gated_text import OnFailure
    from cosec.decoding.blackbox.reading import SecurityReader
    from cosec.decoding.blackbox.targets.openai_server import ServerAddress
    from cosec.decoding.blackbox.targets.text_target import InReaderThread, TextTarget


Loaded = TypeVar("Loaded")
"""A pair, or what takes its place for a target that gives text."""


class AddressFlags(BaseModel):
    """Where a target at a URL is, as flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    target_model: str | None = None
    """With a URL as --target: the model's name there. Default: the first one that the server lists."""

    target_key_file: Path | None = None
    """With a URL as --target: a file whose first line is the API key of that server."""

    target_seconds: float = Field(default=120.0, gt=0)
    """With a URL as --target: most seconds without a byte from the server, the wait for the first token included."""

    def address(self, url: str) -> ServerAddress:
        """Where the target is.

        Raises:
            SettingsError: If the key cannot be read, or the URL is malformed.
        """
        from cosec.decoding.blackbox.targets.openai_server import ServerAddress, read_key

        key = None if self.target_key_file is None else read_key(self.target_key_file)
        return ServerAddress(url=url, model=self.target_model, key=key, seconds=self.target_seconds)


class TargetFlags(AddressFlags):
    """How a target at a URL is asked, as flags."""

    on_failure: Literal["fail", "pass-through"] = "fail"
    """With a URL as --target: what happens to a text that the security model cannot check. ``fail``: the request
    fails. ``pass-through``: the text goes on unchecked, and the answer says from where on.
    """


_WITHOUT_EFFECT_ON_TEXT: Mapping[str, object] = {
    "anti_expert": None,
    "draft_length": "auto",
    "security_copy": False,
    "target_records": None,
    "prefill_chunk": None,
}
"""Flags that have no effect where a target is hardened as text, and their defaults."""

_WITHOUT_EFFECT_ON_URLS: Mapping[str, object] = {**_WITHOUT_EFFECT_ON_TEXT, "runtime": "auto"}
"""The same for a target at a URL, beside which the security model always runs in torch."""


def checked_flags(target: str, flags: TargetFlags | None, others: Mapping[str, object]) -> TargetFlags:
    """The flags of a target at a URL, or the defaults.

    Args:
        target: The target.
        flags: Those that were given.
        others: Values of the verb's other flags.

    Raises:
        SettingsError: If a flag of either kind has no effect on the target.
    """
    flags = flags or TargetFlags()
    if is_url(target):
        refuse_without_effect(others, _WITHOUT_EFFECT_ON_URLS, "with a URL as --target")
    else:
        refuse_address(flags)
    return flags


def refuse_address(flags: AddressFlags) -> None:
    """Refuse the flags of a target at a URL for another target.

    Raises:
        SettingsError: If one was given.
    """
    if flags.model_fields_set:
        name = sorted(flags.model_fields_set)[0].replace("_", "-")
        raise SettingsError(f"--{name} has an effect only with a URL as the target.")


def refuse_without_effect(given: Mapping[str, object], without_effect: Mapping[str, object], where: str) -> None:
    """Refuse flags that have no effect on a target.

    Args:
        given: Values of flags.
        without_effect: Flags without an effect, and their defaults.
        where: Ends the message, such as ``with a URL as --target``.

    Raises:
        SettingsError: If one of them differs from its default.
    """
    for name, default in without_effect.items():
        if given.get(name, default) != default:
            raise SettingsError(f"--{name.replace('_', '-')} has no effect {where}; leave it out.")


def text_settings(
    target: str, security: str, given: Mapping[str, object], sampling: Mapping[str, object]
) -> DecodingSettings:
    """The rule for a target that is hardened as text, and the sampling settings.

    Raises:
        SettingsError: If the target does not allow the rule, or the security model is no adapter.
    """
    from cosec.decoding.blackbox.loading import security_rule
    from cosec.decoding.blackbox.text_rule import text_rule
    from cosec.decoding.settings import decoding_settings

    return decoding_settings(text_rule(security_rule(security), given, in_process=not is_url(target)), sampling)


def pair_or_text(
    security: str,
    of_pair: Callable[[], Loaded] | None,
    of_text: Callable[[], Loaded],
    others: Mapping[str, object],
) -> Loaded:
    """Load a pair, or what hardens the target as text if the two models have different tokens.

    Args:
        security: The security model or adapter, as it was given.
        of_pair: Loads the pair; None for a target at a URL.
        of_text: Loads what hardens the target as text.
        others: Values of the verb's flags, as for `checked_flags`.

    Raises:
        VocabularyMismatch: If the tokens differ and the security model is no adapter.
        SettingsError: If they differ and a flag has no effect on text.
    """
    if of_pair is None:
        return of_text()
    try:
        return of_pair()
    except VocabularyMismatch:
        if not is_security_adapter(security):
            raise
    where = "on this target, which is hardened as text because its tokenizer is not the security model's"
    refuse_without_effect(others, _WITHOUT_EFFECT_ON_TEXT, where)
    print(  # noqa: T201 - a message
        f"cosec: {security} and the target have different tokenizers, so the target is hardened as text: the security "
        "model re-tokenizes it and runs in torch, under gate or steer. A security model of the target's own family "
        "would co-decode every token.",
        file=sys.stderr,
    )
    return of_text()


def is_security_adapter(security: str) -> bool:
    """Whether a security model is an adapter, or stands for the one that ships for it, as for a target at a URL."""
    from cosec.decoding.blackbox.loading import security_adapter

    try:
        security_adapter(security)
    except SettingsError:
        return False
    return True


def target_maker(
    target: str,
    flags: TargetFlags,
    *,
    dtype: str = "auto",
    device_map: str | None = None,
    runtime: RuntimeName = "auto",
) -> Callable[[InReaderThread], TextTarget]:
    """What makes the target of a run: a client of the server at a URL, or a model in this process."""
    from cosec.decoding.blackbox.targets.local_target import LocalTarget
    from cosec.decoding.blackbox.targets.openai_server import OpenAiServer
    from cosec.decoding.hardening import load_pair

    if is_url(target):
        address = flags.address(target)
        return lambda _: OpenAiServer(address)
    loaded = load_pair(target, "none", dtype=dtype, device_map=device_map, runtime=runtime)
    return lambda run: LocalTarget(loaded, run)


def text_completions(
    make_target: Callable[[InReaderThread], TextTarget],
    reader: SecurityReader,
    settings: DecodingSettings,
    prompts: Sequence[str],
    *,
    n: int,
    rows: int,
    hardened: bool,
    on_failure: OnFailure,
) -> Iterator[TextCompletion]:
    """Complete prompts, and warn on standard error about text that was not checked."""
    from cosec.decoding.blackbox.completer import TextCompleter

    completer = TextCompleter(make_target, reader, settings, hardened=hardened, rows=rows, on_failure=on_failure)
    for one in completer.complete(prompts, n=n):
        if one.unchecked_from is not None:
            print(  # noqa: T201 - a message
                f"cosec: prompt {one.prompt_index}, sample {one.sample_index}: NOT CHECKED from character "
                f"{one.unchecked_from} on",
                file=sys.stderr,
            )
        yield one
