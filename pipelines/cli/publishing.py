"""The commands that make and keep editions: curate, build, switch, index, editions."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.cli.console import Reporter, print_json, print_report, progress_bar
from pipelines.cli.context import find_policies, open_deployment
from pipelines.errors import StepError, UsageError
from pipelines.progress import Progress

if TYPE_CHECKING:
    from pipelines.line import Line
    from serve.policy.policy import Policy


def curate(arguments: argparse.Namespace) -> int:
    return _each(
        arguments, lambda deployment, policy, progress: deployment.curate(policy, progress=progress)
    )


def build(arguments: argparse.Namespace) -> int:
    return _each(
        arguments,
        lambda deployment, policy, progress: deployment.build(
            policy, from_scratch=arguments.from_scratch, progress=progress
        ),
    )


def index(arguments: argparse.Namespace) -> int:
    return _each(
        arguments, lambda deployment, policy, progress: deployment.index(policy, progress=progress)
    )


def _each(
    arguments: argparse.Namespace, run: Callable[["Line", "Policy", Progress], object]
) -> int:
    """Run a step for every feed, or only for the feed named."""
    deployment, reporter = open_deployment(), Reporter(as_json=arguments.json)
    with progress_bar() as progress:
        for policy in find_policies(deployment, arguments.feed):
            reporter(arguments.command, run(deployment, policy, progress))
    return reporter.end()


def switch(arguments: argparse.Namespace) -> int:
    deployment, reporter = open_deployment(), Reporter(as_json=arguments.json)
    policies, reason = find_policies(deployment, arguments.feed), arguments.reason
    if (arguments.to or arguments.resume or arguments.accept) and not arguments.feed:
        raise UsageError("say which feed: add --feed NAME")
    if arguments.accept and not reason:
        raise UsageError("say why, for the audit log: add --reason WHY")
    feeds = {policy.name: deployment.feed(policy.name) for policy in policies}
    if arguments.to:
        reporter("switch", deployment.go_back(feeds[policies[0].name], arguments.to, reason=reason))
        return reporter.end()
    # With no candidate waiting, one feed is switched anyway: it reports the repeat or its error.
    waiting = [
        policy
        for policy in policies
        if feeds[policy.name].candidate_id() not in (None, feeds[policy.name].current_id())
    ]
    if arguments.resume and not waiting:
        deployment.end_hold(policies[0].name, reason=reason)
        reporter("resume", {"feed": policies[0].name})
        return reporter.end()
    with progress_bar() as progress:
        for policy in waiting or policies[:1]:
            report = deployment.switch(
                policy,
                accept=arguments.accept,
                resume=arguments.resume,
                reason=reason,
                progress=progress,
            )
            reporter("switch", report)
    return reporter.end()


def editions(arguments: argparse.Namespace) -> int:
    """List or verify the editions kept; a damaged one ends with exit code 1, after all are read."""
    from pipelines.operate.editions import list_editions, verify_editions

    deployment = open_deployment()
    feeds = [deployment.feed(policy.name) for policy in find_policies(deployment, arguments.feed)]
    read = list_editions if arguments.action == "list" else verify_editions
    rows = [row for feed in feeds for row in read(feed, arguments.edition)]
    if arguments.json:
        print_json(rows)
    else:
        for row in rows:
            print_report(str(row["edition"]), {k: v for k, v in row.items() if k != "edition"})
    if arguments.edition and not rows:
        raise StepError(f"no edition {arguments.edition} is kept; see subregistry editions")
    damaged = [str(row["edition"]) for row in rows if row.get("problem")]
    if damaged:
        raise StepError(
            f"damaged: {', '.join(damaged)}; run subregistry build --from-scratch, then "
            "subregistry switch"
        )
    return 0
