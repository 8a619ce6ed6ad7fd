"""A refresh shows what a full look would show, whatever happened to the warehouse."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from pipelines.publish.build import build
from pipelines.refresh import publish, refresh
from serve.feed.feed import Feed
from tests.support.deployments import START, Upstream, make_deployment, server_json
from warehouse.curation.feeds import changed_names

HOUR = timedelta(hours=1)


def states(feed: Feed) -> dict[str, str]:
    edition = feed.current()
    assert edition is not None
    return {
        edition.key(index).decode().replace("\0", "@"): edition.state(index)
        for index in range(edition.count)
    }


def quiet(*_: object) -> None:
    return None


@pytest.fixture
def filled(deployment: Line, upstream: Upstream) -> Line:
    """Forty servers, each with a package, published."""
    package = {"registryType": "npm", "identifier": "x", "transport": {"type": "stdio"}}
    for number in range(40):
        document = server_json(f"c.d/s{number}") | {"packages": [package]}
        upstream.registry.publish(document, START - HOUR)
    refresh(deployment, report_step=quiet)
    return deployment


def test_what_did_not_change_is_not_looked_at_again(
    filled: Line, upstream: Upstream, clock: FakeClock
) -> None:
    """The fingerprint that a curation stores for an entry is the one that a build finds."""
    clock.move_to(START + HOUR)
    upstream.registry.publish(server_json("c.d/x"), clock() - timedelta(minutes=9))
    refresh(filled, report_step=quiet)
    with filled.warehouse.session() as session:
        begun = session.text("FROM verdict_changes WHERE feed = 'mirror' ORDER BY ALL").to_pylist()
        assert changed_names(session, "mirror", begun[0]["changed_at"]) == ["c.d/x"]
        assert session.text("FROM verdicts WHERE fingerprint IS NULL").num_rows == 0


def test_a_candidate_of_a_document_that_was_taken_back_does_not_wait(
    filled: Line, clock: FakeClock
) -> None:
    feed, (policy,) = filled.feed("mirror"), filled.policies("mirror")
    other = replace(policy, hash="another document with the same verdicts")
    for number, document in enumerate((other, policy)):
        clock.move_to(START + (number + 1) * HOUR)
        filled.curate(document)
        assert filled.build(document).unchanged is (document is policy)
        assert (feed.candidate_id() is None) is (document is policy)
    assert feed.current_id() is not None


def test_what_a_warehouse_made_anew_does_not_know_is_withdrawn(
    filled: Line, upstream: Upstream, clock: FakeClock
) -> None:
    home = filled.settings.home
    for path in home.glob("warehouse.duckdb*"):
        path.unlink()
    upstream.registry.remove(("c.d/s7", "1.0.0"))
    fresh = make_deployment(home, upstream, clock)
    for number in range(2):
        clock.move_to(START + (2 + number) * HOUR)
        refresh(fresh, report_step=quiet)
    assert states(fresh.feed("mirror"))["c.d/s7@1.0.0"] == "withdrawn"


def test_what_changed_between_curation_and_build_is_looked_at_again(
    filled: Line, upstream: Upstream, clock: FakeClock
) -> None:
    (policy,) = filled.policies("mirror")
    feed, known = filled.feed("mirror"), ("c.d/x", "1.0.0")
    clock.move_to(START + HOUR)
    upstream.registry.publish(server_json("c.d/x"), clock() - timedelta(minutes=9))
    filled.pull()
    filled.curate(policy)
    row = upstream.registry.rows()[known]
    upstream.registry.remove(known)
    for _ in range(4):
        clock.move_to(clock() + HOUR)
        filled.pull(full=True)
    build(filled.warehouse, policy, feed, now=clock)
    filled.switch(policy)
    assert states(feed)["c.d/x@1.0.0"] == "deleted"
    upstream.registry.put(row)
    clock.move_to(clock() + HOUR)
    filled.pull(full=True)
    publish(filled, policy, report_step=quiet)
    assert states(feed)["c.d/x@1.0.0"] == "admitted"
