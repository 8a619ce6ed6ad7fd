"""The line as Dagster assets. Each calls one step and returns its report as metadata.

The prefix is a layer: raw is what came in, core is derived from it, out is what leaves. An error
that a retry cannot fix becomes a failure without retries. No step is implemented here.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import dagster as dg

from connectors.errors import TerminalError
from pipelines.cli.console import as_json
from pipelines.errors import OutOfResources, Refused, UsageError
from pipelines.line import Line
from pipelines.progress import Progress, in_lines
from pipelines.refresh import pull_all
from pipelines.shortage import shortage_explained
from serve.errors import ServeError
from serve.policy.policy import Policy
from warehouse.errors import BrakeEngaged, WarehouseFull, WarehouseTooNew

log = logging.getLogger(__name__)

ENTRIES = dg.AssetKey("raw_registry__entries")
VERSIONS = dg.AssetKey("core_registry__versions")
FACTS = dg.AssetKey("raw_packages__facts")

T = TypeVar("T")
_FINAL = (
    TerminalError,
    BrakeEngaged,
    Refused,
    UsageError,
    OutOfResources,
    ServeError,
    WarehouseFull,
    WarehouseTooNew,
)
_RETRY = dg.RetryPolicy(
    max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


class PullConfig(dg.Config):
    """Options of one pull: its upstream, a full walk, whether to accept an implausible loss, and
    why."""

    upstream: str | None = None
    full: bool = False
    accept_shrink: bool = False
    reason: str = ""


class SwitchConfig(dg.Config):
    """Whether to switch despite the gate, and why."""

    accept: bool = False
    reason: str = ""


def _once(deployment: Line, step: Callable[[Progress], T]) -> T:
    """Run a step, with a line in the run's log every minute; its final errors are not retried."""
    try:
        with (
            shortage_explained(deployment.settings.home),
            in_lines(log.info, every=60.0) as progress,
        ):
            return step(progress)
    except _FINAL as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def _metadata(report: object) -> dict[str, Any]:  # JSON values
    return {key: value for key, value in as_json(report).items() if value is not None}


def _finally(
    deployment: Line, step: Callable[[Progress], object]
) -> dict[str, Any]:  # a report as metadata
    return _metadata(_once(deployment, step))


