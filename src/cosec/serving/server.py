"""The running server: models, scheduler and HTTP together, and a graceful shutdown on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Literal, TypeVar

import uvicorn

from cosec.decoding.blackbox.gated_text import OnFailure
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.text_target import InReaderThread, TextTarget
from cosec.decoding.pairing import PreparedPair
from cosec.errors import SettingsError
from cosec.serving.access.audit_log import AuditLog
from cosec.serving.access.keys import KeyRing
from cosec.serving.access.network import check_bind, check_proxies, why_not_bound
from cosec.serving.api.app import create_app
from cosec.serving.api.service import Service
from cosec.serving.api.target_translation import TargetTranslator
from cosec.serving.api.translation import Translator
from cosec.serving.scheduler.batches import Batches
from cosec.serving.scheduler.scheduler import Scheduler
from cosec.serving.scheduler.target_scheduler import TargetScheduler
from cosec.serving.settings import ServerSettings
from cosec.serving.telemetry import Telemetry
from cosec.serving.verdicts import Judge

Loaded = TypeVar("Loaded")
"""The type of what is loaded."""


def in_a_thread_that_ends(load: Callable[[], Loaded]) -> Loaded:
    """Call ``load`` in a thread of its own and return its result.

    torch keeps OpenMP workers for every thread that has computed something, until that thread ends. Workers of the main
    thread in addition to the scheduler's would be more than there are cores, which slows every matrix product.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(load).result()


def build_service(
    pair: PreparedPair,
    models: tuple[str, ...],
    *,
    limits: ServerSettings | None = None,
    rule: Mapping[str, object] | None = None,
    draft_length: int | Literal["auto"] = "auto",
    audit_log: AuditLog | None = None,
    metrics: bool = True,
    checks_with: Sequence[str] | None = None,
) -> Service:
    """Build a service; its scheduler is not started yet.

    Args:
        pair: The models.
        models: Names by which clients may call the model; the first is its own.
        limits: What clients may ask for.
        rule: The rule and its settings for requests that name none; see `Translator`.
        draft_length: Tokens proposed before one verification.
        audit_log: Where requests are logged.
        metrics: Whether tokens and times are counted; requests always are.
        checks_with: The program that judges completions, with its arguments; None for no verdicts.

    Returns:
        The service.

    Raises:
        SettingsError: If the rule's settings do not fit the rule or the models, or the runtime cannot run the rows.
    """
    limits = limits or ServerSettings()
    _check_rows(pair, limits)
    telemetry = Telemetry(enabled=metrics)
    batches = Batches(pair, draft_length, limits.prefix_cache_tokens, target_records=limits.target_records)
    return Service(
        pair=pair,
        models=models,
        limits=limits,
        translator=Translator(pair, limits, rule or {}),
        scheduler=Scheduler(batches, limits, telemetry),
        telemetry=telemetry,
        audit_log=audit_log,
        judge=None if checks_with is None else Judge(checks_with),
    )


def build_proxy(
    make_target: Callable[[InReaderThread], TextTarget],
    reader: SecurityReader,
    models: tuple[str, ...],
    *,
    limits: ServerSettings | None = None,
    rule: Mapping[str, object] | None = None,
    audit_log: AuditLog | None = None,
    on_failure: OnFailure = "fail",
    checks_with: Sequence[str] | None = None,
    target: PreparedPair | None = None,
    any_name: bool = False,
) -> Service:
    """Build the service of a target that is hardened as text; its scheduler is not started yet.

    Args:
        make_target: Makes the target, with what runs a function in the thread of the models.
        reader: The security model.
        models: Names by which clients may call the hardened target.
        limits: What clients may ask for.
        rule: The rule and its settings for requests that name none.
        audit_log: Where requests are logged.
        on_failure: What happens if the security model cannot check a text.
        checks_with: The program that judges completions, with its arguments; None for no verdicts.
        target: The target if it is in this process; None for a server.
        any_name: Whether clients may call the hardened target by any other name, too.

    Raises:
        SettingsError: If the target does not allow the rule, or its runtime cannot run the rows.
    """
    limits = limits or ServerSettings()
    if target is not None:
        _check_rows(target, limits)
    telemetry = Telemetry()
    return Service(
        pair=reader.pair,
        models=models,
        any_name=any_name,
        limits=limits,
        translator=TargetTranslator(reader.pair, limits, rule or {}, target),
        scheduler=TargetScheduler(make_target, reader, limits, telemetry, on_failure),
        telemetry=telemetry,
        audit_log=audit_log,
        judge=None if checks_with is None else Judge(checks_with),
    )


