"""Feed documents for tests: write them into a folder, and deploy them."""

from pathlib import Path
from typing import Any

from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from pipelines.refresh import publish
from tests.support.deployments import Upstream, make_deployment
from tests.support.feeds import Client

HEAD = """
name = "team"
title = "Team"
base_path = "/"
default = "admit"
"""


def team(folder: Path, text: str, *, head: str = HEAD) -> Path:
    """Write the document of the feed `team`: `head`, then `text`."""
    folder.mkdir(exist_ok=True)
    (folder / "team.toml").write_text(head + text)
    return folder


def make_team(
    tmp_path: Path,
    upstream: Upstream,
    clock: FakeClock,
    text: str = "",
    *,
    head: str = HEAD,
    **settings: Any,  # fields of Settings
) -> Line:
    """A deployment whose only feed is `team`."""
    feeds = team(tmp_path / "documents", text, head=head)
    return make_deployment(tmp_path / "home", upstream, clock, feeds=feeds, **settings)


def published(deployment: Line) -> None:
    """Pull, then curate, build and switch the feed."""
    deployment.pull()
    (policy,) = deployment.policies("team")
    publish(deployment, policy, report_step=lambda *_: None)


def verdicts(deployment: Line, feed: str = "team") -> dict[str, tuple[str, str]]:
    """(verdict, rule) by NAME@VERSION."""
    with deployment.warehouse.session() as session:
        rows = session.text("FROM verdicts WHERE feed = $feed", {"feed": feed}).to_pylist()
    return {f"{row['name']}@{row['version']}": (row["verdict"], row["rule"]) for row in rows}


def shown(client: Client, query: str = "") -> list[str]:
    """NAME@VERSION of every entry that the feed lists."""
    entries = client.paged(f"/v0.1/servers?limit=100{query}", "servers")
    return sorted(f"{entry['server']['name']}@{entry['server']['version']}" for entry in entries)
