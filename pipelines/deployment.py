"""From settings to what the steps use: warehouse, HTTP clients, feeds, clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from urllib.parse import urlsplit

from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.http.pacing import AdaptiveLimiter, HostState, Pacer
from connectors.http.routes import Route
from connectors.origins import Origin, Origins
from connectors.registries.clients import Connector, PackageRegistries
from connectors.registries.downloads import COUNTERS
from connectors.registries.osv import ADVISORIES
from connectors.upstreams.places import base_url
from enrich.ecosystems import ECOSYSTEMS
from pipelines.accounts import Accounts
from pipelines.audit import AuditLog
from pipelines.settings import Settings
from serve.feed.feed import Feed
from serve.policy.blocks import BlockList
from serve.policy.policy import Policy
from serve.policy.reader import Policies, read_policies
from warehouse.database.warehouse import Warehouse
from warehouse.expressions.compile import compile_predicate

_REQUEST_POLICY = RequestPolicy(tries=3, retry_for=120.0, timeout=30.0, deadline=60.0)


class Deployment:
    """One deployment and its clock; `pipelines.line` passes them to the steps."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._sleep = sleep
        self.warehouse = Warehouse(
            settings.warehouse, wait=settings.warehouse_wait, memory_limit=settings.memory_limit
        )

    def documents(self) -> Policies:
        """All feed documents: the valid ones, and an error for each broken one."""
        return read_policies(self.settings.feeds, compile_predicate)

    def policies(self, name: str | None = None) -> tuple[Policy, ...]:
        """All feeds with a valid document, or only the feed named; empty if there is no such feed.

        Raises PolicyInvalid if the document of the feed named is broken.
        """
        documents = self.documents()
        if name in documents.broken:
            raise documents.broken[str(name)]
        return tuple(policy for policy in documents.valid if name in (None, policy.name))

    @property
    def blocks(self) -> BlockList:
        """The list of what no feed may show."""
        return BlockList(self.settings.feed_root)

    def feed(self, name: str) -> Feed:
        return Feed(self.settings.feed_root, name)

    def upstream_client(self, name: str, policy: RequestPolicy) -> HttpClient:
        """A client for the registry of an upstream; the caller closes it. Raises ConnectorError."""
        upstream = self.settings.sources[name]
        base = base_url(upstream.url)
        route = upstream.route([base])
        if upstream.rate is not None:
            policy = replace(policy, rate=upstream.rate)
        # Only hosts that the operator names may resolve to a private address.
        hosts = {urlsplit(url).hostname or "" for url in (base, route.proxy) if url}
        return self._client(policy, frozenset(hosts), route)

    @property
    def accounts(self) -> Accounts:
        """What was tried last, and what came of it."""
        return Accounts(self.settings.state)

    @property
    def audit(self) -> AuditLog:
        return AuditLog(self.settings.home / "audit.jsonl", now=self.clock)

    @property
    def origins(self) -> Origins:
        """The address of each package registry in this deployment."""
        connectors = {kind: connector.origin for kind, connector in _connectors().items()}
        return Origins(connectors, self.settings.origins)

    @contextmanager
    def registries(self, policy: RequestPolicy = _REQUEST_POLICY) -> Iterator[PackageRegistries]:
        """The package registries, each with its own client; closed when the block ends."""
        origins, rate = self.origins, self.settings.package_rate

        def client(origin: Origin, state: HostState) -> tuple[HttpClient, AdaptiveLimiter]:
            limits = origin.limits if rate is None else replace(origin.limits, rate=rate)
            limiter = AdaptiveLimiter(
                limits,
                state=state,
                now=self.clock,
                sleep=self._sleep,
                bans=not origins.is_mirror(origin.id),
            )
            hosts = origins.operator_hosts()
            return self._client(policy, hosts, origins.route(origin), limiter), limiter

        registries = PackageRegistries(origins, _connectors(), client)
        with closing(registries):
            yield registries

    def _client(
        self,
        policy: RequestPolicy,
        operator_hosts: frozenset[str],
        route: Route | None = None,
        pacer: Pacer | None = None,
    ) -> HttpClient:
        return HttpClient(
            AddressPolicy(loopback_only=self.settings.offline, operator_hosts=operator_hosts),
            f"subregistry/{version('subregistry')} (+{self.settings.contact})",
            policy,
            sleep=self._sleep,
            route=route or Route(),
            pacer=pacer,
        )


def _connectors() -> dict[str, Connector]:
    return (
        {kind: ecosystem.connector for kind, ecosystem in ECOSYSTEMS.items()}
        | COUNTERS
        | ADVISORIES
    )
