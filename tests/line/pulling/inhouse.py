"""Helpers for in-house documents ahead of a public registry, and the entries of both."""

import json
from datetime import timedelta
from pathlib import Path

from pipelines.errors import SomeFailed
from pipelines.line import Line
from pipelines.refresh import publish, pull_all
from tests.support.deployments import server_json
from tests.support.feeds import served

HOUR = timedelta(hours=1)


def write(path: Path, name: str, version: str = "1.0.0", **extra: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(server_json(name, version, **extra), indent=2))


def pulled(deployment: Line) -> SomeFailed | None:
    return pull_all(deployment, report_step=lambda *_: None)


def current(deployment: Line) -> list[tuple[str, str, str, bool]]:
    with deployment.warehouse.session() as session:
        rows = session.text("FROM current_entries ORDER BY name, version").to_pylist()
    return [(row["upstream"], row["name"], row["version"], row["is_latest"]) for row in rows]


def walked(deployment: Line, query: str = "") -> list[tuple[str, str]]:
    (mirror,) = deployment.policies("mirror")
    publish(deployment, mirror, report_step=lambda *_: None)
    with served(deployment.settings.feed_root, ("mirror", "/")) as client:
        return client.walk(f"/v0.1/servers?limit=100{query}")
