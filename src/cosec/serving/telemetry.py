"""Prometheus metrics of the server."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cosec.decoding.trace import TokenOrigin, TokenRecord

_FIRST_TOKEN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_INTER_TOKEN_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Telemetry:
    """The metrics of one server, in their own registry."""

    def __init__(self, *, enabled: bool = True) -> None:
        """Create the metrics, all 0.

        Args:
            enabled: Whether tokens, times and load are counted; requests and failures always are.
        """
        self._enabled = enabled
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests by HTTP status", ("status",))
        self._tokens = self._counter("tokens", "Emitted tokens by the model that chose them", ("source",))
        self._audit_failures = self._counter("audit_log_failures", "Failures to write or rotate the audit log")
        self._prompt_tokens = self._counter("prompt_tokens", "Tokens of prompts")
        self._drafted = self._counter("draft_tokens", "Proposals of the security model that were verified")
        self._accepted = self._counter("accepted_tokens", "Proposals of the security model that were accepted")
        self._compared = self._counter("compared_tokens", "Emitted tokens whose place the target was asked about")
        self._changed = self._counter("changed_tokens", "Compared tokens that are not the target's most likely one")
        self._first_token = Histogram(
            "cosec_time_to_first_token_seconds",
            "From the arrival of a request to its first token",
            registry=self._registry,
            buckets=_FIRST_TOKEN_BUCKETS,
        )
        self._inter_token = Histogram(
            "cosec_inter_token_seconds",
            "Between two tokens of a sequence",
            registry=self._registry,
            buckets=_INTER_TOKEN_BUCKETS,
        )
        self._waiting = self._gauge("queue_depth", "Completions that wait to be decoded")
        self._running = self._gauge("batch_rows", "Sequences being decoded")
        self._remembered = self._gauge("kv_cache_tokens", "Tokens in the key-value caches, cached prompts included")

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(f"cosec_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"cosec_{name}", text, registry=self._registry)

    def request(self, status: int, prompt_tokens: int = 0) -> None:
        """Count an answered request.

        Args:
            status: HTTP status; 499 if the client disconnected.
            prompt_tokens: Tokens of its prompts.
        """
        self._requests.labels(str(status)).inc()
        self._prompt_tokens.inc(prompt_tokens)

    def audit_failure(self) -> None:
        """Count a line that the audit log could not write, or not within its size limit."""
        self._audit_failures.inc()

    def first_token(self, seconds: float) -> None:
        """Record how many seconds a request waited for its first token."""
        if self._enabled:
            self._first_token.observe(seconds)

    def block(self, emitted: Sequence[tuple[Sequence[TokenRecord], float]]) -> None:
        """Count the tokens of one decoding step.

        Args:
            emitted: For each sequence its new tokens, and the seconds since its previous ones.
        """
        if not self._enabled:
            return
        tokens = dict.fromkeys(TokenOrigin, 0)
        drafted = compared = changed = 0
        for records, seconds in emitted:
            for record in records:
                tokens[record.origin] += 1
                drafted += record.proposed_id is not None
                compared += record.changed is not None
                changed += record.changed is True
            for record in records:
                if record.position:  # the wait for the first token has its own histogram
                    self._inter_token.observe(seconds / len(records))
        for origin, count in tokens.items():
            self._tokens.labels(origin.value).inc(count)
        self._drafted.inc(drafted)
        self._accepted.inc(tokens[TokenOrigin.SECURITY])
        self._compared.inc(compared)
        self._changed.inc(changed)

    def load(self, *, waiting: int, running: int, remembered_tokens: int) -> None:
        """Record the current load.

        Args:
            waiting: Completions that wait to be decoded.
            running: Sequences being decoded.
            remembered_tokens: Tokens in the key-value caches.
        """
        if self._enabled:
            self._waiting.set(waiting)
            self._running.set(running)
            self._remembered.set(remembered_tokens)

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
