"""Prometheus figures of the service, of one process or of several that share a folder."""

import os
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.ext.asyncio import AsyncEngine

from service.observability import shared_metrics

MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Counts requests by route template, so that the number of series is that of the routes."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._seconds = Histogram(
            "roster_request_seconds", "Time to answer.", labels, registry=self._registry, buckets=_BUCKETS
        )
        self._connections = Gauge(
            "roster_pool_connections",
            "Connections to the database.",
            ("purpose", "state"),
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self.imported = Counter(
            "roster_imported_lines", "Lines of imports.", ("noun", "outcome"), registry=self._registry
        )
        self._token_checks = Counter(
            "roster_token_checks",
            "Checks of tokens, by how they ended.",
            ("outcome",),
            registry=self._registry,
        )
        self._logins = Counter(
            "roster_logins", "Attempts to log in, by their outcome.", ("outcome",), registry=self._registry
        )
        self._passwords = Gauge(
            "roster_passwords_in_hand",
            "Passwords that are hashed or wait for a thread.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._count_passwords: Callable[[], int] | None = None
        self._outcomes: dict[str, Any] = {}
        self._children: dict[tuple[str, str, int], Any] = {}
        self._engines: dict[str, AsyncEngine] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `status` 0 is a caller who went away."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            labels = (method if method in _METHODS else "other", route or "none", str(status))
            child = self._children[key] = self._seconds.labels(*labels)
        child.observe(seconds)

    def count_token_check(self, outcome: str) -> None:
        """Count the check of one token: `valid`, `cached`, or why it was refused."""
        child = self._outcomes.get(outcome)
        if child is None:
            child = self._outcomes[outcome] = self._token_checks.labels(outcome)
        child.inc()

    def count_login(self, outcome: str) -> None:
        """Count one attempt to log in."""
        self._logins.labels(outcome).inc()

    def watch_passwords(self, count: Callable[[], int]) -> None:
        """Report how many passwords are in hand from now on."""
        self._count_passwords = count

    def watch(self, purpose: str, engine: AsyncEngine) -> None:
        """Report the pool of an engine from now on."""
        self._engines[purpose] = engine

    def sample(self) -> None:
        """Note how busy the pools are now; each process shares only what it has noted itself."""
        if self._count_passwords:
            self._passwords.set(self._count_passwords())
        for purpose, engine in self._engines.items():
            pool = engine.pool
            if isinstance(pool, AsyncAdaptedQueuePool):
                self._connections.labels(purpose, "busy").set(pool.checkedout())
                self._connections.labels(purpose, "idle").set(pool.checkedin())

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        self.sample()
        if shared_metrics.VARIABLE in os.environ:
            shared = CollectorRegistry()
            MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
            with shared_metrics.unchanged():
                return generate_latest(shared)
        return generate_latest(self._registry)
