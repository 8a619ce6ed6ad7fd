"""Editions on disk: what changes, stays and goes live, and what a crash or a bad disk does."""

import json
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.build.candidate import Candidate
from serve.disk import replace_file
from serve.edition.base import DELETED, LATEST
from serve.edition.edition import Edition
from serve.edition.verification import verify
from serve.entry.latest import choose_latest
from serve.entry.render import fixed_instant
from serve.errors import EditionBroken, FeedBusy, NoEdition, SwitchRefused
from serve.feed.feed import Feed
from serve.feed.retention import Retention
from serve.policy.served_feed import ServedFeed
from serve.server.live_editions import LiveEditions
from tests.support.feeds import FIRST, HOUR, NOW, build, entry, excluded, publish


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path, "default")


def live(feed: Feed) -> Edition:
    edition = feed.current()
    assert edition is not None
    return edition


def block(edition: Edition, name: str, version: str = "1.0.0") -> dict[str, object]:
    index = edition.keys.find(name.encode(), version.encode())
    assert index is not None
    fields: dict[str, object] = json.loads(edition.body(index))["_meta"]["local.subregistry/feed"]
    return fields


def test_what_did_not_change_keeps_body_sequence_and_instant(feed: Feed) -> None:
    one, two = entry("a.b/one"), entry("a.b/two")
    publish(feed, [one, two], "e1", now=NOW)
    publish(feed, [one, entry("a.b/two", title="New")], "e2", now=NOW + HOUR)
    edition = live(feed)
    assert (edition.manifest.sequence, edition.manifest.changed) == (FIRST + 3600, 1)
    assert block(edition, "a.b/one") == {
        "state": "admitted",
        "edition": "e1",
        "sequence": FIRST,
        "publishedAt": "2026-01-05T12:00:00.000000Z",
    }
    assert block(edition, "a.b/two")["sequence"] == FIRST + 3600
    assert block(edition, "a.b/two")["publishedAt"] == "2026-01-05T13:00:00.000000Z"
    assert edition.manifest.segments == ("e1", "e2")


def test_the_instant_is_that_of_the_switch_and_not_of_the_build(feed: Feed) -> None:
    build(feed, [entry("a.b/one")], "e1", now=NOW)
    feed.switch("e1", now=lambda: NOW + 2 * HOUR)
    assert block(live(feed), "a.b/one")["publishedAt"] == "2026-01-05T14:00:00.000000Z"


def test_an_entry_that_leaves_becomes_a_tombstone_and_may_come_back(feed: Feed) -> None:
    one, two = entry("a.b/one"), entry("a.b/two")
    never = excluded(entry("a.b/never"))
    publish(feed, [one, two, never], "e1", now=NOW)
    publish(feed, [one, excluded(two, "flooding"), never], "e2", now=NOW + HOUR)
    edition = live(feed)
    assert edition.count == 2
    index = edition.keys.find(b"a.b/two", b"1.0.0")
    assert index is not None
    body = json.loads(edition.body(index))
    assert set(body["server"]) == {"$schema", "name", "description", "version"}
    official = body["_meta"]["io.modelcontextprotocol.registry/official"]
    assert (official["status"], official["isLatest"]) == ("deleted", True)
    assert official["statusMessage"] == "withdrawn from this feed: flooding"
    assert edition.arrays["flags"][index] == DELETED | LATEST
    publish(feed, [one, two, never], "e3", now=NOW + 2 * HOUR)
    assert block(live(feed), "a.b/two")["state"] == "admitted"


def test_a_feed_outlives_its_warehouse(feed: Feed) -> None:
    publish(feed, [entry("a.b/one"), entry("a.b/two"), entry("z.z/z")], "e1", now=NOW)
    publish(feed, [entry("a.b/one")], "e2", now=NOW + HOUR)
    edition = live(feed)
    assert [edition.deleted(index) for index in range(3)] == [False, True, True]
    assert block(edition, "z.z/z")["state"] == "withdrawn"


