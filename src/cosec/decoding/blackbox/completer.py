"""Prompts in, completions out, for a target that gives text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from cosec.decoding.blackbox.gated_text import OnFailure, Patience, TextRequest
from cosec.decoding.blackbox.pace import Pace
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.shared_clock import SharedClock
from cosec.decoding.blackbox.targets.text_target import InReaderThread, TargetPrompt, TextTarget
from cosec.decoding.blackbox.writers import text_writer
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

    share: float
    """Share of the wall time in seconds, which is divided among the completions that are written at the same time."""


class TextCompleter:
    """Completes prompts with a target that gives text.

    Args:
        make_target: Makes the target; called once a run, with what runs a function in the thread of the models.
        reader: The security model.
        settings: The rule, sampling and the seed.
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
        self._pace, self._clock = Pace(), SharedClock()

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
        sampling, tokenizer = self._settings.sampling, self._reader.pair.tokenizer
        requests = []
        for index, prompt in enumerate(prompts):
            if not prompt.strip():
                raise PromptError(f"Prompt {index} is empty; give the code to continue.")
            request = TextRequest(
                prompt=TargetPrompt(text=prompt),
                prompt_ids=tuple(tokenizer(prompt).input_ids),
                settings=self._settings,
                hardened=self._hardened,
                max_new_tokens=sampling.max_new_tokens,
                watcher=code_watcher(prompt, sampling.code_end),
            )
            requests += [(index, replace(request, sample=sample)) for sample in range(n)]
        yield from self.complete_requests(requests)

    def complete_requests(self, requests: Sequence[tuple[int, TextRequest]]) -> Iterator[TextCompletion]:
        """Write completions that may differ in their settings.

        Args:
            requests: What is asked for, each with the index of its prompt.

        Yields:
            The completions as they finish.

        Raises:
            PromptError: If a prompt is too long for the security model.
            EndpointError: If the target fails.
        """
        with asyncio.Runner() as runner, ThreadPoolExecutor(1) as pool:
            loop = runner.get_loop()

            async def in_thread(run: Callable[[], object]) -> object:
                return await loop.run_in_executor(pool, run)

            target, turns = self._make_target(in_thread), asyncio.Semaphore(self._rows)
            every = {
                loop.create_task(self._one(target, turns, in_thread, index, request)) for index, request in requests
            }
            tasks = every
            try:
                while tasks:
                    done, tasks = runner.run(_first(tasks))
                    yield from sorted(
                        (one.result() for one in done), key=lambda one: (one.prompt_index, one.sample_index)
                    )
            finally:
                runner.run(_cancelled(every))  # also those that failed beside the first
                runner.run(target.close())

    async def _one(
        self,
        target: TextTarget,
        turns: asyncio.Semaphore,
        in_thread: InReaderThread,
        index: int,
        request: TextRequest,
    ) -> TextCompletion:
        async with turns:
            with self._clock.share() as share:
                started = time.perf_counter()
                writer = text_writer(
                    target,
                    self._reader,
                    request,
                    in_thread,
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
                    sample_index=request.sample,
                    text=text,
                    finish_reason=reason,
                    records=tuple(records),
                    seconds=time.perf_counter() - started,
                    unchecked_from=unchecked,
                    requests=writer.requests,
                    share=share(),
                )


async def _first(
    tasks: set[asyncio.Task[TextCompletion]],
) -> tuple[set[asyncio.Task[TextCompletion]], set[asyncio.Task[TextCompletion]]]:
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _cancelled(tasks: set[asyncio.Task[TextCompletion]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
