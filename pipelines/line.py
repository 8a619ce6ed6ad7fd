"""The line: runs each step with the settings of the deployment, and writes the audit log.

Steps are plain functions in the rooms below. The command line, cron and Dagster all run them from
here.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from connectors.http.client import RequestPolicy
from connectors.registries.downloads import COUNTERS
from connectors.registries.osv import OSV
from connectors.upstreams.places import folder_path, is_registry
from connectors.upstreams.registry import Registry
from pipelines.deployment import Deployment
from pipelines.errors import StepError, UsageError
from pipelines.operate.block import BlockReport, block, lift
from pipelines.operate.export import Exporter, ExportReport, export, renew_all
from pipelines.operate.release import release
from pipelines.profile.profile import ProfileReport, profile
from pipelines.progress import Progress, silent
from pipelines.publish.curate import CurateReport, curate, note_overlays
from pipelines.publish.gate import ShrinkLimits
from pipelines.publish.switch import SwitchReport, go_back, switch
from pipelines.pull.folder import pull_documents
from pipelines.pull.pull import PullReport, pull
from pipelines.report.doctor import Finding, Sources, doctor
from pipelines.report.preview import PreviewReport, preview
from pipelines.report.status import StatusReport, status
from serve.errors import ServeError
from serve.feed.feed import Feed
from serve.policy.blocks import Block
from serve.policy.policy import Policy
from warehouse.database.session import Row
from warehouse.walk.state import read_state

_PATIENCE = 900.0  # seconds that a profile run waits for the warehouse


class Line(Deployment):
    """A deployment whose steps can be run."""

    def curate(self, policy: Policy, *, progress: Progress = silent) -> CurateReport:
        """Run the curate step with the present blocks; record overlays that came or went."""
        report = curate(self.warehouse, policy, self.blocks, now=self.clock, progress=progress)
        self.feed(policy.name).identify(policy.served)
        note_overlays(self.feed(policy.name), policy, self.audit, now=self.clock())
        return report

    def pull(
        self,
        upstream: str | None = None,
        *,
        full: bool = False,
        accept_shrink: bool = False,
        progress: Progress = silent,
    ) -> PullReport:
        """Run the pull step for one upstream, by default the first."""
        settings = self.settings
        sources = settings.sources
        upstream = upstream or next(iter(sources))
        if upstream not in sources:
            raise UsageError(f"there is no upstream {upstream}; they are {', '.join(sources)}")
        self._check_precedence(upstream)
        place = sources[upstream]
        # Only the list of upstreams may name a path; SUBREGISTRY_UPSTREAM_URL is always a URL.
        if settings.upstreams and not is_registry(place):
            return pull_documents(
                self.warehouse,
                folder_path(place),
                upstream=upstream,
                now=self.clock,
                spool_folder=settings.spool,
                accept_shrink=accept_shrink,
            )
        policy = RequestPolicy(rate=settings.upstream_rate, budget=settings.upstream_budget)
        with self.upstream_client(place, policy) as http:
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

    def profile(
        self,
        *,
        budget: int = 1_000_000,
        only: tuple[str, str] | None = None,
        progress: Progress = silent,
    ) -> ProfileReport:
        """Run the profile step for the configured package registries.

        A pull may hold the warehouse for minutes; fetched answers wait until it is free.
        """
        settings = self.settings
        warehouse = self.warehouse.waiting(max(settings.warehouse_wait, _PATIENCE))
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

    def limits(self, policy: Policy) -> ShrinkLimits:
        """How many entries the gate allows a feed to lose."""
        gate = policy.document.gate
        share = self.settings.max_shrink if gate.max_withdrawn is None else gate.max_withdrawn
        return ShrinkLimits(share, gate.floor)

    def switch(
        self,
        policy: Policy,
        *,
        accept: bool = False,
        resume: bool = False,
        reason: str = "",
        by: str | None = None,
        progress: Progress = silent,
    ) -> SwitchReport:
        """Run the switch step with the feed's gate; record what was switched or accepted."""
        feed = self.feed(policy.name)
        live = feed.current_id()
        report = switch(
            self.warehouse,
            feed,
            now=self.clock,
            limits=self.limits(policy),
            retention=self.settings.retention,
            accept=accept,
            resume=resume,
            progress=progress,
        )
        if resume:
            self.audit.add("resume", feed.name, feed=feed.name, reason=reason, by=by)
        if report.edition != live:  # a repeat switches nothing, so it is not recorded
            action = "accept" if accept else "switch"
            self.audit.add(action, report.edition, feed=feed.name, reason=reason, by=by)
        return report

    def end_hold(self, name: str, *, reason: str = "", by: str | None = None) -> None:
        """End the hold of a feed for which no candidate waits."""
        self.feed(name).set_hold(None)
        self.audit.add("resume", name, feed=name, reason=reason, by=by)

    def go_back(
        self, feed: Feed, to: str, *, reason: str = "", by: str | None = None
    ) -> SwitchReport:
        """Serve an earlier edition again and hold the feed there."""
        report = go_back(
            self.warehouse,
            feed,
            to,
            now=self.clock,
            retention=self.settings.retention,
        )
        self.audit.add("rollback", to, feed=feed.name, reason=reason, by=by)
        return report

    def block(self, target: str, *, reason: str, by: str | None = None) -> list[BlockReport]:
        """Withdraw NAME or NAME@VERSION from every feed, now and until the block is lifted."""
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
        """End a block; feeds show the target again with their next edition."""
        lifted = lift(self.warehouse, self.settings.feed_root, target, now=self.clock)
        self.audit.add("lift", target, reason=reason, by=by)
        return lifted

    def export(
        self, policy: Policy, form: str, path: Path, *, key: Path | None = None
    ) -> ExportReport:
        """Write the live edition of a feed as files."""
        return export(self._exporter, policy.served, form, path, key=key)

    def renew_exports(self) -> list[ExportReport | str]:
        """Write every export again that still exists where it was written."""
        try:
            served = {policy.name: policy.served for policy in self.documents().valid}
        except ServeError:
            served = {}  # then each feed's folder says how it was served
        return renew_all(self._exporter, served)

    def release(self, names: Sequence[str], *, of: str | None = None) -> list[Row]:
        """Give names to the first upstream, by precedence, that has them now."""
        order = list(self.settings.sources)
        return release(self.warehouse, names, of=of, precedence=order, now=self.clock())

    def status(self) -> StatusReport:
        """What the warehouse holds, where the pull stands, what is due, what is live."""
        origins = self.origins
        return status(
            self.warehouse,
            self.documents(),
            self.blocks,
            feed_root=self.settings.feed_root,
            uncounted=[name for name in COUNTERS if not origins.is_named(name)],
            now=self.clock(),
        )

    def preview(self, path: Path) -> PreviewReport:
        """What the feed document at `path` would change."""
        return preview(
            self.warehouse,
            path,
            documents=self.documents(),
            blocks=self.blocks,
            feed_root=self.settings.feed_root,
            now=self.clock(),
        )

    def doctor(self, *, only: str | None = None) -> list[Finding]:
        """Probe the sources with at most ten requests."""
        settings = self.settings
        sources = Sources(
            upstreams=settings.sources,
            upstream_client=self.upstream_client,
            origins=self.origins,
            named=list(settings.origins),
            advised=() if settings.offline else (OSV,),
            registries=self.registries,
        )
        return doctor(sources, only=only)

    @property
    def _exporter(self) -> Exporter:
        return Exporter(self.settings.feed_root, self.settings.public_url, self.clock)

    def _check_precedence(self, upstream: str) -> None:
        """Raise StepError if an upstream above never had a full walk.

        Names are bound in order of precedence, so the upstreams above come first.
        """
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
