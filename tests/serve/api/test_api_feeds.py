"""The read API over feeds that each test makes for itself."""

import json
from pathlib import Path

from serve.feed.feed import Feed
from tests.serve.api.test_api import DAY
from tests.support.feeds import NOW, entry, excluded, publish, served


def test_updated_since_answers_at_least_what_upstream_would(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    old = entry("a.b/old", at=NOW - 9 * DAY)
    publish(feed, [old, entry("a.b/new", at=NOW - DAY)], "e1", now=NOW - 5 * DAY)
    publish(feed, [old, entry("a.b/new", at=NOW - DAY, title="Newer")], "e2", now=NOW)
    with served(tmp_path, ("default", "/"), skew=0) as client:

        def since(text: str) -> list[str]:
            return [name for name, _ in client.keys(f"/v0.1/servers?updated_since={text}")]

        assert since("2026-01-05T11:59:59.999999Z") == ["a.b/new"]
        assert since("2026-01-05T12:00:00Z") == []
        assert since("2025-12-31T11:59:59.999999Z") == ["a.b/new", "a.b/old"]
    with served(tmp_path, ("default", "/"), skew=60) as client:
        assert client.keys("/v0.1/servers?updated_since=2026-01-05T12:00:59Z") == [
            ("a.b/new", "1.0.0")
        ]


def test_a_page_is_never_more_than_clients_take(tmp_path: Path) -> None:
    """The strictest client refuses a page of more than 10 MiB."""
    large = {"io.modelcontextprotocol.registry/publisher-provided": {"x": "y" * 1_500_000}}
    entries = [entry(f"a.b/{number:02d}", _meta=large) for number in range(12)]
    publish(Feed(tmp_path, "default"), entries, "e1")
    with served(tmp_path, ("default", "/")) as client:
        for route in ("/v0.1/servers", "/changes"):
            met, cursor = 0, ""
            while True:
                body = client.ask(f"{route}?limit=100&cursor={cursor}")[2]
                assert len(body) < 10 << 20
                page = json.loads(body)
                met += page["metadata"]["count"]
                cursor = page["metadata"].get("nextCursor", "")
                if not cursor:
                    break
            assert met == 12


def test_who_follows_a_search_learns_what_is_gone(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    nice = entry("a.b/nice")
    publish(feed, [nice], "e1")
    for number in (2, 3):
        gone = excluded(nice, f"flooding {number}")
        publish(feed, [gone], f"e{number}", now=NOW + number * DAY)
    with served(tmp_path, ("default", "/")) as client:
        page = client.json("/v0.1/servers?search=NICE&updated_since=2026-01-05T13:00:00Z")
        assert [item["server"]["name"] for item in page["servers"]] == ["a.b/nice"]
        assert client.keys("/v0.1/servers?search=nice") == []


def test_a_feed_without_an_edition_says_so(tmp_path: Path) -> None:
    with served(tmp_path, ("default", "/")) as client:
        problem = client.json("/v0.1/servers", status=503)
    assert "has no edition that can be read" in problem["detail"]


def test_a_switch_is_seen_and_a_walk_goes_on_in_the_new_edition(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    entries = [entry(f"a.b/{number:03d}") for number in range(20)]
    publish(feed, entries, "e1")
    with served(tmp_path, ("default", "/")) as client:
        first = client.json("/v0.1/servers?limit=10")
        kept = [*entries[:5], *entries[6:], entry("a.b/015x")]
        publish(feed, [*kept, excluded(entries[5])], "e2", now=NOW + DAY)
        while client.json("/health")["edition"] != "e2":
            pass
        cursor = first["metadata"]["nextCursor"]
        rest = client.keys(f"/v0.1/servers?limit=100&cursor={cursor}")
    expected = [f"a.b/{number:03d}" for number in range(10, 20)] + ["a.b/015x"]
    assert rest == [(name, "1.0.0") for name in sorted(expected)]
