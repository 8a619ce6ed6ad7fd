"""Refresh: run the whole line once, step by step, and make the analysts' copy at the end."""

import logging
from collections.abc import Callable

from connectors.errors import ConnectorError
from pipelines.errors import SomeFailed, StepError, UsageError
from pipelines.line import Line
from pipelines.progress import Progress, silent
from pipelines.publish.index import is_due
from serve.errors import ServeError
from serve.policy.policy import Policy
from warehouse.errors import WarehouseError

log = logging.getLogger(__name__)

StepReporter = Callable[[str, object], None]
"""Called when a step is done, with its name and its report."""


def pull_all(
    deployment: Line,
    *,
    upstream: str | None = None,
    full: bool = False,
    accept_shrink: bool = False,
    reason: str = "",
    report_step: StepReporter,
    progress: Progress = silent,
) -> SomeFailed | None:
    """Pull every upstream, or the one named, by precedence; a failure does not stop the others.

    Returns what failed. Raises the first error itself if nothing was pulled, UsageError if
    `accept_shrink` would apply to several upstreams at once.
    """
    errors: dict[str, Exception] = {}
    names = [upstream] if upstream else list(deployment.settings.sources)
    if accept_shrink and len(names) > 1:
        raise UsageError(
            "say whose loss is accepted: subregistry pull --upstream NAME --accept-shrink --reason "
            f"WHY, with one of {', '.join(names)}"
        )
    for name in names:
        try:
            report = deployment.pull(
                name, full=full, accept_shrink=accept_shrink, reason=reason, progress=progress
            )
        except (ConnectorError, WarehouseError, StepError, OSError) as error:
            errors[name] = error
        else:
            report_step("pull", report)
    _warn_of_unlisted(deployment)
    if len(errors) == len(names):
        raise errors[names[0]]
    return SomeFailed(errors) if errors else None


def _warn_of_unlisted(deployment: Line) -> None:
    """Warn of names that belong to an upstream that is no longer pulled: they never change."""
    try:
        with deployment.warehouse.session() as session:
            bound = {row["upstream"]: row["names"] for row in session.rows("report/count_bindings")}
    except WarehouseError as error:
        log.warning("not known whether names belong to an upstream off the list: %s", error)
        return
    for name in bound.keys() - deployment.settings.sources.keys():
        log.warning(
            "%s names belong to %s, which is not on the list of upstreams; put it back, or run "
            "subregistry release --of %s",
            bound[name],
            name,
            name,
        )


def refresh(
    deployment: Line,
    *,
    full: bool = False,
    profile: bool = False,
    report_step: StepReporter,
    progress: Progress = silent,
) -> None:
    """Pull, publish each feed, make the copy; a failed upstream or feed does not stop the others.

    `profile` runs the profile step in between; normally that is a run of its own, so that removals
    by upstream do not wait for package registries. Raises SomeFailed at the end if an upstream was
    not pulled, or a feed not published.
    """
    documents = deployment.documents()
    errors: dict[str, Exception] = dict(documents.broken)
    failed = pull_all(deployment, full=full, report_step=report_step, progress=progress)
    if profile:
        report_step("profile", deployment.profile(progress=progress))
    for policy in documents.valid:
        try:
            publish(deployment, policy, report_step=report_step, progress=progress)
        except (ServeError, WarehouseError, StepError, OSError) as error:
            errors[f"feed {policy.name}"] = error
    report_step("copy", {"path": str(deployment.copy())})
    errors |= failed.errors if failed else {}
    if errors:
        raise SomeFailed(errors)


def publish(
    deployment: Line, policy: Policy, *, report_step: StepReporter, progress: Progress = silent
) -> None:
    """Curate, build, switch and index one feed.

    A candidate without a change is not switched, nor is any candidate of a held feed.
    """
    feed = deployment.feed(policy.name)
    report_step("curate", deployment.curate(policy, progress=progress))
    built = deployment.build(policy, progress=progress)
    report_step("build", built)
    if held := feed.hold():
        log.warning(
            "feed %s is held: %s; subregistry switch --feed %s --resume ends it",
            feed.name,
            held,
            feed.name,
        )
    elif not built.unchanged:
        report_step("switch", deployment.switch(policy, progress=progress))
    if is_due(feed):
        report_step("index", deployment.index(policy, progress=progress))
