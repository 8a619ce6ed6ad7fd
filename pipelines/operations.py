"""Operations: what an operator does and asks beside the steps of the line; acts are audited."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from connectors.registries.downloads import COUNTERS
from connectors.registries.osv import OSV
from pipelines.accounts import Override
from pipelines.audit import AuditEntry, user
from pipelines.deployment import Deployment
from pipelines.operate.block import BlockReport, block, lift
from pipelines.operate.export import Exporter, ExportReport, export, renew_all
from pipelines.operate.release import release
from pipelines.publish.gate import ShrinkLimits
from pipelines.publish.switch import SwitchReport, go_back
from pipelines.report.check import Check, check, columns
from pipelines.report.doctor import Finding, Sources, doctor
from pipelines.report.explain import ExplainedRow, explain, explain_at
from pipelines.report.preview import PreviewReport, preview
from pipelines.report.status import StatusReport, status
from serve.errors import ServeError
from serve.feed.feed import Feed
from serve.policy.blocks import Block
from serve.policy.policy import Policy
from warehouse.database.session import Row
from warehouse.errors import WarehouseError
from warehouse.operation import audit_heads

log = logging.getLogger(__name__)


class Operations(Deployment):
    """A deployment that an operator acts on."""

    def end_hold(self, name: str, *, reason: str = "", by: str | None = None) -> None:
        """End the hold of a feed for which no candidate waits."""
        feed = self.feed(name)
        feed.set_hold(None)
        self._note_override("resume", name, feed, reason, by)

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
        self._note_override("rollback", to, feed, reason, by)
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
        """What is live, where each pull stands, what failed last, what somebody must do."""
        documents, origins = self.documents(), self.origins
        return status(
            self.accounts,
            documents,
            self.blocks,
            {policy.name: self.feed(policy.name) for policy in documents.valid},
            sources={name: source.url for name, source in self.settings.sources.items()},
            uncounted=[name for name in COUNTERS if not origins.is_named(name)],
            objective=timedelta(seconds=self.settings.objective),
            now=self.clock(),
        )

    def read_audit(self) -> tuple[list[AuditEntry], list[str]]:
        """All acts, and what is wrong with the log, also beside what earlier runs found in it."""
        try:
            heads = []
            if self.warehouse.path.exists():
                with self.warehouse.session() as session:
                    heads = audit_heads(session)
        except WarehouseError as error:
            log.warning("the log is not compared with what earlier runs found in it: %s", error)
        return self.audit.read(heads)

    def explain(
        self, policy: Policy, name: str, version: str | None, *, at: str | None = None
    ) -> list[ExplainedRow]:
        """Why a feed shows a server or not: what is live, and what the last curation says."""
        if at:
            return explain_at(self.warehouse, policy.name, name, version, at)
        return explain(
            self.warehouse,
            self.feed(policy.name),
            name,
            version,
            blocks=self.blocks.read(),
            account=self.accounts.feed(policy.name).read(),
        )

    def limits(self, policy: Policy) -> ShrinkLimits:
        """How many entries the gate allows a feed to lose."""
        gate = policy.document.gate
        share = self.settings.max_shrink if gate.max_withdrawn is None else gate.max_withdrawn
        return ShrinkLimits(share, gate.floor)

    def check(self, policy: Policy) -> Check:
        """What each rule and overlay of a feed matches, and what its editor should know."""
        try:
            live = self.feed(policy.name).current()
        except ServeError as error:
            log.warning("not compared with what is live: %s", error)
            live = None
        return check(self.warehouse, policy, self.blocks.read(), live=live, now=self.clock())

    def columns(self, name: str | None = None) -> list[Row]:
        """The columns that a rule may use, or their values for a server's latest version."""
        return columns(self.warehouse, name, now=self.clock())

    def preview(self, path: Path) -> PreviewReport:
        """What the feed document at `path` would change."""
        return preview(
            self.warehouse,
            path,
            documents=self.documents(),
            blocks=self.blocks,
            feed_root=self.settings.feed_root,
            limits=self.limits,
            now=self.clock(),
        )

    def doctor(self, *, only: str | None = None) -> list[Finding]:
        """Probe the sources with at most ten requests."""
        settings = self.settings
        sources = Sources(
            upstreams={name: source.url for name, source in settings.sources.items()},
            upstream_client=self.upstream_client,
            origins=self.origins,
            named=list(settings.origins),
            advised=() if settings.offline else (OSV,),
            registries=self.registries,
        )
        return doctor(sources, only=only)

    @property
    def _exporter(self) -> Exporter:
        settings = self.settings
        return Exporter(settings.feed_root, settings.public_url, self.warehouse, self.clock)

    def overridden(
        self, action: str, target: str, feed: Feed | None, reason: str, by: str | None
    ) -> Override:
        """Record what an operator does against the line's own judgement in the audit log."""
        by = by or user()
        name = feed.name if feed else None
        self.audit.add(action, target, feed=name, reason=reason, by=by)
        return Override(self.clock(), by, action, target, reason)

    def _note_override(
        self, action: str, target: str, feed: Feed, reason: str, by: str | None
    ) -> None:
        override = self.overridden(action, target, feed, reason, by)
        self.accounts.feed(feed.name).update(
            lambda account: msgspec.structs.replace(account, override=override)
        )
