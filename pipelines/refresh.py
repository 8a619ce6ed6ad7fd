"""Refresh: the whole line once, step after step, and the analysts' copy at the end."""

import logging
from collections.abc import Callable

from connectors.errors import ConnectorError
from pipelines.errors import SomeFailed, StepError, UsageError
from pipelines.line import Line
from pipelines.progress import Progress, silent
from pipelines.publish.build import build
from pipelines.publish.index import index, is_due
from pipelines.shortage import shortage_explained
from serve.errors import ServeError
from serve.policy.policy import Policy
from warehouse.analytics import publish_copy
from warehouse.errors import WarehouseError

log = logging.getLogger(__name__)

Tell = Callable[[str, object], None]
"""Called with the step's name and its report when it is done."""


def pull_all(
    deployment: Line,
    *,
    upstream: str | None = None,
    full: bool = False,
    accept_shrink: bool = False,
    tell: Tell,
    progress: Progress = silent,
) -> SomeFailed | None:
    """Pull every upstream, or the one named, in order of precedence; one's trouble stops no other.

    Returns what failed. Raises the error itself if nothing was pulled, UsageError where a loss
    would be accepted of several upstreams at once.
    """
    errors: dict[str, Exception] = {}
    names = [upstream] if upstream else list(deployment.settings.sources)
    if accept_shrink and len(names) > 1:
        raise UsageError(
            "say whose loss is accepted: subregistry pull --accept-shrink --upstream NAME, with "
            f"one of {', '.join(names)}"
        )
    for name in names:
        try:
            with shortage_explained(deployment.settings.home):
                report = deployment.pull(
                    name, full=full, accept_shrink=accept_shrink, progress=progress
                )
        except (ConnectorError, WarehouseError, StepError, OSError) as error:
            errors[name] = error
        else:
            tell("pull", report)
    _warn_of_unlisted(deployment)
    if len(errors) == len(names):
        raise errors[names[0]]
    return SomeFailed(errors) if errors else None


def _warn_of_unlisted(deployment: Line) -> None:
    """Names that belong to an upstream nobody pulls any more would stand still unnoticed."""
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
    accept_shrink: bool = False,
    profile: bool = False,
    tell: Tell,
    progress: Progress = silent,
) -> None:
    """Pull, then each feed, then the copy; the trouble of one upstream or feed stops no other.

    `profile` profiles in between; otherwise that is a run of its own, so that what upstream took
    away does not wait for package registries. Raises SomeFailed at the end if not every upstream
    could be pulled, or not every feed published.
    """
    documents = deployment.documents()
    errors: dict[str, Exception] = dict(documents.broken)
    failed = pull_all(
        deployment, full=full, accept_shrink=accept_shrink, tell=tell, progress=progress
    )
    if profile:
        tell("profile", deployment.profile(progress=progress))
    for policy in documents.valid:
        try:
            with shortage_explained(deployment.settings.home):
                publish(deployment, policy, tell=tell, progress=progress)
        except (ServeError, WarehouseError, StepError, OSError) as error:
            errors[f"feed {policy.name}"] = error
    copy = publish_copy(deployment.warehouse, deployment.settings.analytics, now=deployment.clock())
    tell("copy", {"path": str(copy)})
    errors |= failed.errors if failed else {}
    if errors:
        raise SomeFailed(errors)


def publish(deployment: Line, policy: Policy, *, tell: Tell, progress: Progress = silent) -> None:
    """Curate, build and switch one feed.

    A candidate without a change is not switched, and none of a feed that is held.
    """
    feed = deployment.feed(policy.name)
    tell("curate", deployment.curate(policy, progress=progress))
    built = build(deployment.warehouse, policy, feed, now=deployment.clock, progress=progress)
    tell("build", built)
    if held := feed.hold():
        log.warning("feed %s is held: %s; subregistry switch --resume ends it", feed.name, held)
    elif not built.unchanged:
        tell("switch", deployment.switch(policy, progress=progress))
    if is_due(feed):
        tell("index", index(deployment.warehouse, feed, now=deployment.clock, progress=progress))
