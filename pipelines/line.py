"""The line: runs each step with the settings of the deployment, and writes the audit log.

Steps are plain functions in the rooms below. The command line, cron and Dagster all run them from
here.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from connectors.http.client import RequestPolicy
from connectors.registries.osv import OSV
from connectors.upstreams.places import folder_path, is_registry
from connectors.upstreams.registry import Registry
from pipelines.accounts import Account, AccountFile
from pipelines.attempts import Success, attempt
from pipelines.errors import GateRefused, StepError, UsageError
from pipelines.operations import Operations
from pipelines.profile.profile import ProfileReport, profile
from pipelines.progress import Progress, silent
from pipelines.publish.build import BuildReport, build
from pipelines.publish.curate import CurateReport, curate, note_overlays
from pipelines.publish.index import IndexReport, index
from pipelines.publish.switch import SwitchReport, examine_candidate, refusal, switch
from pipelines.pull.folder import pull_documents
from pipelines.pull.pull import PullReport, pull
from pipelines.report.status import drifted
from pipelines.shortage import shortage_explained
from serve.policy.policy import Policy
from warehouse.analytics import publish_copy
from warehouse.errors import BrakeEngaged
from warehouse.operation import note_operation
from warehouse.packages.hosts import count_due
from warehouse.walk.state import read_state

log = logging.getLogger(__name__)

_PATIENCE = 900.0  # seconds that a profile run waits for the warehouse


class Line(Operations):
    """A deployment whose steps can be run, each noted in the account of its upstream or feed."""

    def curate(self, policy: Policy, *, progress: Progress = silent) -> CurateReport:
        """Run the curate step with the present blocks; record overlays that came or went."""
        feed = self.feed(policy.name)
        with self._attempt(self.accounts.feed(policy.name), "curate") as success:
            report = curate(self.warehouse, policy, self.blocks, now=self.clock, progress=progress)
            if report.drift is not None:
                success.figures = success.before.figures | {"drift": report.drift}
            if report.drift:
                log.warning("feed %s: %s", policy.name, drifted(report.drift))
            feed.identify(policy.served)
            note_overlays(feed, policy, self.audit, now=self.clock())
        return report

    def pull(
        self,
        upstream: str | None = None,
        *,
        full: bool = False,
        accept_shrink: bool = False,
        reason: str = "",
        by: str | None = None,
        progress: Progress = silent,
    ) -> PullReport:
        """Run the pull step for one upstream, by default the first.

        `accept_shrink` passes its brake, for a `reason` that is recorded.
        """
        sources = self.settings.sources
        name = upstream or next(iter(sources))
        if name not in sources:
            raise UsageError(f"there is no upstream {name}; they are {', '.join(sources)}")
        if accept_shrink and not reason:
            raise UsageError("say why, for the audit log: add --reason WHY")
        with self._attempt(self.accounts.upstream(name), "pull") as success:
            self._check_precedence(name)
            self._warn_of_lost_history()
            before = success.before
            report = self._pull(
                name, full=full, accept_shrink=accept_shrink, account=before, progress=progress
            )
            success.figures = asdict(report)
            if not report.totals:  # nothing changed
                success.figures["totals"] = before.figures.get("totals", {})
            # A walk of old copies proves nothing.
            success.ends_stop = report.kind != "incremental" and not report.stale
            if accept_shrink:
                success.override = self.overridden("accept-shrink", name, None, reason, by)
        return report

    def _pull(
        self, name: str, *, full: bool, accept_shrink: bool, account: Account, progress: Progress
    ) -> PullReport:
        settings = self.settings
        source = settings.sources[name]
        place = source.url
        # Only the list of upstreams may name a path; SUBREGISTRY_UPSTREAM_URL is always a URL.
        if settings.upstreams and not is_registry(place):
            return pull_documents(
                self.warehouse,
                folder_path(place),
                upstream=name,
                now=self.clock,
                spool_folder=settings.spool,
                accept_shrink=accept_shrink,
            )
        policy = RequestPolicy(rate=settings.upstream_rate, budget=settings.upstream_budget)
        with self.upstream_client(name, policy) as http:
            return pull(
                self.warehouse,
                Registry(
                    http, place, now=self.clock, page=settings.upstream_page, kind=source.kind
                ),
                upstream=name,
                now=self.clock,
                spool_folder=settings.spool,
                overlap=timedelta(seconds=settings.overlap),
                requests=lambda: http.requests,
                full=full,
                accept_shrink=accept_shrink,
                braked=account.stop is not None,
                counted="totals" in account.figures,
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
        with (
            self._attempt(self.accounts.packages, "profile") as success,
            self.registries() as registries,
        ):
            report = profile(
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
            success.figures = {"origins": count_due(warehouse, now=self.clock())}
            success.ends_stop = True
        return report

    def build(
        self, policy: Policy, *, from_scratch: bool = False, progress: Progress = silent
    ) -> BuildReport:
        """Run the build step."""
        with self._attempt(self.accounts.feed(policy.name), "build") as success:
            report = build(
                self.warehouse,
                policy,
                self.feed(policy.name),
                now=self.clock,
                from_scratch=from_scratch,
                # One that was taken off the list may have been private.
                public=[
                    name for name, source in self.settings.sources.items() if not source.is_private
                ],
                progress=progress,
            )
            if report.unchanged:  # what was refused, or failed to go live, is no longer wanted
                success.ends_stop = True
                success.forgets = "switch"
        return report

    def index(self, policy: Policy, *, progress: Progress = silent) -> IndexReport:
        """Run the index step."""
        with self._attempt(self.accounts.feed(policy.name), "index"):
            return index(self.warehouse, self.feed(policy.name), now=self.clock, progress=progress)

    def examine(self, policy: Policy, *, progress: Progress = silent) -> list[str]:
        """Why the gate refuses the candidate; empty if it does not. Noted like a switch."""
        feed = self.feed(policy.name)
        problems = examine_candidate(feed, self.limits(policy), now=self.clock, progress=progress)
        if problems:
            with suppress(GateRefused), self._attempt(self.accounts.feed(feed.name), "switch"):
                raise refusal(feed, str(feed.candidate_id()), problems)
        return problems

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
        with self._attempt(self.accounts.feed(feed.name), "switch") as success:
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
            self.blocks.prepare()
            success.ends_stop = True
            if resume:
                success.override = self.overridden("resume", feed.name, feed, reason, by)
            if report.edition != live:  # a repeat switches nothing, so it is not recorded
                if accept:
                    success.override = self.overridden("accept", report.edition, feed, reason, by)
                else:
                    self.audit.add("switch", report.edition, feed=feed.name, reason=reason, by=by)
        return report

    def copy(self) -> Path:
        """Renew the analysts' copy, with the accounts and the head of the audit log in it."""
        with self.warehouse.session() as session:
            note_operation(session, self.accounts.texts(), self.audit.head(), now=self.clock())
        return publish_copy(self.warehouse, self.settings.analytics, now=self.clock())

    @contextmanager
    def _attempt(self, file: AccountFile, step: str) -> Iterator[Success]:
        before = file.read()
        try:
            with (
                attempt(file, step, before, now=self.clock) as success,
                shortage_explained(self.settings.home),
            ):
                yield success
        except (BrakeEngaged, GateRefused) as error:
            if before.stop is None:  # the first of several in a row
                gate = isinstance(error, GateRefused)
                try:
                    self.audit.add(
                        "refuse" if gate else "brake",
                        error.edition if isinstance(error, GateRefused) else file.name,
                        feed=file.name if gate else None,
                        reason=str(error),
                        by="subregistry",
                    )
                except OSError as trouble:
                    log.warning("the audit log cannot be written: %s", trouble)
            raise

    def _warn_of_lost_history(self) -> None:
        """Warn if there are feeds but no warehouse: it was lost, and begins again."""
        if not self.warehouse.path.exists() and any(self.settings.feed_root.glob("*/current")):
            log.warning(
                "there are feeds in %s, but no %s: a new one is begun, whose history starts today. "
                "If you have a backup of it, stop and put it back",
                self.settings.feed_root,
                self.warehouse.path,
            )

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
