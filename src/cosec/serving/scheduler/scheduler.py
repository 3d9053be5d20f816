"""The scheduler: one thread that owns the models and decodes all requests, block by block.

Before each block it gives up requests that were cancelled or exceeded their deadline. It then reads a limited number
of prompt tokens, and lets requests join whose prompts have been read. A failure of the engine fails the requests that
were running; the thread continues.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable

from cosec.models.loading.host_memory import give_back_free_memory
from cosec.serving import api_errors
from cosec.serving.scheduler.admission import check_admission
from cosec.serving.scheduler.batches import Arm, Batches, Reading, Step
from cosec.serving.scheduler.fair_queue import FairQueue
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Event, Progress, PromptScores, Ticket, Waiting
from cosec.serving.settings import ServerSettings
from cosec.serving.telemetry import Telemetry

_LOG = logging.getLogger("cosec.serving")
_CHUNKS_WHILE_IDLE = 8
"""How many prefill chunks of a prompt are read at once while no completion is running."""
_TIDY_SECONDS = 20.0
"""After this time without a request, memory kept for later requests is returned to the system."""
_TIDY_UNDER_LOAD_SECONDS = 60.0
"""Interval at which unused memory is returned to the system under load. Getting it back costs page faults."""


class Scheduler:
    """Takes requests from any thread, and decodes them on a thread of its own.

    Args:
        batches: The running batches; only the scheduler's thread uses them.
        settings: Limits of the server.
        telemetry: Counts tokens and times.
    """

    def __init__(self, batches: Batches, settings: ServerSettings, telemetry: Telemetry) -> None:
        self._batches = batches
        self._settings = settings
        self._telemetry = telemetry
        self._queue: FairQueue[Waiting] = FairQueue()
        self._reading: Reading | None = None
        self._tickets: set[Ticket] = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._draining = False
        self.running = 0
        """Number of completions that were running after the latest step."""
        self._tidied = time.monotonic()
        self._thread = threading.Thread(target=self._loop, name="cosec-scheduler", daemon=True)

    def start(self) -> None:
        """Start the scheduler's thread."""
        self._thread.start()

    def stop(self) -> None:
        """Fail the requests that are running and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def draining(self) -> bool:
        """Whether new requests are refused."""
        return self._draining

    @property
    def alive(self) -> bool:
        """Whether the scheduler's thread is running."""
        return self._thread.is_alive()

    def refuse_new(self) -> None:
        """Answer new requests with 503 from now on. Takes no lock, so a signal handler may call it."""
        self._draining = True

    def drain(self, seconds: float) -> bool:
        """Refuse new requests, and wait until the others are done.

        Args:
            seconds: Maximum time to wait.

        Returns:
            Whether all requests were done in time.
        """
        with self._changed:
            self._draining = True
            return self._changed.wait_for(lambda: not self._tickets, timeout=seconds)

    def submit(self, asked: DecodingRequest, client: str, post: Callable[[Event], None]) -> Ticket:
        """Accept a request.

        Args:
            asked: What to decode. It has at least one new token, unless its prompts are to be scored.
            client: Identity of the client; clients take turns.
            post: Called with every event, on the scheduler's thread; must not block.

        Raises:
            ApiError: 429 when the queue is full, 503 when the server is shutting down.
        """
        count = len(asked.prompts) * asked.samples
        ticket = Ticket(asked, client, time.monotonic() + self._settings.deadline_seconds, post, count)
        with self._changed:
            open_to_new = self.alive and not (self._draining or self._stopping)
            waiting, most = self._waiting_sequences(), self._settings.max_queue
            check_admission(open_to_new=open_to_new, waiting=waiting, count=count, most=most)
            self._tickets.add(ticket)
            for index in range(len(asked.prompts)):
                self._queue.push(client, Waiting(ticket, index, list(range(asked.samples))))
            self._changed.notify_all()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Give up a request; its rows become free after the current block."""
        ticket.cancelled = True
        with self._changed:
            self._changed.notify_all()

    def _waiting_sequences(self) -> int:
        return sum(len(part.samples) for part in self._queue)

    def _loop(self) -> None:
        tidy = True
        while True:
            with self._changed:
                idle = not self._changed.wait_for(
                    lambda: self._stopping or self._busy(), None if tidy else _TIDY_SECONDS
                )
                if self._stopping:
                    break
            tidy = idle
            if idle:
                self._batches.free_memory()
                give_back_free_memory()
                continue
            try:
                self._turn()
            except Exception:  # any failure must not end the server
                _LOG.exception("the scheduler failed; every running request fails")
                self._fail_everything()
        self._fail_everything()

    def _busy(self) -> bool:
        return bool(self._tickets or self._queue or self._reading or self._batches.arms)

    def _turn(self) -> None:
        """One round: give up, admit, decode one block of each arm, deliver."""
        self._drop_what_is_over()
        self._admit()
        for arm in self._batches.arms:
            try:
                step = self._batches.step(arm)
            except Exception:  # a bug or lack of memory fails the requests of this arm only
                _LOG.exception("the engine failed in the arm %s", arm)
                self._abandon(arm)
                continue
            self._deliver(step)
        self._settle()
        if time.monotonic() - self._tidied > _TIDY_UNDER_LOAD_SECONDS:
            give_back_free_memory()
            self._tidied = time.monotonic()

    def _drop_what_is_over(self) -> None:
        now = time.monotonic()
        with self._changed:
            for ticket in self._tickets:
                if now > ticket.deadline:
                    ticket.fail(api_errors.deadline_passed(self._settings.deadline_seconds))
            self._queue.remove(lambda part: part.ticket.over)
        if self._reading is not None and self._reading.part.ticket.over:
            self._reading = None
        self._batches.drop(lambda ticket: ticket.over)

    def _admit(self) -> None:
        """Read prompts up to the token budget of one block, and let those join that have been read."""
        chunk, read = self._settings.prefill_chunk, defaultdict[Arm, list[Reading]](list)
        budget = chunk if self._batches.active else _CHUNKS_WHILE_IDLE * chunk
        taken = 0
        while budget > 0:
            part = self._reading.part if self._reading is not None else self._next_part(taken)
            if part is None:
                break
            try:
                reading, self._reading = self._reading or self._batches.start_reading(part), None
                budget -= max(1, self._batches.read(reading, budget))
            except Exception:  # a bug or lack of memory fails this request only
                _LOG.exception("the engine failed while a prompt was read")
                part.ticket.fail(api_errors.engine_failed())
                continue
            if reading.missing:
                self._reading = reading
                continue
            self._deliver_scores(reading)
            if part.ticket.asked.max_new_tokens:
                read[reading.arm].append(reading)
                taken += len(part.samples)
        for arm, readings in read.items():
            try:
                self._batches.join(arm, readings)
            except Exception:  # the failure may have damaged the batch
                _LOG.exception("the engine failed while sequences joined the arm %s", arm)
                for reading in readings:
                    reading.part.ticket.fail(api_errors.engine_failed())
                self._abandon(arm)

    def _deliver_scores(self, reading: Reading) -> None:
        """Post the scores of a prompt. If no new tokens are requested, its completions end here."""
        part, ticket = reading.part, reading.part.ticket
        if reading.scoring is not None:
            ticket.post(PromptScores(prompt_index=part.prompt_index, tokens=tuple(reading.scoring.tokens)))
        if not ticket.asked.max_new_tokens:
            for sample in part.samples:
                ticket.open_choices -= 1
                choice = part.prompt_index * ticket.asked.samples + sample
                ticket.post(Progress(choice=choice, text="", records=(), finish_reason="length"))

    def _next_part(self, taken: int) -> Waiting | None:
        """The next waiting samples, at most as many as there are free rows; ``taken`` rows are about to be used."""
        with self._changed:
            free = self._settings.max_rows - self._batches.active - taken
            part = self._queue.pop() if free > 0 else None
            if part is None or len(part.samples) <= free:
                return part
            first = part.split(free)
            self._queue.put_back(part.ticket.client, part)
            return first

    def _deliver(self, step: Step) -> None:
        # Counted before the clients get it, so that a client with an answer finds it counted.
        self._telemetry.block([(progress.records, seconds) for _, progress, seconds in step])
        for row, progress, _ in step:
            ticket = row.ticket
            if ticket.over:
                continue
            if ticket.first_token_seconds is None and progress.records:
                ticket.first_token_seconds = time.monotonic() - ticket.submitted
                self._telemetry.first_token(ticket.first_token_seconds)
            ticket.open_choices -= progress.finish_reason is not None
            ticket.post(progress)

    def _settle(self) -> None:
        """Remove tickets that are over, and notify waiting threads."""
        with self._changed:
            self._tickets = {ticket for ticket in self._tickets if not ticket.over}
            self._changed.notify_all()
            waiting = self._waiting_sequences()
        self.running = self._batches.active
        self._telemetry.load(waiting=waiting, running=self.running, remembered_tokens=self._batches.remembered_tokens)

    def _abandon(self, arm: Arm) -> None:
        """Fail the requests of an arm whose key-value cache may be damaged."""
        for ticket in self._batches.abandon(arm):
            ticket.fail(api_errors.engine_failed())

    def _fail_everything(self) -> None:
        for arm in list(self._batches.arms):
            self._abandon(arm)
        with self._changed:
            for ticket in self._tickets:
                ticket.fail(api_errors.engine_failed())
            self._queue.remove(lambda part: True)
            self._reading = None
            self._tickets.clear()
            self._changed.notify_all()
