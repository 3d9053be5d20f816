"""Prompts in, completions out, for a target that gives text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cosec.decoding.blackbox.gated_text import GatedText, InReaderThread, OnFailure, Patience, TextRequest
from cosec.decoding.blackbox.pace import Pace
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.target import TargetPrompt, TextTarget
from cosec.decoding.completer import Completion
from cosec.decoding.completion import FinishReason, code_watcher
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenRecord
from cosec.errors import PromptError


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCompletion(Completion):
    """One finished completion of a target that gives text; its records are in the security model's vocabulary."""

    unchecked_from: int | None = None
    """Character from which on nothing was checked, where failures are passed through; None if all of it was."""

    requests: int = 1
    """Number of requests to the target."""


class TextCompleter:
    """Completes prompts with a target that gives text.

    Args:
        make_target: Makes the target; called once a run, with what runs a function in the thread of the models.
        reader: The security model.
        settings: The gate, sampling and the seed.
        hardened: Whether the texts are checked; False for the target alone.
        rows: Completions written at the same time.
        patience: How long a failing target is tried.
        on_failure: What happens if the security model cannot check a text.
    """

    def __init__(
        self,
        make_target: Callable[[InReaderThread], TextTarget],
        reader: SecurityReader,
        settings: DecodingSettings,
        *,
        hardened: bool = True,
        rows: int = 8,
        patience: Patience | None = None,
        on_failure: OnFailure = "fail",
    ) -> None:
        self._make_target, self._reader, self._settings = make_target, reader, settings
        self._hardened, self._rows = hardened, rows
        self._patience, self._on_failure = patience, on_failure
        self._pace = Pace()

    def complete(self, prompts: Sequence[str], *, n: int = 1) -> Iterator[TextCompletion]:
        """Complete every prompt.

        Args:
            prompts: The texts to continue.
            n: Number of samples of each prompt.

        Yields:
            The completions as they finish.

        Raises:
            PromptError: If a prompt is empty or too long for the security model.
            EndpointError: If the target fails.
        """
        for index, prompt in enumerate(prompts):
            if not prompt.strip():
                raise PromptError(f"Prompt {index} is empty; give the code to continue.")
        with asyncio.Runner() as runner, ThreadPoolExecutor(1) as pool:
            loop = runner.get_loop()
            target = self._make_target(lambda run: loop.run_in_executor(pool, run))
            turns = asyncio.Semaphore(self._rows)
            tasks: set[asyncio.Task[TextCompletion]] = {
                loop.create_task(self._one(target, turns, prompt, index, sample, pool))
                for index, prompt in enumerate(prompts)
                for sample in range(n)
            }
            try:
                while tasks:
                    done, tasks = runner.run(_first(tasks))
                    yield from sorted(
                        (one.result() for one in done), key=lambda one: (one.prompt_index, one.sample_index)
                    )
            finally:
                runner.run(_cancelled(tasks))
                runner.run(target.close())

    async def _one(
        self,
        target: TextTarget,
        turns: asyncio.Semaphore,
        prompt: str,
        index: int,
        sample: int,
        pool: ThreadPoolExecutor,
    ) -> TextCompletion:
        sampling = self._settings.sampling
        request = TextRequest(
            prompt=TargetPrompt(text=prompt),
            prompt_ids=tuple(self._reader.pair.tokenizer(prompt).input_ids),
            sample=sample,
            settings=self._settings,
            hardened=self._hardened,
            max_new_tokens=sampling.max_new_tokens,
            watcher=code_watcher(prompt, sampling.code_end),
        )
        loop = asyncio.get_running_loop()
        async with turns:
            started = time.perf_counter()
            writer = GatedText(
                target,
                self._reader,
                request,
                lambda run: loop.run_in_executor(pool, run),
                pace=self._pace,
                patience=self._patience,
                on_failure=self._on_failure,
            )
            text, records, finish, unchecked = "", list[TokenRecord](), None, None
            async for growth in writer.write():
                text += growth.text
                records += growth.records
                finish, unchecked = growth.finish_reason, growth.unchecked_from
            reason: FinishReason = finish or "length"
            return TextCompletion(
                prompt_index=index,
                sample_index=sample,
                text=text,
                finish_reason=reason,
                records=tuple(records),
                seconds=time.perf_counter() - started,
                unchecked_from=unchecked,
                requests=writer.requests,
            )


async def _first(
    tasks: set[asyncio.Task[TextCompletion]],
) -> tuple[set[asyncio.Task[TextCompletion]], set[asyncio.Task[TextCompletion]]]:
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _cancelled(tasks: set[asyncio.Task[TextCompletion]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
