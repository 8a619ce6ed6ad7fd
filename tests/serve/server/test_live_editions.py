"""Editions that come and go under a server: kept, gone, broken, shown late."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from serve.api.registry import Api, Request
from serve.build.rollback import write_rollback
from serve.feed.feed import Feed
from serve.feed.retention import Retention
from serve.policy.served_feed import ServedFeed
from serve.server.live_editions import LiveEditions
from tests.serve.api.test_history import E2, E3, HOUR
from tests.support.feeds import FIRST, NOW, entry, excluded, publish, served


def test_what_is_no_longer_kept_is_gone(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    entries = [entry(f"a.b/{index}") for index in range(6)]
    for number in range(1, 5):
        publish(feed, entries[:number], f"e{number}", now=NOW + number * HOUR)
    with served(tmp_path, ("default", "/")) as client:
        cursor = client.json("/v0.1/servers?edition=e1&limit=1")["metadata"]["nextCursor"]
        feed.tidy(Retention(1, timedelta(0)), now=NOW + 3.5 * HOUR)
        assert [edition["kept"] for edition in client.json("/editions")["editions"]] == [
            True,
            True,
            False,
            False,
        ]
        for target in ("/v0.1/servers?edition=e2", "/v0.1/servers?as_of=2026-01-05T14:30:00Z"):
            assert "no longer kept" in client.json(target, status=410)["detail"]
        assert client.ask("/v0.1/servers?as_of=2026-01-05T15:30:00Z")[0] == 200
        assert client.ask(f"/v0.1/servers?cursor={cursor}")[0] == 410


def test_a_walk_that_outlives_its_editions_is_told_to_start_again(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    entries = [entry(f"a.b/{index}") for index in range(9)]
    publish(feed, entries[:3], "e1")
    with served(tmp_path, ("default", "/")) as client:
        first = client.json("/v0.1/servers?limit=1")["metadata"]["nextCursor"]
        for number in range(2, 6):
            publish(feed, entries[: number + 2], f"e{number}", now=NOW + number * HOUR)
        while client.json("/health")["edition"] != "e5":
            pass
        assert len(client.keys(f"/v0.1/servers?limit=100&cursor={first}")) == 3  # the walk reads e2
        feed.tidy(Retention(1, timedelta(0)), now=NOW + 9 * HOUR)
    with served(tmp_path, ("default", "/")) as client:
        problem = client.json(f"/v0.1/servers?limit=100&cursor={first}", status=410)
    assert "start the list again" in problem["detail"]


def test_going_back_is_an_edition_of_its_own(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    one, two, new = entry("a.b/one"), entry("a.b/two"), entry("c.d/new")
    publish(feed, [one, two], "e1")
    edited = entry("a.b/one", title="Bad")
    publish(feed, [edited, excluded(two), new], "e2", now=NOW + HOUR)
    live, target = feed.current(), feed.open("e1")
    assert live is not None
    write_rollback(
        target,
        live=live,
        edition="e3",
        root=feed.folder,
        now=NOW + 2 * HOUR,
    )
    feed.switch("e3", now=lambda: NOW + 2 * HOUR)
    with served(tmp_path, ("default", "/")) as client:
        assert client.keys("/v0.1/servers") == [("a.b/one", "1.0.0"), ("a.b/two", "1.0.0")]
        changed = client.json(f"/changes?since_sequence={E2}")["changes"]
        assert [(change["kind"], change["name"]) for change in changed] == [
            ("changed", "a.b/one"),
            ("restored", "a.b/two"),
            ("withdrawn", "c.d/new"),
        ]
        again = client.json("/v0.1/servers/a.b%2Fone")
        assert again["server"] == json.loads(one.server or b"")
        assert again["_meta"]["local.subregistry/feed"]["sequence"] == E3
        (why,) = client.json("/explain/c.d%2Fnew")["versions"]
        assert (why["state"], why["rule"]) == ("withdrawn", "rollback")
        assert client.json("/editions/e1/diff/e3")["differences"] == []
        assert client.ask("/v0.1/servers/a.b%2Fone?raw=true")[0] == 200


def test_a_feed_made_anew_reaches_its_readers(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    publish(feed, [entry("a.b/one"), entry("a.b/two")], "e1")
    rebuilt = Feed(tmp_path / "again", "default")
    two = replace(excluded(entry("a.b/two"), "not wanted"), served=True)
    publish(rebuilt, [entry("a.b/one"), two], "e1", now=NOW + HOUR)
    with served(tmp_path / "again", ("default", "/")) as client:
        page = client.json(f"/changes?since_sequence={FIRST}")
        assert [(change["kind"], change["name"]) for change in page["changes"]] == [
            ("added", "a.b/one"),
            ("withdrawn", "a.b/two"),
        ]
        assert page["metadata"]["firstSequence"] == E2


@pytest.mark.parametrize("damage", ["hash", "missing", "newer", "segment", "manifest"])
def test_a_bad_edition_is_refused_and_the_last_good_one_stays(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Feed(tmp_path, "default")
    publish(feed, [entry("a.b/one")], "e1")
    publish(feed, [entry("a.b/one"), entry("a.b/two")], "e2", now=NOW + HOUR)
    folder = feed.editions / "e2"
    if damage == "hash":
        flip(folder / "policy.json")
    elif damage == "missing":
        (folder / "entries").unlink()
    elif damage == "newer":
        path = folder / "manifest.json"
        path.write_text(path.read_text().replace('"format":4', '"format":5'))
    elif damage == "segment":
        flip(feed.segments / "e2")
    else:
        (folder / "manifest.json").write_text("{")
    store = LiveEditions(tmp_path, ServedFeed("default", "x", "/"))
    assert store.live().manifest.edition == "e1"
    assert "edition refused feed=default edition=e2" in caplog.text
    publish_at = datetime.fromisoformat("2026-01-05T15:00:00+00:00")
    if damage == "hash":
        publish(feed, [entry("a.b/three")], "e3", now=publish_at)
        store.look()
        assert store.live().manifest.edition == "e3"


def test_what_was_shown_late_is_not_missed_by_a_reader_of_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.server.live_editions._TRY_AGAIN", 0.0)
    feed = Feed(tmp_path, "default")
    clock = [NOW]
    publish(feed, [entry("a.b/one")], "e1")
    store = LiveEditions(tmp_path, ServedFeed("default", "x", "/"), now=lambda: clock[0])
    store.live()
    publish(feed, [entry("a.b/one"), entry("a.b/two")], "e2", now=NOW + HOUR)
    flip(feed.editions / "e2" / "records")
    clock[0] = NOW + 2 * HOUR
    store.look()
    assert store.live().manifest.edition == "e1"
    flip(feed.editions / "e2" / "records")  # the disk is repaired
    clock[0] = NOW + 3 * HOUR
    store.look()
    assert store.live().manifest.edition == "e2"
    api = Api(version="0", skew=60)

    def since(at: datetime) -> list[str]:
        query = f"updated_since={at:%Y-%m-%dT%H:%M:%SZ}".encode()
        answer = api.answer(Request(b"GET", b"/v0.1/servers", query), store)
        assert answer is not None
        return [item["server"]["name"] for item in json.loads(answer.body)["servers"]]

    assert since(NOW + 2 * HOUR) == ["a.b/two"]  # a reader may have seen e1 then
    assert since(NOW + 2 * HOUR + timedelta(seconds=60)) == ["a.b/two"]
    assert since(NOW + 2 * HOUR + timedelta(seconds=61)) == []  # nobody saw e1 by then


def test_a_switch_that_nobody_looked_at_for_hours_was_not_shown_late(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    clock = [NOW]
    publish(feed, [entry("a.b/one")], "e1")
    store = LiveEditions(tmp_path, ServedFeed("default", "x", "/"), now=lambda: clock[0])
    store.live()
    publish(feed, [entry("a.b/two")], "e2", now=NOW + HOUR)
    clock[0] = NOW + 9 * HOUR
    store.look()
    assert store.live().manifest.edition == "e2"
    at = int((NOW + 2 * HOUR).timestamp()) * 1_000_000
    assert store.since(at) == at


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def test_a_broken_ledger_leaves_the_feed_alive(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    publish(feed, [entry("a.b/one")], "e1")
    with served(tmp_path, ("default", "/")) as client:
        assert client.ask("/v0.1/servers")[0] == 200
        (feed.folder / "ledger.json").write_text("{")
        assert client.ask("/v0.1/servers")[0] == 200
        assert "cannot be read now" in client.json("/editions", status=503)["detail"]
        assert len(client.json("/changes")["changes"]) == 1
    with served(tmp_path, ("default", "/")) as client:
        first = client.json("/v0.1/servers?limit=1")
        cursor = first["metadata"]["nextCursor"]
        assert client.keys(f"/v0.1/servers?cursor={cursor}") == []
