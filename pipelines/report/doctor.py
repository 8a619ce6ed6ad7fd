"""Doctor: which sources answer, which tokens work, what is stripped; at most ten requests.

A proxy in front of a registry may drop validators, fields and headers; the line works without them,
but knows less. Nothing is stored.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from connectors.errors import GARBAGE, ConnectorError
from connectors.http.client import HttpClient, RequestPolicy
from connectors.origins import Origins
from connectors.registries.clients import PackageRegistries, Probe
from connectors.registries.downloads import COUNTERS
from connectors.upstreams.page import read_page
from connectors.upstreams.places import base_url, is_registry
from enrich.ecosystems import USUAL
from pipelines.errors import UsageError

MAX_REQUESTS = 10
_NEEDED = 2  # requests that a probe may need; with fewer left, it is not started
_TROUBLE = (ConnectorError, *GARBAGE)


@dataclass(frozen=True)
class Sources:
    """What a deployment asks: upstreams and package registries, each with a client to close.

    `named` are the registries in its settings, `advised` those that give advisories.
    """

    upstreams: Mapping[str, str]
    upstream_client: Callable[[str, RequestPolicy], HttpClient]
    origins: Origins
    named: Sequence[str]
    advised: Sequence[str]
    registries: Callable[[RequestPolicy], AbstractContextManager[PackageRegistries]]


@dataclass(frozen=True)
class Finding:
    """One source. `state` is works, partial (something is stripped), fails, not asked or off."""

    source: str
    state: str
    message: str
    requests: int = 0
    milliseconds: int = 0
    stripped: tuple[str, ...] = ()


def doctor(sources: Sources, *, only: str | None = None) -> list[Finding]:
    """Probe upstreams and package registries in this order, or only the one named.

    Raises UsageError for an unknown name.
    """
    probes: dict[str, Callable[[RequestPolicy], tuple[Probe, int]]] = {}
    for name, place in sources.upstreams.items():
        if is_registry(place):
            probes[f"upstream:{name}"] = _Upstream(sources, name, place)
    for origin in dict.fromkeys((*sources.named, *USUAL, *sources.advised)):
        probes[origin] = _Registry(sources, origin)
    off = [source for source in COUNTERS if not sources.origins.is_named(source)]
    if only is not None and only not in (*probes, *off):
        if sources.origins.find(only) is None:
            raise UsageError(f"there is no source {only}; they are {', '.join(probes)}")
        probes[only] = _Registry(sources, only)
    findings, left = [], MAX_REQUESTS
    for source, probe in probes.items():
        if only not in (None, source):
            continue
        if left < _NEEDED:
            hint = f"ten requests are used up; subregistry doctor --only {source}"
            findings.append(Finding(source, "not asked", hint))
            continue
        finding = _ask(source, probe, left)
        findings.append(finding)
        left -= finding.requests
    hint = "downloads are not counted there; name it in SUBREGISTRY_ORIGINS if that is wanted"
    return findings + [Finding(source, "off", hint) for source in off if only in (None, source)]


def _ask(source: str, probe: Callable[[RequestPolicy], tuple[Probe, int]], left: int) -> Finding:
    policy = RequestPolicy(rate=1.0, tries=1, timeout=10.0, deadline=20.0, budget=left)
    start = time.monotonic()
    try:
        answer, requests = probe(policy)
    except _Failed as error:
        return Finding(source, "fails", str(error), error.requests)
    return Finding(
        source,
        "partial" if answer.stripped else "works",
        answer.message,
        requests,
        round((time.monotonic() - start) * 1000),
        answer.stripped,
    )


class _Failed(Exception):
    """A probe without a useful answer, and the number of requests that it sent."""

    def __init__(self, message: str, requests: int) -> None:
        super().__init__(message)
        self.requests = requests


@dataclass(frozen=True)
class _Upstream:
    """Probe an upstream: read one page of two entries."""

    sources: Sources
    name: str
    place: str

    def __call__(self, policy: RequestPolicy) -> tuple[Probe, int]:
        with self.sources.upstream_client(self.name, policy) as http:
            try:
                return _page(http, f"{base_url(self.place)}/v0.1/servers?limit=2"), http.requests
            except _TROUBLE as error:
                raise _Failed(str(error), http.requests) from error


def _page(http: HttpClient, url: str) -> Probe:
    page = read_page(http.get(url).body, url=url)
    return Probe(f"answers with {len(page.entries)} entries")


@dataclass(frozen=True)
class _Registry:
    """Probe a package registry with its own connector."""

    sources: Sources
    origin: str

    def __call__(self, policy: RequestPolicy) -> tuple[Probe, int]:
        try:
            with self.sources.registries(policy) as registries:
                try:
                    return registries.probe(self.origin), registries.requests()
                except _TROUBLE as error:
                    raise _Failed(str(error), registries.requests()) from error
        except ConnectorError as error:
            raise _Failed(str(error), 0) from error