def test_a_withheld_latest_hands_the_flag_to_the_next_best(feed: Feed) -> None:
    broken: dict[str, Any] = {
        "packages": [{"registryType": "npm", "identifier": "x"}],
        "remotes": [],
    }
    entries = [
        entry("a.b/s", "1.9.0", at=NOW - 3 * HOUR, is_latest=False),
        entry("a.b/s", "1.10.0", at=NOW - 4 * HOUR, is_latest=False),
        entry("a.b/s", "2.0.0", at=NOW - 2 * HOUR, **broken),
        entry("a.b/s", "weird", at=NOW - HOUR, is_latest=False),
    ]
    built = build(feed, entries, "e1")
    assert built.manifest.withheld == 1
    feed.switch("e1", now=lambda: NOW)
    edition = live(feed)
    latest = edition.latest(b"a.b/s")
    assert latest is not None
    assert edition.key(latest) == b"a.b/s\x001.10.0"


@pytest.mark.parametrize(
    ("versions", "best"),
    [
        (["1.0.0", "2.0.0"], "2.0.0"),
        (["2.0.0", "10.0.0"], "10.0.0"),
        (["1.0.0", "1.0.0-rc.1"], "1.0.0"),
        (["auto", "0.0.1"], "0.0.1"),
        (["v0.7.1", "0.7.1"], "0.7.1"),
        (["auto", "manual"], "manual"),
        (["1.2", "2025.11.17.0704"], "2025.11.17.0704"),
    ],
)
def test_the_latest_follows_upstreams_precedence(versions: list[str], best: str) -> None:
    dated = [(version, NOW + number * HOUR) for number, version in enumerate(versions)]
    assert versions[choose_latest(dated)] == best


def test_a_candidate_built_on_another_edition_is_refused(feed: Feed) -> None:
    publish(feed, [entry("a.b/one")], "e1", now=NOW)
    build(feed, [entry("a.b/one", title="A")], "e2", now=NOW + HOUR)
    (feed.folder / "candidate").unlink()
    build(feed, [entry("a.b/one", title="B")], "e3", now=NOW + HOUR)
    feed.switch("e3", now=lambda: NOW + HOUR)
    with pytest.raises(SwitchRefused, match="run subregistry build again"):
        feed.switch("e2", now=lambda: NOW + 2 * HOUR)
    assert feed.current_id() == "e3"


def test_a_switch_may_be_repeated(feed: Feed) -> None:
    first = publish(feed, [entry("a.b/one")], "e1", now=NOW)
    assert feed.switch("e1", now=lambda: NOW + HOUR) == first


