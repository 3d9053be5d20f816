"""Completions of a target that is hardened as text, alone and with a security model in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from cosec.decoding.blackbox.common_tokens import why_no_rule
from cosec.decoding.blackbox.completer import TextCompleter, TextCompletion
from cosec.decoding.blackbox.gated_text import TextRequest
from cosec.decoding.blackbox.loading import load_reader
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.local_target import LocalTarget
from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress, read_key
from cosec.decoding.blackbox.targets.text_target import InReaderThread, TargetFailure, TargetPrompt, TextTarget
from cosec.decoding.blackbox.text_rule import text_rule
from cosec.decoding.hardening import load_pair
from cosec.decoding.prompt_cache import PromptCache
from cosec.decoding.runtime_choice import RuntimeName
from cosec.decoding.settings import DecodingSettings, SamplingSettings, decoding_settings
from cosec.errors import EndpointError, SettingsError
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.generation.full_batch import refuse_prompt_without_room, task_watcher
from cosec.evaluation.study.generation.generator import LocalGenerator, sample_of
from cosec.evaluation.study.generation.model_hashes import adapter_hash, model_hash, special_type
from cosec.evaluation.study.settings import StudySettings
from cosec.evaluation.tasks.chat_prompts import chat_ids, chat_messages, prompt_text, refuse_chats_without_template
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Benchmark, Task, expand

SettingsOf = Callable[[DecodingArm, SamplingSettings], DecodingSettings]
"""Gives the settings of an arm with sampling settings."""


_SECONDS = 900.0
"""Most seconds without a byte from a server: nobody waits for a study, and many prompts are read at once."""


class TargetServer:
    """A target at a server.

    Args:
        url: Its base URL, up to ``/v1``.
        model: The model's name there; None for the first one that the server lists.
        key_file: File with the key of the server; None for none.

    Raises:
        SettingsError: If the key cannot be read, or the URL is malformed.
    """

    def __init__(self, url: str, model: str | None, key_file: Path | None) -> None:
        key = None if key_file is None else read_key(key_file)
        self._address = ServerAddress(url=url, model=model, key=key, seconds=_SECONDS)
        self.hash = f"{url} {model or 'its first'}"
        """The address, as a server's model cannot be hashed."""
        self.special: dict[str, str] = {}
        """Nothing: a server does not tell the type of its weights."""

    def make(self, run: InReaderThread) -> TextTarget:
        """The target of a run."""
        return self.server()

    def chat_prompt(self, messages: list[dict[str, str]]) -> TargetPrompt:
        """A conversation, which the server puts into the chat template of its model."""
        return TargetPrompt(messages=messages)

    def server(self) -> OpenAiServer:
        """A client of the server."""
        return OpenAiServer(self._address)


class TargetHere:
    """A target in this process, with tokens of its own.

    Args:
        name: The model, as for ``load_pair``.
        dtype: As for ``load_pair``.
        device_map: As for ``load_pair``.
        runtime: As for ``load_pair``.

    Raises:
        ModelError: If the model cannot be found, read or trusted.
    """

    def __init__(self, name: str, *, dtype: str, device_map: str | None, runtime: RuntimeName) -> None:
        self._pair = load_pair(name, "none", dtype=dtype, device_map=device_map, runtime=runtime)
        target = self._pair.pair.target
        self.hash = model_hash(target)
        """Identifies the weights."""
        self.special = special_type(target, "dtype")
        """The type of the weights if it is not float32."""
        self.tokenizer = self._pair.tokenizer
        """Its tokens."""

    def make(self, run: InReaderThread) -> TextTarget:
        """The target of a run."""
        return LocalTarget(self._pair, run)

    def chat_prompt(self, messages: list[dict[str, str]]) -> TargetPrompt:
        """A conversation, in the target's own chat template."""
        return TargetPrompt(messages=messages, ids=chat_ids(messages, self.tokenizer))


