"""A refresh shows what a look at everything would show, whatever became of the warehouse."""

from datetime import timedelta
from pathlib import Path

from pipelines.demo.clock import PlayedClock
from pipelines.deployment import Deployment
from pipelines.steps.build import build
from pipelines.steps.refresh import publish, refresh
from serve.feed import Feed
from tests.conftest import START, Upstream, make_deployment, server_json

HOUR = timedelta(hours=1)


def states(feed: Feed) -> dict[str, str]:
    edition = feed.current()
    assert edition is not None
    return {
        edition.key(i).decode().replace("\0", "@"): edition.state(i) for i in range(edition.count)
    }


def quiet(*_: object) -> None:
    return None


def test_what_a_warehouse_made_anew_does_not_know_is_withdrawn(
    deployment: Deployment, upstream: Upstream, clock: PlayedClock
) -> None:
    for number in range(40):
        upstream.registry.publish(server_json(f"c.d/s{number}"), START - HOUR)
    refresh(deployment, tell=quiet)
    home = deployment.settings.home
    for path in home.glob("warehouse.duckdb*"):
        path.unlink()
    upstream.registry.remove(("c.d/s7", "1.0.0"))
    fresh = make_deployment(home, upstream, clock)
    for number in range(2):
        clock.move_to(START + (2 + number) * HOUR)
        refresh(fresh, tell=quiet)
    assert states(fresh.feed("mirror"))["c.d/s7@1.0.0"] == "withdrawn"


def test_what_changed_between_curation_and_build_is_looked_at_again(
    deployment: Deployment, upstream: Upstream, clock: PlayedClock
) -> None:
    for number in range(40):
        upstream.registry.publish(server_json(f"c.d/s{number}"), START - HOUR)
    refresh(deployment, tell=quiet)
    (policy,) = deployment.policies("mirror")
    feed, known = deployment.feed("mirror"), ("c.d/x", "1.0.0")
    clock.move_to(START + HOUR)
    upstream.registry.publish(server_json("c.d/x"), clock() - timedelta(minutes=9))
    deployment.pull()
    deployment.curate(policy)
    row = upstream.registry.rows()[known]
    upstream.registry.remove(known)
    for _ in range(4):
        clock.move_to(clock() + HOUR)
        deployment.pull(full=True)
    build(deployment.warehouse, policy, feed, now=clock)
    deployment.switch(policy)
    assert states(feed)["c.d/x@1.0.0"] == "deleted"
    upstream.registry.put(row)
    clock.move_to(clock() + HOUR)
    deployment.pull(full=True)
    publish(deployment, policy, tell=quiet)
    assert states(feed)["c.d/x@1.0.0"] == "admitted"


def test_a_migration_leaves_no_package_behind(
    deployment: Deployment, upstream: Upstream, tmp_path: Path
) -> None:
    """The table of packages that builds read is filled when it is made."""
    package = {"registryType": "npm", "identifier": "x", "transport": {"type": "stdio"}}
    document = server_json("c.d/x") | {"packages": [package]}
    upstream.registry.publish(document, START - HOUR)
    refresh(deployment, tell=quiet)
    schema = Path("warehouse/sql/schema")
    (script,) = schema.glob("*_create_served_packages.sql")
    with deployment.warehouse.session() as session:
        before = session.text("FROM served_packages").num_rows
        session.text(script.read_text().replace("TABLE served_packages", "TEMP TABLE again"))
        assert session.text("FROM again").num_rows == before > 0
