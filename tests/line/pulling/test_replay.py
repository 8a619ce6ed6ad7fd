"""Real data through the whole line: every recorded step, then our client reads our server."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.http.client import HttpClient
from connectors.upstreams.contract import Entry, read_entry
from connectors.upstreams.registry import Registry
from pipelines.demo.clock import FakeClock
from pipelines.demo.registry import OFFICIAL
from pipelines.line import Line
from pipelines.refresh import publish
from pipelines.server import listen, serving
from serve.entry.repair import REPAIRS
from serve.entry.strict import SCHEMA
from tests.support.deployments import Upstream, make_deployment, upstream_server
from tests.support.shared import base_dump, recorded_row, timeline
from warehouse.walk.state import read_state

Key = tuple[str, str]
Json = dict[str, Any]  # a recorded server.json


def test_every_recorded_step_arrives_and_is_served_as_it_was_recorded(
    tmp_path: Path, http: HttpClient
) -> None:
    steps = timeline()
    clock = FakeClock(steps[0][0].replace(minute=0))
    with upstream_server(clock) as upstream:
        replay(make_deployment(tmp_path / "home", upstream, clock), upstream, clock, http, steps)


def replay(
    deployment: Line,
    upstream: Upstream,
    clock: FakeClock,
    http: HttpClient,
    steps: list[tuple[datetime, list[Json]]],
) -> None:
    for entry in base_dump():
        upstream.registry.put(recorded_row(entry))
    pulls = [deployment.pull()]
    for at, upserts in steps:
        clock.move_to(at)
        for entry in upserts:
            upstream.registry.put(recorded_row(entry))
        pulls.append(deployment.pull())
    incremental = [pull for pull in pulls if pull.kind == "incremental"]
    assert (len(pulls), len(incremental)) == (289, 288)
    assert max(pull.requests for pull in incremental) <= 3
    reconciled = deployment.pull(full=True)
    assert (reconciled.new, reconciled.vanished, reconciled.missing) == (0, 0, 0)

    (mirror,) = deployment.policies("mirror")
    publish(deployment, mirror, report_step=lambda *_: None)
    with deployment.warehouse.session() as session:
        treatments = session.text("FROM treatments WHERE feed = 'mirror'").to_pylist()
        assert read_state(session, "official") is not None
        stored = session.text(
            "SELECT e.name, e.version, b.body FROM entries e JOIN bodies b "
            "ON b.hash = e.server_hash"
        ).to_pylist()

    sock = listen("127.0.0.1", 0)
    with serving(deployment.settings, sock):
        base = f"http://127.0.0.1:{sock.getsockname()[1]}/feeds/mirror"
        served = walk(Registry(http, base, now=clock))

    recorded = {key: row.server for key, row in upstream.registry.rows().items()}
    latest = {key: row.is_latest for key, row in upstream.registry.rows().items()}
    assert {(row["name"], row["version"]): json.loads(row["body"]) for row in stored} == recorded

    withheld = {
        (treatment["name"], treatment["version"]): treatment["detail"]
        for treatment in treatments
        if is_withheld(treatment)
    }
    repaired = {
        (treatment["name"], treatment["version"])
        for treatment in treatments
        if treatment["kind"] == "repaired"
    }
    assert set(served) == set(recorded) - set(withheld)
    assert len(withheld) <= 5
    untouched = set(served) - repaired
    assert {key: json.loads(served[key].server) for key in untouched} == {
        key: recorded[key] for key in untouched
    }
    for key in repaired - set(withheld):
        assert json.loads(served[key].server) == as_clients_need(recorded[key])
    names_without_latest = {name for name, _ in withheld}
    assert {
        key: entry.is_latest for key, entry in served.items() if key[0] not in names_without_latest
    } == {key: flag for key, flag in latest.items() if key[0] not in names_without_latest}
    per_name = Counter(key[0] for key, entry in served.items() if entry.is_latest)
    assert set(per_name.values()) == {1}
    assert set(per_name) == {name for name, _ in served}
    rows = upstream.registry.rows()
    for key, served_entry in served.items():
        official = json.loads(served_entry.meta)[OFFICIAL]
        assert served_entry.published_at == rows[key].published_at
        assert served_entry.updated_at == rows[key].updated_at
        assert official["statusChangedAt"] == official["publishedAt"]
    print_figures(len(recorded), pulls, withheld, treatments)


def walk(registry: Registry) -> dict[Key, Entry]:
    """Every entry that a registry lists; a duplicate or an unreadable one fails."""
    entries: dict[Key, Entry] = {}
    for page in registry.walk():
        for raw in page.entries:
            entry = read_entry(raw)
            assert isinstance(entry, Entry)
            assert (entry.name, entry.version) not in entries
            entries[entry.name, entry.version] = entry
    return entries


def is_withheld(treatment: Json) -> bool:
    return bool(treatment["kind"] == "withheld")


def as_clients_need(server: Json) -> Json:
    """The named repairs that the recorded data needs, as a second implementation."""
    fixed: Json = {"$schema": SCHEMA} | json.loads(json.dumps(server))
    if fixed.get("repository") in ({}, {"url": "", "source": ""}):
        del fixed["repository"]
    for package in fixed.get("packages", []):
        if package.get("version") == "latest":
            del package["version"]
        for variable in package.get("environmentVariables", []):
            if variable.get("format") == "integer":
                del variable["format"]
    return fixed


def print_figures(
    entries: int, pulls: list[Any], withheld: dict[Key, str], treatments: list[Json]
) -> None:
    """Print the figures of the replay for `pytest -s`."""
    requests = sum(pull.requests for pull in pulls)
    kinds = Counter(treatment["rule"] for treatment in treatments if treatment["rule"] in REPAIRS)
    print(f"\nreplay: {entries} entries, {len(pulls) - 1} steps, {requests} requests")
    print(f"repairs: {dict(kinds)}")
    for (name, version), reason in sorted(withheld.items()):
        print(f"withheld: {name} {version}: {reason}")