def _check_rows(pair: PreparedPair, limits: ServerSettings) -> None:
    """Check that the runtime of the models can run as many completions at once as the server does.

    Raises:
        SettingsError: If it cannot.
    """
    if pair.most_sequences is not None and limits.max_rows > pair.most_sequences // 2:
        raise SettingsError(
            f"--max-rows {limits.max_rows} is more than llama.cpp can run beside cached prompts: at most "
            f"{pair.most_sequences // 2}, or choose --runtime torch."
        )


class WithoutCancellations(logging.Filter):
    """Leaves out tracebacks of requests that are cancelled because a second signal stops the server."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


_WITHOUT_CANCELLATIONS = WithoutCancellations()


class Server(uvicorn.Server):
    """A uvicorn server that shuts down gracefully.

    At the first SIGTERM or SIGINT running requests may finish and new ones get 503. The second signal stops it.
    """

    def __init__(
        self, service: Service, keys: KeyRing | None, host: str, port: int, *, trusted_proxies: Sequence[str] = ()
    ) -> None:
        """Prepare to listen.

        Args:
            service: What answers requests.
            keys: The keys that may use the server; None if it needs no key.
            host: Address to listen on.
            port: Port to listen on; 0 takes a free one.
            trusted_proxies: Addresses and networks of proxies. The client of a request that one of them passes on is
                the right-most address in ``X-Forwarded-For`` that is not itself a trusted proxy. Without any, the
                header is ignored and the client is the peer of the connection.

        Raises:
            SettingsError: If the address is open to the network and there are no keys, or a proxy is no address.
        """
        check_bind(host, keys)
        check_proxies(trusted_proxies)
        config = uvicorn.Config(
            create_app(service, keys),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=list(trusted_proxies),
        )
        logging.getLogger("uvicorn.error").addFilter(_WITHOUT_CANCELLATIONS)
        super().__init__(config)
        self._service = service
        self._announce: Callable[[str], None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the graceful shutdown at the first signal, stop at the second."""
        if self._service.scheduler.draining:
            super().handle_exit(sig, frame)
            return
        self._service.scheduler.refuse_new()
        threading.Thread(target=self._drain, name="cosec-drain", daemon=True).start()

    def _drain(self) -> None:
        self._service.scheduler.drain(self._service.limits.grace_seconds)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and announce the address.

        Raises:
            SettingsError: If another program took the port in the meantime.
        """
        try:
            for one in sockets or ():
                one.listen(self.config.backlog)  # here, as uvloop does not raise what prevents it
            await super().startup(sockets)
        except OSError as error:
            raise SettingsError(why_not_bound(self.config.host, self.config.port, error)) from error
        if self.started and self._announce is not None:
            name = self.servers[0].sockets[0].getsockname()
            host = f"[{name[0]}]" if ":" in name[0] else name[0]
            self._announce(f"http://{host}:{name[1]}")

    def serve_until_stopped(
        self, announce: Callable[[str], None], sockets: Sequence[socket.socket] | None = None
    ) -> None:
        """Run the scheduler, and the server in this thread, until a signal stops them.

        Args:
            announce: Called with the server's address once it listens.
            sockets: Bound sockets to listen on, instead of host and port; they are closed at the end.
        """
        self._announce = announce
        self._service.scheduler.start()
        try:
            self.run(None if sockets is None else list(sockets))
        finally:
            self._service.scheduler.stop()
            if self._service.audit_log is not None:
                self._service.audit_log.close()