def test_a_clock_that_goes_back_stops_nothing_and_instants_still_rise(
    feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    publish(feed, [entry("a.b/one")], "e1", now=NOW)
    manifest = publish(feed, [entry("a.b/one", title="A")], "e2", now=NOW - HOUR)
    assert manifest.published_at == NOW + timedelta(microseconds=1)
    assert manifest.sequence == FIRST + 1
    assert "before the last edition" in caplog.text


def test_a_sequence_that_does_not_rise_is_refused(feed: Feed) -> None:
    publish(feed, [entry("a.b/one")], "e1")
    build(feed, [entry("a.b/one", title="A")], "e2")
    manifest = json.loads((feed.editions / "e2" / "manifest.json").read_text())
    manifest["sequence"] = FIRST
    (feed.editions / "e2" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SwitchRefused, match="run subregistry build again"):
        feed.switch("e2", now=lambda: NOW + HOUR)


def test_a_slow_switch_writes_its_instant_again(feed: Feed) -> None:
    build(feed, [entry("a.b/one")], "e1")
    # Readings of the clock: the first stamps take longer than is allowed.
    seconds = iter([0, 7, 8, 8, 30, 31, 31, 32, 33, 34])
    passed: list[datetime] = []

    def clock() -> datetime:
        passed.append(NOW + timedelta(seconds=next(seconds)))
        return passed[-1]

    final = feed.switch("e1", now=clock)
    assert final.published_at is not None
    assert passed[-1] - final.published_at <= timedelta(seconds=5)
    assert block(live(feed), "a.b/one")["publishedAt"] == fixed_instant(final.published_at).decode()
    verify(feed.editions / "e1")


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_switch_that_is_cut_short_anywhere_can_be_done_again(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    publish(feed, [entry("a.b/one")], "e1")
    build(feed, [entry("a.b/one", title="A")], "e2", now=NOW + HOUR)
    for _ in range(2):  # interrupted twice at the same place
        remaining = [cut]

        def counted(path: Path, data: bytes, remaining: list[int] = remaining) -> None:
            remaining[0] -= 1
            if remaining[0] == 0:
                raise KeyboardInterrupt
            replace_file(path, data)

        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr("serve.feed.feed.replace_file", counted)
            patch.setattr("serve.feed.stamping.replace_file", counted)
            patch.setattr("serve.disk.replace_file", counted)
            feed.switch("e2", now=lambda: NOW + HOUR)
    feed.switch("e2", now=lambda: NOW + 2 * HOUR)
    verify(feed.editions / "e2")
    with feed.held():
        assert list(feed.ledger.read()) == ["e1", "e2"]
    assert feed.current_id() == "e2"


def test_a_lost_ledger_is_made_again_of_what_is_kept(feed: Feed) -> None:
    for number in range(4):
        entries = [entry("a.b/one", title=f"T{number}")]
        publish(feed, entries, f"e{number}", now=NOW + number * HOUR)
    (feed.folder / "ledger.json").unlink()
    build(feed, [entry("a.b/one")], "e9", now=NOW + 9 * HOUR)
    with feed.held():
        assert list(feed.ledger.read()) == ["e0", "e1", "e2", "e3"]


def test_a_candidate_that_never_went_live_makes_room_for_the_next(feed: Feed) -> None:
    publish(feed, [entry("a.b/one")], "e1")
    for number in range(2, 6):
        build(feed, [entry("a.b/one", title=f"T{number}")], f"e{number}", now=NOW + HOUR)
    assert sorted(path.name for path in feed.editions.iterdir()) == ["e1", "e5"]
    assert sorted(path.name for path in feed.segments.iterdir()) == ["e1", "e5"]


@pytest.mark.parametrize("name", ["current", "candidate", "hold"])
def test_a_damaged_pointer_is_named(feed: Feed, name: str) -> None:
    publish(feed, [entry("a.b/one")], "e1")
    followed = LiveEditions(feed.folder.parent, ServedFeed(feed.name, "x", "/"))
    followed.live()
    (feed.folder / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EditionBroken, match="restore or remove it"):
        {"current": feed.current_id, "candidate": feed.candidate_id, "hold": feed.hold}[name]()
    followed.look()
    assert followed.live().manifest.edition == "e1"


@pytest.mark.parametrize("victim", ["editions/e2/entries", "segments/e2", "editions/e2/records"])
def test_a_damaged_candidate_never_goes_live(feed: Feed, victim: str) -> None:
    publish(feed, [entry("a.b/one")], "e1", now=NOW)
    build(feed, [entry("a.b/one", title="A")], "e2", now=NOW + HOUR)
    path = feed.folder / victim
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    if victim.startswith("segments"):
        path.unlink()
    with pytest.raises(EditionBroken):
        feed.switch("e2", now=lambda: NOW + HOUR)
    assert feed.current_id() == "e1"
    verify(feed.editions / "e1")


def test_a_newer_format_is_refused(feed: Feed) -> None:
    publish(feed, [entry("a.b/one")], "e1")
    path = feed.editions / "e1" / "manifest.json"
    path.write_text(path.read_text().replace('"format":4', '"format":99'))
    with pytest.raises(EditionBroken, match="format 99"):
        feed.current()


def test_an_unknown_edition_is_named(feed: Feed) -> None:
    with pytest.raises(NoEdition, match="no edition e9"):
        feed.open("e9")


def test_tidying_keeps_what_is_needed(feed: Feed) -> None:
    for number in range(1, 8):
        entries = [entry("a.b/one"), entry("a.b/two", title=f"T{number}")]
        publish(feed, entries, f"e{number}", now=NOW + number * HOUR)
    (feed.editions / "e9.part").mkdir()
    removed = feed.tidy(Retention(2, timedelta(0)), now=NOW + 100 * HOUR)
    assert removed == ["e1", "e2", "e3", "e4", "e5", "e9.part"]
    assert sorted(path.name for path in feed.editions.iterdir()) == ["e6", "e7"]
    assert sorted(path.name for path in feed.segments.iterdir()) == ["e1", "e6", "e7"]
    for name in ("e6", "e7"):
        verify(feed.editions / name)
    assert block(live(feed), "a.b/one")["sequence"] == FIRST + 3600


def test_an_empty_feed_is_an_edition_too(feed: Feed) -> None:
    publish(feed, [], "e1")
    assert live(feed).count == 0
    publish(feed, [entry("a.b/one")], "e2", now=NOW + HOUR)
    assert live(feed).count == 1


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    entries = [entry("a.b/one"), entry("a.b/two"), excluded(entry("a.b/three"))]
    contents = []
    for number in range(2):
        feed = Feed(tmp_path / str(number), "default")
        publish(feed, entries, "e1")
        contents.append(
            {path.name: path.read_bytes() for path in sorted((feed.editions / "e1").iterdir())}
            | {"segment": (feed.segments / "e1").read_bytes()}
        )
    assert contents[0] == contents[1]


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["a.b/one", "a.b/two", "c.d/three"]),
        st.sampled_from(["1.0.0", "2.0.0", "1.0.0-rc.1"]),
        st.sampled_from(["admit", "exclude", "delete", "edit", "drop"]),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MOVES, min_size=1, max_size=5))
