"""From settings to the things that steps work with: warehouse, clients, feeds, clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from connectors.http.client import HttpClient, Manners
from connectors.http.network import AddressPolicy
from connectors.http.pacing import Governor, HostState, Pacer
from connectors.http.routes import Route
from connectors.origins import Origin, Origins
from connectors.registries.clients import Connector, PackageRegistries
from connectors.registries.downloads import COUNTERS
from connectors.registries.osv import ADVISORIES, OSV
from connectors.upstreams.registry import Registry, base_url
from enrich.ecosystems import ECOSYSTEMS
from pipelines.audit import AuditLog
from pipelines.errors import StepError, UsageError
from pipelines.progress import Progress, silent
from pipelines.settings import Settings
from pipelines.steps.block import BlockReport, block, lift
from pipelines.steps.curate import CurateReport, curate, note_overlays
from pipelines.steps.documents import pull_documents
from pipelines.steps.gate import Limits
from pipelines.steps.profile import ProfileReport, profile
from pipelines.steps.pull import PullReport, pull
from pipelines.steps.switch import SwitchReport, go_back, switch
from serve.feed.feed import Feed
from serve.policy.blocks import Block, BlockList
from serve.policy.policy import Policies, Policy, read_policies
from warehouse.database.warehouse import Warehouse
from warehouse.expressions.compile import compile_predicate
from warehouse.walk.state import read_state

_MANNERS = Manners(tries=3, patience=120.0, timeout=30.0, deadline=60.0)
_PATIENCE = 900.0


class Deployment:
    """One deployment with its clock; the steps are called with what it holds."""

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
        """All feed documents, the broken ones told apart."""
        return read_policies(self.settings.feeds, compile_predicate)

    def policies(self, name: str | None = None) -> tuple[Policy, ...]:
        """All feeds with a good document, or the one named; empty if there is none of that name.

        Raises PolicyInvalid if the one named has a broken one.
        """
        found = self.documents()
        if name in found.broken:
            raise found.broken[str(name)]
        return tuple(policy for policy in found.valid if name in (None, policy.name))

    @property
    def blocks(self) -> BlockList:
        """What no feed may show."""
        return BlockList(self.settings.feed_root)

    def curate(self, policy: Policy, *, progress: Progress = silent) -> CurateReport:
        """The curate step, with what is blocked; overlays that came or went are on record."""
        report = curate(self.warehouse, policy, self.blocks, now=self.clock, progress=progress)
        self.feed(policy.name).identify(policy.served)
        note_overlays(self.feed(policy.name), policy, self.audit, now=self.clock())
        return report

    def feed(self, name: str) -> Feed:
        return Feed(self.settings.feed_root, name)

    def pull(
        self,
        upstream: str | None = None,
        *,
        full: bool = False,
        accept_shrink: bool = False,
        progress: Progress = silent,
    ) -> PullReport:
        """The pull step against one upstream, by default the first."""
        settings = self.settings
        sources = settings.sources
        upstream = upstream or next(iter(sources))
        if upstream not in sources:
            raise UsageError(f"there is no upstream {upstream}; they are {', '.join(sources)}")
        self._check_precedence(upstream)
        place = sources[upstream]
        if settings.upstreams and not place.startswith(("http://", "https://")):
            return pull_documents(
                self.warehouse,
                Path(place.removeprefix("file://")),
                upstream=upstream,
                now=self.clock,
                spool_folder=settings.spool,
                accept_shrink=accept_shrink,
            )
        manners = Manners(rate=settings.upstream_rate, budget=settings.upstream_budget)
        with self.upstream_client(place, manners) as http:
            return pull(
                self.warehouse,
                Registry(http, place, now=self.clock, page=settings.upstream_page),
                upstream=upstream,
                now=self.clock,
                spool_folder=settings.spool,
                overlap=timedelta(seconds=settings.overlap),
                requests=lambda: http.requests,
                full=full,
                accept_shrink=accept_shrink,
                progress=progress,
            )

    def upstream_client(self, place: str, manners: Manners) -> HttpClient:
        """A client for the registry at a URL; close it."""
        return self._client(manners, frozenset({urlsplit(base_url(place)).hostname or ""}))

    def _check_precedence(self, upstream: str) -> None:
        """Names are bound in order of precedence, so a first walk waits for those above."""
        sources = list(self.settings.sources)
        above = sources[: sources.index(upstream)]
        if not above:
            return
        with self.warehouse.session() as session:
            states = {name: read_state(session, name) for name in above}
        for name, state in states.items():
            if state is None or state.full_walk_at is None:
                raise StepError(
                    f"{upstream} was not pulled: {name} comes before it and was never pulled "
                    "whole, so it is not known which names are its own; make subregistry pull "
                    f"--upstream {name} work first (subregistry quarantine may tell what is wrong "
                    "with it), or take it off the list"
                )

    def profile(
        self,
        *,
        budget: int = 1_000_000,
        only: tuple[str, str] | None = None,
        progress: Progress = silent,
    ) -> ProfileReport:
        """The profile step against the configured package registries.

        A pull may have the warehouse for minutes; what was fetched meanwhile waits for it.
        """
        settings = self.settings
        warehouse = Warehouse(
            settings.warehouse,
            wait=max(settings.warehouse_wait, _PATIENCE),
            memory_limit=settings.memory_limit,
        )
        with self.registries() as registries:
            return profile(
                warehouse,
                registries,
                now=self.clock,
                lock=settings.profile_lock,
                budget=budget,
                seconds=self.settings.profile_seconds,
                only=only,
                advised=not settings.offline or self.origins.is_named(OSV),
                progress=progress,
            )

    def limits(self, policy: Policy) -> Limits:
        """What the gate allows a feed to lose."""
        gate = policy.document.gate
        share = self.settings.max_shrink if gate.max_withdrawn is None else gate.max_withdrawn
        return Limits(share, gate.floor)

    def switch(
        self,
        policy: Policy,
        *,
        accept: bool = False,
        reason: str = "",
        by: str | None = None,
        progress: Progress = silent,
    ) -> SwitchReport:
        """The switch step with the feed's gate; what an operator accepts is on record."""
        feed = self.feed(policy.name)
        live = feed.current_id()
        report = switch(
            self.warehouse,
            feed,
            now=self.clock,
            limits=self.limits(policy),
            keep=self.settings.keep_editions,
            keep_for=self._keep_for,
            accept=accept,
            progress=progress,
        )
        if report.edition != live:
            action = "accept" if accept else "switch"
            self.audit.add(action, report.edition, feed=feed.name, reason=reason, by=by)
        return report

    def go_back(
        self, feed: Feed, to: str, *, reason: str = "", by: str | None = None
    ) -> SwitchReport:
        """Serve an earlier edition again and hold the feed there."""
        report = go_back(
            self.warehouse,
            feed,
            to,
            now=self.clock,
            keep=self.settings.keep_editions,
            keep_for=self._keep_for,
        )
        self.audit.add("rollback", to, feed=feed.name, reason=reason, by=by)
        return report

    def block(self, target: str, *, reason: str, by: str | None = None) -> list[BlockReport]:
        """Withdraw NAME or NAME@VERSION from every feed, now and until it is lifted."""
        return block(
            self.warehouse,
            self.settings.feed_root,
            target,
            reason=reason,
            by=by,
            audit=self.audit,
            now=self.clock,
        )

    def lift(self, target: str, *, reason: str = "", by: str | None = None) -> Block:
        """End a block; feeds show it again with their next edition."""
        lifted = lift(self.warehouse, self.settings.feed_root, target, now=self.clock)
        self.audit.add("lift", target, reason=reason, by=by)
        return lifted

    @property
    def audit(self) -> AuditLog:
        return AuditLog(self.settings.home / "audit.jsonl", now=self.clock)

    @property
    def _keep_for(self) -> timedelta:
        return timedelta(hours=self.settings.keep_hours)

    @property
    def origins(self) -> Origins:
        """Where each package registry is asked in this deployment."""
        connectors = {kind: connector.origin for kind, connector in _connectors().items()}
        return Origins(connectors, self.settings.origins)

    @contextmanager
    def registries(self, manners: Manners = _MANNERS) -> Iterator[PackageRegistries]:
        """The package registries, each with a client of its own; closed when the block ends."""
        origins, rate = self.origins, self.settings.package_rate

        def client(origin: Origin, state: HostState) -> tuple[HttpClient, Governor]:
            limits = origin.limits if rate is None else replace(origin.limits, rate=rate)
            governor = Governor(limits, state=state, now=self.clock, sleep=self._sleep)
            hosts = origins.operator_hosts()
            return self._client(manners, hosts, origins.route(origin), governor), governor

        registries = PackageRegistries(origins, _connectors(), client)
        with closing(registries):
            yield registries

    def _client(
        self,
        manners: Manners,
        operator_hosts: frozenset[str],
        route: Route | None = None,
        pacer: Pacer | None = None,
    ) -> HttpClient:
        return HttpClient(
            AddressPolicy(loopback_only=self.settings.offline, operator_hosts=operator_hosts),
            f"subregistry/{version('subregistry')} (+{self.settings.contact})",
            manners,
            sleep=self._sleep,
            route=route or Route(),
            pacer=pacer,
        )


def _connectors() -> dict[str, Connector]:
    return {kind: found.connector for kind, found in ECOSYSTEMS.items()} | COUNTERS | ADVISORIES
