"""The running server: models, scheduler and HTTP put together, and an orderly end on SIGTERM."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Literal

import uvicorn

from cosec.decoding.pairing import PreparedPair
from cosec.serving.app import create_app
from cosec.serving.audit_log import AuditLog
from cosec.serving.batches import Batches
from cosec.serving.door import check_bind
from cosec.serving.keys import KeyRing
from cosec.serving.scheduler import Scheduler
from cosec.serving.service import Service
from cosec.serving.settings import ServerSettings
from cosec.serving.telemetry import Telemetry
from cosec.serving.translation import Translator


def build_service(
    pair: PreparedPair,
    models: tuple[str, ...],
    *,
    limits: ServerSettings | None = None,
    rule: Mapping[str, object] | None = None,
    draft_length: int | Literal["auto"] = "auto",
    audit_log: AuditLog | None = None,
    metrics: bool = True,
) -> Service:
    """A service whose scheduler is not started yet.

    Raises:
        SettingsError: If the rule's settings do not fit.
    """
    limits = limits or ServerSettings()
    telemetry = Telemetry(enabled=metrics)
    batches = Batches(pair, draft_length, limits.prefix_cache_tokens)
    return Service(
        pair=pair,
        models=models,
        limits=limits,
        translator=Translator(pair, limits, rule or {}),
        scheduler=Scheduler(batches, limits, telemetry),
        telemetry=telemetry,
        audit_log=audit_log,
    )


class Server(uvicorn.Server):
    """uvicorn, but the first SIGTERM or SIGINT lets running requests finish and answers new ones with 503."""

    def __init__(self, service: Service, keys: KeyRing | None, host: str, port: int) -> None:
        """Prepare to listen.

        Raises:
            SettingsError: If the address is open to the network and there are no keys.
        """
        check_bind(host, keys)
        app = create_app(service, keys)
        super().__init__(
            uvicorn.Config(
                app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=5
            )
        )
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, stop at the second."""
        if self._service.scheduler.draining:
            super().handle_exit(sig, frame)
            return
        self._service.scheduler.refuse_new()
        threading.Thread(target=self._drain, name="cosec-drain", daemon=True).start()

    def _drain(self) -> None:
        self._service.scheduler.drain(self._service.limits.grace_seconds)
        self.should_exit = True

    def serve_until_stopped(self) -> None:
        """Run scheduler and server in this thread until a signal ends them."""
        self._service.scheduler.start()
        try:
            self.run()
        finally:
            self._service.scheduler.stop()
            if self._service.audit_log is not None:
                self._service.audit_log.close()


def open_audit_log(path: Path | None, *, with_text: bool, max_bytes: int) -> AuditLog | None:
    """The audit log, where one is wanted."""
    return None if path is None else AuditLog(path, max_bytes=max_bytes, with_text=with_text)