def test_a_reader_of_changes_ends_equal_to_the_feed(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[list[tuple[str, str, str]]]
) -> None:
    """For any history, a reader who follows change instants has what the feed shows."""
    feed = Feed(tmp_path_factory.mktemp("feed"), "default")
    state: dict[tuple[str, str], Candidate] = {}
    known: dict[bytes, bytes] = {}
    seen: datetime | None = None
    for number, moves in enumerate(rounds):
        for name, version, move in moves:
            apply(state, name, version, move, number)
        at = NOW + number * HOUR
        publish(feed, state.values(), f"e{number}", now=at)
        edition = live(feed)
        for index in range(edition.count):
            if seen is None or edition.arrays["changed"][index] > micros_of(seen):
                known[edition.key(index)] = edition.body(index)
        seen = at
        shown = {edition.key(row): edition.body(row) for row in range(edition.count)}
        assert known == shown
        names = {key.partition(b"\0")[0] for key in shown}
        assert all(edition.latest(name) is not None for name in names)
        flags = edition.arrays["flags"].of(range(edition.count))
        assert int(((flags & LATEST) != 0).sum()) == len(names)


def apply(
    state: dict[tuple[str, str], Candidate], name: str, version: str, move: str, number: int
) -> None:
    candidate = entry(name, version, is_latest=False)
    if move == "exclude":
        state[name, version] = excluded(candidate)
    elif move == "delete":
        state[name, version] = entry(name, version, status="deleted", is_latest=False)
    elif move == "edit":
        state[name, version] = entry(name, version, is_latest=False, title=f"T{number}")
    elif move == "drop":
        state.pop((name, version), None)
    else:
        state[name, version] = candidate


def micros_of(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


def test_many_editions_do_not_pile_up_files_to_keep_open(feed: Feed) -> None:
    first = entry("a.b/first")
    for number in range(40):
        entries = [first, *(entry(f"c.d/s{part:02d}") for part in range(number + 1))]
        publish(feed, entries, f"e{number:02d}", now=NOW + number * HOUR)
        feed.tidy(Retention(2, timedelta(0)), now=NOW + 100 * HOUR)
        assert len(live(feed).manifest.segments) <= 32
    edition = live(feed)
    verify(feed.editions / "e39")
    for index in range(edition.count):
        name, _, version = edition.key(index).decode().partition("\0")
        server = json.loads(edition.body(index))["server"]
        assert (server["name"], server["version"]) == (name, version)
    assert block(edition, "a.b/first")["sequence"] == FIRST
    assert block(edition, "c.d/s07")["publishedAt"] == "2026-01-05T19:00:00.000000Z"


def test_a_live_edition_that_cannot_be_read_leaves_the_last_good_one(feed: Feed) -> None:
    publish(feed, [entry("a.b/one")], "e1", now=NOW)
    followed = LiveEditions(feed.folder.parent, ServedFeed(feed.name, "x", "/"))
    assert followed.live().manifest.edition == "e1"
    publish(feed, [entry("a.b/one"), entry("a.b/two")], "e2", now=NOW + HOUR)
    (feed.editions / "e2" / "entries").unlink()
    (feed.editions / "e2" / "entries").mkdir()
    followed.look()
    assert followed.live().manifest.edition == "e1"


def test_a_feed_is_built_by_one_process_at_a_time(feed: Feed) -> None:
    with feed.held(), pytest.raises(FeedBusy, match="try again"), feed.held():
        pass
    with feed.held():
        pass
