"""What the connectors of all package registries share: clients per host, errors as outcomes."""

import threading
from collections.abc import Callable
from typing import Protocol

from connectors.errors import (
    GARBAGE,
    AddressRefused,
    BodyRefused,
    ConnectorError,
    MalformedPage,
    RateLimited,
    UnexpectedStatus,
)
from connectors.http import Answer, HttpClient
from connectors.origins import Origin, Origins
from connectors.outcomes import Fetched, Outcome, Target

_BY_STATUS = {
    404: Outcome.PACKAGE_ABSENT,
    410: Outcome.GONE,
    451: Outcome.BLOCKED_LEGAL,
}


class Connector(Protocol):
    """One kind of registry. Raises ConnectorError; `fetch` turns that into an outcome."""

    def __call__(self, http: HttpClient, origin: Origin, target: Target) -> Fetched: ...


class PackageRegistries:
    """Asks the registry of a target, with one client (so one pace and pool) per origin."""

    def __init__(
        self,
        origins: Origins,
        connectors: dict[str, Connector],
        client: Callable[[Origin], HttpClient],
    ) -> None:
        self.origins = origins
        self._connectors = connectors
        self._make = client
        self._clients: dict[str, HttpClient] = {}
        self._lock = threading.Lock()

    def fetch(self, target: Target) -> Fetched:
        """Never raises for what a registry does: trouble comes back as an outcome."""
        origin = self.origins.find(target.origin)
        connector = self._connectors.get(target.origin.partition(":")[0])
        if origin is None or connector is None:
            return Fetched(Outcome.FORBIDDEN, "", detail=f"{target.origin} is not allowed")
        try:
            return connector(self._client(origin), origin, target)
        except ConnectorError as error:
            return Fetched(outcome_of(error), origin.url, detail=str(error)[:500])
        except GARBAGE as error:
            return Fetched(Outcome.MALFORMED, origin.url, detail=repr(error)[:500])

    def requests(self) -> int:
        with self._lock:
            return sum(client.requests for client in self._clients.values())

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _client(self, origin: Origin) -> HttpClient:
        with self._lock:
            if origin.id not in self._clients:
                self._clients[origin.id] = self._make(origin)
            return self._clients[origin.id]


def outcome_of(error: ConnectorError) -> Outcome:
    if isinstance(error, RateLimited):
        return Outcome.RATE_LIMITED
    if isinstance(error, BodyRefused):
        return Outcome.TOO_LARGE
    if isinstance(error, AddressRefused):
        return Outcome.FORBIDDEN
    if isinstance(error, MalformedPage):
        return Outcome.MALFORMED
    if isinstance(error, UnexpectedStatus) and error.status in (401, 403):
        return Outcome.FORBIDDEN
    return Outcome.UPSTREAM_ERROR


def status_outcome(status: int) -> Outcome:
    """The outcome of a primary request's status; no other request decides on absence."""
    if status == 304:
        return Outcome.NOT_MODIFIED
    return Outcome.OK if status == 200 else _BY_STATUS.get(status, Outcome.UPSTREAM_ERROR)


def validators(target: Target) -> dict[str, str]:
    """Headers that make a request conditional."""
    headers = {}
    if target.etag:
        headers["If-None-Match"] = target.etag
    if target.last_modified:
        headers["If-Modified-Since"] = target.last_modified
    return headers


def serial_of(answer: Answer) -> int | None:
    text = answer.headers.get("x-pypi-last-serial", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def validator_of(answer: Answer, name: str) -> str:
    """A validator that can be sent back as it is; empty if there is none."""
    value = answer.headers.get(name, "")
    return value if value.isascii() and value.isprintable() else ""
