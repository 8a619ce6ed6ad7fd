"""What the command line explains."""

from pipelines.line import Line
from pipelines.report.explain import ExplainedRow


def explained(
    deployment: Line, feed: str, name: str, version: str | None, *, at: str | None = None
) -> list[ExplainedRow]:
    (policy,) = deployment.policies(feed)
    return deployment.explain(policy, name, version, at=at)
