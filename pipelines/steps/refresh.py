"""Refresh: the whole line once, step after step, and the analysts' copy at the end."""

from collections.abc import Callable

from pipelines.deployment import Deployment
from pipelines.steps.build import build
from pipelines.steps.curate import curate
from pipelines.steps.pull import Progress
from serve.policy import Policy
from warehouse.analytics import publish_copy

Tell = Callable[[str, object], None]
"""Called with the step's name and its report when it is done."""


def refresh(
    deployment: Deployment,
    *,
    full: bool = False,
    accept_shrink: bool = False,
    tell: Tell,
    progress: Progress = lambda *_: None,
) -> None:
    """Pull, profile, then each feed, then the copy. An error ends the run where it is."""
    policies = deployment.policies()
    tell("pull", deployment.pull(full=full, accept_shrink=accept_shrink, progress=progress))
    tell("profile", deployment.profile(progress=progress))
    for policy in policies:
        publish(deployment, policy, accept_shrink=accept_shrink, tell=tell)
    copy = publish_copy(deployment.warehouse, deployment.settings.analytics, now=deployment.clock())
    tell("copy", {"path": str(copy)})


def publish(
    deployment: Deployment, policy: Policy, *, accept_shrink: bool = False, tell: Tell
) -> None:
    """Curate, build and switch one feed; a candidate without a change is not switched."""
    feed = deployment.feed(policy.name)
    tell("curate", curate(deployment.warehouse, policy, now=deployment.clock))
    built = build(deployment.warehouse, policy, feed, now=deployment.clock)
    tell("build", built)
    if not built.unchanged:
        tell("switch", deployment.switch(feed, accept_shrink=accept_shrink))