class TextTargetSource:
    """A target that is hardened as text, with each security model that some arm takes.

    Args:
        settings: What the study computes.
        target: Its target.
        rows: Completions written at the same time.
        dtype: As for ``load_pair``.
        device_map: As for ``load_pair``.

    Raises:
        SettingsError: If the target does not allow an arm's rule, a security model is no adapter, or a benchmark is a
            chat and a model that is to answer it here has no chat template.
        ModelError: If a security model cannot be found, read or trusted.
        EndpointError: If a server that an arm needs more of than its text does not answer.
    """

    def __init__(
        self,
        settings: StudySettings,
        target: TargetServer | TargetHere,
        *,
        rows: int,
        dtype: str,
        device_map: str | None,
    ) -> None:
        self._target, self._rows = target, rows
        arms = settings.decoding_arms()
        for arm in arms:
            self._settings_of(arm, SamplingSettings())
        names: dict[str | None, str] = {None: settings.security}
        names.update(settings.security_models.items())
        called = dict.fromkeys([None, *(arm.security for arm in arms)])
        self._readers: dict[str | None, SecurityReader] = {
            name: load_reader(expand(names[name]), dtype=dtype, device_map=device_map, reproducible=True)
            for name in called
        }
        self._check_chats(settings.benchmarks, arms)
        asyncio.run(self._check_rules(arms))
        hashes = {name: _adapter_hash(reader) for name, reader in self._readers.items()}
        special = {**target.special, **special_type(self._readers[None].pair.pair.target, "security dtype")}
        base = model_hash(self._readers[None].pair.pair.target)
        self.hashes: Mapping[str, str] = {**special, "target": target.hash, "base": base, "adapter": hashes[None]}
        """Identifies the target, the adapter and its base, with the type of the latter's weights."""
        self.named_hashes: Mapping[str, str] = {name: one for name, one in hashes.items() if name is not None}
        """Hashes of the security models that arms call by name."""

    def generator(self, arm: DecodingArm) -> TextTargetGenerator | LocalGenerator:
        """A generator of the arm's completions; the security model alone decodes as in every study."""
        reader = self._readers[arm.security]
        if arm.alone == "security":
            return LocalGenerator(reader.pair, arm, rows=self._rows, cache=PromptCache.for_study(reader.pair))
        return TextTargetGenerator(self._target, reader, arm, self._settings_of, self._rows)

    def _check_chats(self, benchmarks: Sequence[Benchmark], arms: Sequence[DecodingArm]) -> None:
        """Refuse chats that a model here cannot be asked in, before an arm begins."""
        for arm in arms:
            if arm.alone == "security":
                tokenizer = self._readers[arm.security].pair.tokenizer
                refuse_chats_without_template(benchmarks, tokenizer, f"the security model of the arm {arm.name!r}")
            elif isinstance(self._target, TargetHere):
                refuse_chats_without_template(benchmarks, self._target.tokenizer, "the target")

    async def _check_rules(self, arms: Sequence[DecodingArm]) -> None:
        """Refuse a rule that a server does not allow, before an arm begins."""
        if isinstance(self._target, TargetHere):
            return
        server = self._target.server()
        try:
            for arm in arms:
                rule = self._settings_of(arm, SamplingSettings()).rule
                why_not = None
                if arm.alone is None:
                    why_not = await why_no_rule(server, rule, self._readers[arm.security].program)
                if why_not is not None:
                    raise SettingsError(f"The arm {arm.name!r}: {why_not}")
        except TargetFailure as error:
            raise EndpointError(f"The target does not answer ({error}); see whether its server runs.") from error
        finally:
            await server.close()

    def _settings_of(self, arm: DecodingArm, sampling: SamplingSettings) -> DecodingSettings:
        """The arm's settings for this target."""
        if arm.needs_prefix:
            raise SettingsError(f"The arm {arm.name!r} needs a prefix; a target that gives only text needs an adapter.")
        try:
            rule = text_rule({}, arm.rule, in_process=isinstance(self._target, TargetHere))
            return decoding_settings(rule, sampling.model_dump())
        except SettingsError as error:
            raise SettingsError(f"The arm {arm.name!r}: {error}") from error


class TextTargetGenerator:
    """Generates with one arm.

    Args:
        target: The target.
        reader: The security model.
        arm: What is measured.
        settings_of: The settings of an arm with sampling settings.
        rows: Completions written at the same time.
    """

    def __init__(
        self,
        target: TargetServer | TargetHere,
        reader: SecurityReader,
        arm: DecodingArm,
        settings_of: SettingsOf,
        rows: int,
    ) -> None:
        self._target, self._reader, self._arm, self._rows = target, reader, arm, rows
        self._settings_of = settings_of

    def complete(self, tasks: Iterable[Task], *, samples: int, sampling: SamplingSettings) -> Iterator[list[Sample]]:
        """Complete the tasks, as many at a time as there are rows for; see `Generator`."""
        settings = self._settings_of(self._arm, sampling)
        completer = TextCompleter(self._target.make, self._reader, settings, rows=self._rows)
        left = iter(tasks)
        while some := list(islice(left, max(1, self._rows // samples))):
            asked = [
                (index, self._request(task, sample, settings))
                for index, task in enumerate(some)
                for sample in range(samples)
            ]
            waiting: dict[int, list[TextCompletion]] = {}
            for one in completer.complete_requests(asked):
                found = waiting.setdefault(one.prompt_index, [])
                found.append(one)
                if len(found) == samples:
                    found.sort(key=lambda each: each.sample_index)
                    task = some[one.prompt_index]
                    tokenizer = self._reader.pair.tokenizer
                    yield [sample_of(task, replace(each, seconds=each.share), tokenizer) for each in found]

    def _request(self, task: Task, sample: int, settings: DecodingSettings) -> TextRequest:
        tokenizer = self._reader.pair.tokenizer
        if task.format == "chat":
            messages = chat_messages(task, cue=self._arm.cue)
            prompt = self._target.chat_prompt(messages)
            ids = self._conversation(messages)
        else:
            prompt = TargetPrompt(text=prompt_text(task, cue=self._arm.cue))
            ids = tuple(tokenizer(prompt.text).input_ids)
        context = self._reader.pair.context_length - 1
        refuse_prompt_without_room(task, len(ids), context)
        sampling = settings.sampling.model_copy(update={"stop": task.stop})
        return TextRequest(
            prompt=prompt,
            prompt_ids=ids,
            sample=sample,
            settings=settings.model_copy(update={"sampling": sampling}),
            hardened=self._arm.alone is None,
            max_new_tokens=min(sampling.max_new_tokens, context - len(ids)),
            watcher=lambda: task_watcher(task),
        )

    def _conversation(self, messages: list[dict[str, str]]) -> tuple[int, ...]:
        """A conversation for the security model, in its own template or as plain text."""
        tokenizer = self._reader.pair.tokenizer
        if not tokenizer.chat_template:
            return tuple(tokenizer("\n\n".join(one["content"] for one in messages) + "\n\n").input_ids)
        return chat_ids(messages, tokenizer)


def _adapter_hash(reader: SecurityReader) -> str:
    adapter = reader.pair.pair.adapter
    assert adapter is not None, "a reader has an adapter"
    return adapter_hash(adapter)
