"""What all package connectors share: one client per origin, errors as outcomes."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from connectors.errors import (
    GARBAGE,
    AddressRefused,
    BodyRefused,
    ConnectorError,
    HostClosed,
    QuotaSpent,
    RateLimited,
    TransientError,
    UnexpectedStatus,
)
from connectors.http.answers import HttpResponse
from connectors.http.client import HttpClient
from connectors.http.pacing import AdaptiveLimiter, HostState
from connectors.origins import Find, Origin, Origins
from connectors.registries.lookup import Outcome, PackageRequest, PackageResponse

_BY_STATUS = {
    404: Outcome.PACKAGE_ABSENT,
    410: Outcome.GONE,
    451: Outcome.BLOCKED_LEGAL,
}
SEEN = frozenset({200, 304, 404, 410, 451})
"""Statuses that say something about the package."""


class Fetch(Protocol):
    """Ask one kind of registry. Raises ConnectorError, which becomes an outcome."""

    def __call__(
        self, http: HttpClient, origin: Origin, target: PackageRequest
    ) -> PackageResponse: ...


@dataclass(frozen=True)
class Probe:
    """The result of a trial request; `stripped` names what should have come and did not."""

    message: str
    stripped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connector:
    """Everything about one kind of registry. `probe` tries an origin with two or three requests."""

    fetch: Fetch
    origin: Find
    probe: Callable[[HttpClient, Origin], Probe]


class PackageRegistries:
    """Ask the registry of a target, with one client (so one limiter and one pool) per origin.

    `client` makes the client of an origin and its limiter from the host's state. `remember` sets
    the states that earlier runs learned.
    """

    def __init__(
        self,
        origins: Origins,
        connectors: Mapping[str, Connector],
        client: Callable[[Origin, HostState], tuple[HttpClient, AdaptiveLimiter]],
    ) -> None:
        self.origins = origins
        self._connectors = connectors
        self._make = client
        self._clients: dict[str, tuple[HttpClient, AdaptiveLimiter]] = {}
        self._states: dict[str, HostState] = {}
        self._lock = threading.Lock()

    def remember(self, states: Mapping[str, HostState]) -> None:
        """Set what earlier runs learned about the hosts. Call it before anything is asked."""
        self._states = dict(states)

    def states(self) -> dict[str, HostState]:
        """The present state of the host of every origin that was asked."""
        with self._lock:
            return {origin: limiter.state for origin, (_, limiter) in self._clients.items()}

    def slots(self, origin_id: str) -> int:
        """How many requests an origin takes at once, at most."""
        origin = self.origins.find(origin_id)
        return origin.limits.slots if origin else 1

    def fetch(self, target: PackageRequest) -> PackageResponse | None:
        """Ask for a package; None while the host is paused. An error comes back as an outcome."""
        origin = self.origins.find(target.origin)
        connector = self._connectors.get(target.origin.partition(":")[0])
        if origin is None or connector is None:
            return PackageResponse(Outcome.FORBIDDEN, "", detail=f"{target.origin} is not allowed")
        try:
            http, _ = self._client(origin)
            return connector.fetch(http, origin, target)
        except HostClosed:
            return None
        except ConnectorError as error:
            return PackageResponse(outcome_of(error), origin.url, detail=str(error)[:500])
        # Any document may be broken; one must never stop the run.
        except GARBAGE as error:
            return PackageResponse(Outcome.MALFORMED, origin.url, detail=repr(error)[:500])

    def probe(self, origin_id: str) -> Probe:
        """Try an origin. Raises ConnectorError."""
        origin = self.origins.find(origin_id)
        if origin is None:
            raise ConnectorError(f"{origin_id} is not allowed")
        http, _ = self._client(origin)
        return self._connectors[origin_id.partition(":")[0]].probe(http, origin)

    def requests(self) -> int:
        with self._lock:
            return sum(http.requests for http, _ in self._clients.values())

    def close(self) -> None:
        for http, _ in self._clients.values():
            http.close()

    def _client(self, origin: Origin) -> tuple[HttpClient, AdaptiveLimiter]:
        with self._lock:
            if origin.id not in self._clients:
                state = self._states.get(origin.id, HostState())
                self._clients[origin.id] = self._make(origin, state)
            return self._clients[origin.id]


def outcome_of(error: ConnectorError) -> Outcome:
    """What an error says about the package: never anything definitive."""
    if isinstance(error, RateLimited | QuotaSpent):
        return Outcome.RATE_LIMITED
    if isinstance(error, BodyRefused):
        return Outcome.TOO_LARGE
    if isinstance(error, TransientError):
        return Outcome.UPSTREAM_ERROR
    if isinstance(error, AddressRefused):
        return Outcome.FORBIDDEN
    if isinstance(error, UnexpectedStatus) and error.status in (401, 403):
        return Outcome.FORBIDDEN
    return Outcome.MALFORMED


def status_outcome(status: int, target: PackageRequest) -> Outcome:
    """The outcome of a primary request's status; no other request decides on absence."""
    if status == 304:
        # We sent no condition, so a 304 refers to nothing.
        return Outcome.NOT_MODIFIED if validators(target) else Outcome.MALFORMED
    return Outcome.OK if status == 200 else _BY_STATUS.get(status, Outcome.UPSTREAM_ERROR)


def validators(target: PackageRequest) -> dict[str, str]:
    """Headers that make a request conditional."""
    headers = {}
    if target.etag:
        headers["If-None-Match"] = target.etag
    if target.last_modified:
        headers["If-Modified-Since"] = target.last_modified
    return headers


def validator_of(answer: HttpResponse, name: str) -> str:
    """A validator that can be sent back unchanged; empty if there is none."""
    value = answer.headers.get(name, "")
    return value if value.isascii() and value.isprintable() else ""
