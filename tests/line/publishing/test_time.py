"""Eight weeks of the recorded registry, an edition every few days: each is read as it was."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.demo.clock import FakeClock
from pipelines.refresh import publish
from tests.line.pulling.test_replay import as_clients_need
from tests.support.deployments import make_deployment, upstream_server
from tests.support.feeds import Client, served
from tests.support.shared import base_dump, recorded_row, timeline

Key = tuple[str, str]
Json = dict[str, Any]  # served and recorded documents
EVERY = 24


def test_every_edition_can_be_read_as_it_was_and_changes_lead_from_each_to_the_last(
    tmp_path: Path,
) -> None:
    steps = timeline()
    clock = FakeClock(steps[0][0].replace(minute=0))
    published: list[tuple[datetime, dict[Key, Json]]] = []
    with upstream_server(clock) as upstream:
        deployment = make_deployment(tmp_path / "home", upstream, clock, keep_hours=10_000)
        (mirror,) = deployment.policies("mirror")
        for entry in base_dump():
            upstream.registry.put(recorded_row(entry))
        for number, (at, upserts) in enumerate(steps):
            clock.move_to(at)
            for entry in upserts:
                upstream.registry.put(recorded_row(entry))
            if number % EVERY == 0:
                deployment.pull(full=True)  # some recorded edits kept their updatedAt
                publish(deployment, mirror, report_step=lambda *_: None)
                rows = upstream.registry.rows()
                published.append((clock(), {key: row.server for key, row in rows.items()}))
    with served(deployment.settings.feed_root, ("mirror", "/")) as client:
        editions = client.json("/editions?limit=100")["editions"][::-1]
        assert len(editions) == len(published) == 12
        shown = [walked(client, f"edition={edition['edition']}") for edition in editions]
        for (at, recorded), entries in zip(published, shown, strict=True):
            assert (
                walked(client, f"as_of={at + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}") == entries
            )
            assert len(recorded) - len(entries) <= 5  # withheld
            for key, entry in entries.items():
                assert entry["server"] == as_clients_need(recorded[key])
        for edition, entries in zip(editions, shown, strict=True):
            copy = dict(entries)
            for change in changed(client, edition["sequence"]):
                copy[change["name"], change["version"]] = change["entry"]
            assert copy == shown[-1]
            different = {key for key in shown[-1] if entries.get(key) != shown[-1][key]}
            target = f"/editions/{edition['edition']}/diff/{editions[-1]['edition']}?limit=100"
            assert {
                (item["name"], item["version"]) for item in client.paged(target, "differences")
            } == different


def walked(client: Client, query: str) -> dict[Key, Json]:
    entries = {}
    for entry in client.paged(f"/v0.1/servers?{query}&limit=100", "servers"):
        entries[entry["server"]["name"], entry["server"]["version"]] = entry
    return entries


def changed(client: Client, sequence: int) -> list[Json]:
    return client.paged(f"/changes?since_sequence={sequence}&limit=100", "changes")