@dg.multi_asset(
    specs=[
        dg.AssetSpec(ENTRIES, group_name="raw", kinds={"duckdb"}),
        dg.AssetSpec(VERSIONS, group_name="core", kinds={"duckdb"}, deps=[ENTRIES]),
    ],
    check_specs=[dg.AssetCheckSpec("every_upstream_pulled", asset=ENTRIES)],
    retry_policy=_RETRY,
    pool="walk",
)
def registry(
    config: PullConfig, deployment: dg.ResourceParam[Line]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Entries as upstream sent them, and their history: one walk and transaction per upstream."""
    reports: list[dict[str, Any]] = []
    failed = _once(
        deployment,
        lambda progress: pull_all(
            deployment,
            upstream=config.upstream,
            full=config.full,
            accept_shrink=config.accept_shrink,
            reason=config.reason,
            report_step=lambda _, report: reports.append(_metadata(report)),
            progress=progress,
        ),
    )
    check = dg.AssetCheckResult(
        check_name="every_upstream_pulled",
        passed=failed is None,
        metadata={"errors": str(failed)} if failed else {},
    )
    metadata = (
        reports[0] if len(reports) == 1 else {report["upstream"]: report for report in reports}
    )
    yield dg.MaterializeResult(asset_key=ENTRIES, metadata=metadata, check_results=[check])
    yield dg.MaterializeResult(
        asset_key=VERSIONS,
        metadata={key: sum(report[key] for report in reports) for key in ("new", "changed")},
    )


@dg.asset(
    name=FACTS.path[0], group_name="raw", kinds={"duckdb"}, deps=[VERSIONS], retry_policy=_RETRY
)
def packages(deployment: dg.ResourceParam[Line]) -> dg.MaterializeResult[Any]:
    """What package registries say: everything that is due, within the time budget.

    It has its own job, so an hourly refresh does not wait for it.
    """
    return dg.MaterializeResult(
        metadata=_finally(deployment, lambda progress: deployment.profile(progress=progress))
    )


def feed_assets(policy: Policy) -> tuple[list[dg.AssetsDefinition], dg.AssetChecksDefinition]:
    """Verdicts, candidate and edition of one feed, with the blocking check in between."""
    name = policy.name.replace("-", "_")  # Dagster's names may not contain hyphens
    candidate_key = dg.AssetKey(f"out_{name}__candidate")

    @dg.asset(
        name=f"core_{name}__verdicts",
        group_name=name,
        kinds={"duckdb"},
        deps=[VERSIONS, FACTS],
        code_version=policy.hash[:12],
    )
    def verdicts(deployment: dg.ResourceParam[Line]) -> dg.MaterializeResult[Any]:
        """Every entry's verdict in this feed, with rule and reason."""
        return dg.MaterializeResult(
            metadata=_finally(
                deployment, lambda progress: deployment.curate(policy, progress=progress)
            )
        )

    @dg.asset(name=candidate_key.path[0], group_name=name, deps=[verdicts])
    def candidate(deployment: dg.ResourceParam[Line]) -> dg.MaterializeResult[Any]:
        """A built edition that is not live yet."""
        return dg.MaterializeResult(
            metadata=_finally(
                deployment, lambda progress: deployment.build(policy, progress=progress)
            )
        )

    @dg.asset_check(name="servable", asset=candidate_key, blocking=True)
    def servable(deployment: dg.ResourceParam[Line]) -> dg.AssetCheckResult:
        """Whole files, one latest per server, no implausible shrink, and a walk over HTTP."""
        feed = deployment.feed(policy.name)
        waiting = feed.candidate_id()
        if waiting is None or waiting == feed.current_id():
            return dg.AssetCheckResult(passed=True, metadata={"candidate": "none, as before"})
        with in_lines(log.info, every=60.0) as progress:
            problems = deployment.examine(policy, progress=progress)
        return dg.AssetCheckResult(
            passed=not problems,
            metadata={"candidate": waiting, "problems": dg.MetadataValue.json(problems)},
        )

    @dg.asset(name=f"out_{name}__edition", group_name=name, deps=[candidate_key])
    def edition(
        config: SwitchConfig, deployment: dg.ResourceParam[Line]
    ) -> dg.MaterializeResult[Any]:
        """The live edition."""
        feed = deployment.feed(policy.name)
        if held := feed.hold():
            return dg.MaterializeResult(metadata={"edition": feed.current_id(), "held": held})
        if feed.candidate_id() in (None, feed.current_id()):
            return dg.MaterializeResult(metadata={"edition": feed.current_id() or "none"})
        return dg.MaterializeResult(
            metadata=_finally(
                deployment,
                lambda progress: deployment.switch(
                    policy, accept=config.accept, reason=config.reason, progress=progress
                ),
            )
        )

    @dg.asset(name=f"out_{name}__indexes", group_name=name, deps=[edition])
    def indexes(deployment: dg.ResourceParam[Line]) -> dg.MaterializeResult[Any]:
        """What makes serving fast: a new base if one is due, compressed pages, ranked search."""
        feed = deployment.feed(policy.name)
        if feed.current_id() is None:
            return dg.MaterializeResult(metadata={"edition": "none"})
        return dg.MaterializeResult(
            metadata=_finally(
                deployment, lambda progress: deployment.index(policy, progress=progress)
            )
        )

    return [verdicts, candidate, edition, indexes], servable


def copy_asset(editions: list[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """The analysts' copy, after every feed."""

    @dg.asset(name="out_analytics__copy", group_name="out", kinds={"duckdb"}, deps=editions)
    def copy(deployment: dg.ResourceParam[Line]) -> dg.MaterializeResult[Any]:
        """An immutable copy of the warehouse under a stable name."""
        path = deployment.copy()
        return dg.MaterializeResult(metadata={"path": str(path), "bytes": path.stat().st_size})

    return copy
