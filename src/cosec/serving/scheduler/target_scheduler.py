"""The scheduler of a hardening proxy: each completion is text of a target server, checked by the security model here.

An event loop in a thread of its own talks to the target. A second thread owns the security model, which reads one
completion at a time. Completions start in the order in which they were asked for.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cosec.decoding.blackbox.gated_text import OnFailure, TextGrowth, TextRequest
from cosec.decoding.blackbox.pace import Pace
from cosec.decoding.blackbox.reading import ContextFull, SecurityReader
from cosec.decoding.blackbox.targets.text_target import InReaderThread, TextTarget
from cosec.decoding.blackbox.writers import text_writer
from cosec.decoding.prompt_cache import LongestBeginning
from cosec.errors import EndpointError
from cosec.serving import api_errors
from cosec.serving.api_errors import ApiError
from cosec.serving.scheduler.admission import check_admission
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Event, Progress, Ticket
from cosec.serving.settings import ServerSettings
from cosec.serving.telemetry import Telemetry

_LOG = logging.getLogger("cosec.serving")

_REFUSALS = frozenset({400, 413, 422})
"""Statuses of a target that refuses a request for what is in it."""


class TargetScheduler:
    """Completes requests with a target that gives text.

    Args:
        make_target: Makes the target, with what runs a function in the thread of the models.
        reader: The security model; it keeps prompts for later requests from now on.
        settings: Limits of the server.
        telemetry: Counts tokens and times.
        on_failure: What happens if the security model cannot check a text.
    """

    def __init__(
        self,
        make_target: Callable[[InReaderThread], TextTarget],
        reader: SecurityReader,
        settings: ServerSettings,
        telemetry: Telemetry,
        on_failure: OnFailure = "fail",
    ) -> None:
        self._make_target, self._reader, self._on_failure = make_target, reader, on_failure
        self._settings, self._telemetry, self._pace = settings, telemetry, Pace()
        reader.keep_prompts(LongestBeginning(), settings.prefix_cache_tokens)
        self._loop = asyncio.new_event_loop()
        self._models = ThreadPoolExecutor(1, thread_name_prefix="cosec-models")
        self._rows = asyncio.Semaphore(settings.max_rows)
        self._open: dict[Ticket, asyncio.Task[None] | None] = {}
        self._changed = threading.Condition()
        self._draining = False
        self.running = 0
        """Number of completions under way."""
        self._thread = threading.Thread(target=self._loop.run_forever, name="cosec-target", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._target = self._make_target(self._in_reader_thread)
        self._thread.start()

    def stop(self) -> None:
        """Fail the requests that are running and end the threads."""
        self._draining = True
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._models.shutdown()

    @property
    def draining(self) -> bool:
        """Whether new requests are refused."""
        return self._draining

    @property
    def alive(self) -> bool:
        """Whether the event loop is running."""
        return self._thread.is_alive()

    def refuse_new(self) -> None:
        """Answer new requests with 503 from now on."""
        self._draining = True

    def drain(self, seconds: float) -> bool:
        """Refuse new requests, and wait until the others are done.

        Args:
            seconds: Maximum time to wait.

        Returns:
            Whether all requests were done in time.
        """
        self._draining = True
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout=seconds)

    def submit(self, asked: DecodingRequest, client: str, post: Callable[[Event], None]) -> Ticket:
        """Accept a request.

        Raises:
            ApiError: 429 when the queue is full, 503 when the server is shutting down.
        """
        count = len(asked.prompts) * asked.samples
        ticket = Ticket(asked, client, time.monotonic() + self._settings.deadline_seconds, post, count)
        with self._changed:
            open_to_new, most = self.alive and not self._draining, self._settings.max_queue
            check_admission(open_to_new=open_to_new, waiting=self._waiting, count=count, most=most)
            self._open[ticket] = None
            self._report_load()
        self._loop.call_soon_threadsafe(self._begin, ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Give up a request; what the target is asked for it is cancelled at once."""
        ticket.cancelled = True
        task = self._open.get(ticket)
        if task is not None and self.alive:
            self._loop.call_soon_threadsafe(task.cancel)

    @property
    def _waiting(self) -> int:
        """Number of completions that wait; read under the lock."""
        return max(0, sum(one.open_choices for one in self._open) - self.running)

    def _report_load(self) -> None:
        """Report the load; done under the lock, so that the latest report is the true one."""
        with self._changed:
            self._telemetry.load(waiting=self._waiting, running=self.running, remembered_tokens=0)

    def _begin(self, ticket: Ticket) -> None:
        task = self._loop.create_task(self._serve(ticket))
        with self._changed:
            self._open[ticket] = task

    async def _serve(self, ticket: Ticket) -> None:
        """Write all completions of a request; the first failure fails it as a whole."""
        asked = ticket.asked
        places = [(index, sample) for index in range(len(asked.prompts)) for sample in range(asked.samples)]
        tasks = [self._loop.create_task(self._one(ticket, *place)) for place in places]
        try:
            async with asyncio.timeout(ticket.deadline - time.monotonic()):
                await asyncio.gather(*tasks)
        except TimeoutError:
            ticket.fail(api_errors.deadline_passed(self._settings.deadline_seconds))
        except Exception as error:
            ticket.fail(_as_api_error(error))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with self._changed:
                self._open.pop(ticket, None)
                self._changed.notify_all()
                self._report_load()

    async def _one(self, ticket: Ticket, index: int, sample: int) -> None:
        """Write one completion."""
        asked = ticket.asked
        if ticket.cancelled:
            return
        async with self._rows:
            self.running += 1
            self._report_load()
            try:
                request = TextRequest(
                    prompt=asked.target_prompts[index],
                    prompt_ids=asked.prompts[index],
                    sample=sample,
                    settings=asked.settings,
                    hardened=asked.hardened,
                    max_new_tokens=asked.max_new_tokens,
                    watcher=asked.watchers[index] if asked.watchers else None,
                )
                writer = text_writer(
                    self._target,
                    self._reader,
                    request,
                    self._in_reader_thread,
                    pace=self._pace,
                    on_failure=self._on_failure,
                )
                last = time.monotonic()
                async for growth in writer.write():
                    now = time.monotonic()
                    self._deliver(ticket, index * asked.samples + sample, growth, now - last)
                    if growth.records:
                        last = now
            finally:
                self.running -= 1
                self._report_load()

    def _deliver(self, ticket: Ticket, choice: int, growth: TextGrowth, seconds: float) -> None:
        if ticket.over or not (growth.text or growth.records or growth.finish_reason):
            return
        self._telemetry.block([(growth.records, seconds)])
        if ticket.first_token_seconds is None and growth.text:
            ticket.first_token_seconds = time.monotonic() - ticket.submitted
            self._telemetry.first_token(ticket.first_token_seconds)
        progress = Progress(
            choice=choice,
            text=growth.text,
            records=growth.records,
            finish_reason=growth.finish_reason,
            stop_text=growth.stop_text,
            unchecked_from=growth.unchecked_from,
        )
        ticket.open_choices -= growth.finish_reason is not None
        ticket.post(progress)

    async def _in_reader_thread(self, run: Callable[[], object]) -> object:
        return await self._loop.run_in_executor(self._models, run)

    async def _end(self) -> None:
        """Fail what is running, and close the target."""
        for ticket, task in list(self._open.items()):
            ticket.fail(api_errors.engine_failed())
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in self._open.values() if task is not None), return_exceptions=True)
        await self._target.close()


def _as_api_error(error: Exception) -> ApiError:
    """What the client gets: refusals of the target as 400, its failures as 502, those of the security model as 500."""
    if isinstance(error, EndpointError) and error.status in _REFUSALS:
        _LOG.warning("the target refused a request: %s", error)
        return ApiError(400, str(error), None, "target_refusal")
    if isinstance(error, EndpointError):
        _LOG.warning("the target failed: %s", error)
        return ApiError(502, str(error), None, "target_failure", "server_error")
    if isinstance(error, ContextFull):
        return ApiError(400, str(error), None, "context_length_exceeded")
    _LOG.error("a completion could not be checked", exc_info=error)
    return api_errors.engine_failed()
