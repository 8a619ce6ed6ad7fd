"""Model-based tests: the served API against a plain model, over thousands of random requests."""

import json
import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from serve.api.editions import FixedEditions
from serve.api.registry import Api, Request
from serve.edition.edition import Edition
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from tests.conformance.model import Known, Model
from tests.serve.api.test_api import ODD_VERSIONS
from tests.support.feeds import NOW, entry, excluded, publish, served

REQUESTS = int(os.environ.get("SUBREGISTRY_REQUESTS", "20000"))
OFFICIAL = "io.modelcontextprotocol.registry/official"
WORDS = ["server", "SERVER x", "ä", "Ä", "100%", "_", "io.github", ".a/x", "nothing", "\\", "'"]


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    """Names and versions that are hard to sort, read and encode, over two editions."""
    chance = random.Random(7)
    feed = Feed(tmp_path_factory.mktemp("feeds"), "default")
    names = [
        "com.a-b/x",
        "com.a.b/x",
        "io.github.A/x",
        "io.github.a/x",
        "a.b/versions",
        "a.b/latest",
    ]
    names += [f"io.github.z/n{number}" for number in range(60)]
    versions = [*ODD_VERSIONS, "1.0.0", "2.0.0", "10.0.0", "1.0.0-rc.1", "v2", "versions"]
    entries = []
    for name in names:
        for version in chance.sample(versions, chance.choice([1, 1, 2, 5])):
            at = NOW - timedelta(days=chance.randint(1, 300), microseconds=chance.randrange(10**6))
            status = chance.choice(["active"] * 6 + ["deprecated", "deleted"])
            text = f"{chance.choice(WORDS)} of {name}"
            updated = at + timedelta(hours=chance.randint(0, 100))
            entries.append(
                entry(name, version, at=at, updated=updated, status=status, description=text)
            )
    publish(feed, entries, "e1")
    changed = [
        excluded(candidate) if chance.random() < 0.1 else candidate
        for candidate in entries
        if chance.random() < 0.95
    ]
    publish(feed, changed, "e2", now=NOW + timedelta(hours=2))
    return feed


@pytest.fixture(scope="module")
def model(feed: Feed) -> Model:
    edition = feed.current()
    assert edition is not None
    entries = [known(edition, index) for index in range(edition.count)]
    return Model(entries, timedelta(seconds=60))


def known(edition: Edition, index: int) -> Known:
    """An entry as it is served."""
    body = json.loads(edition.body(index))
    official = body["_meta"][OFFICIAL]
    return Known(
        name=body["server"]["name"],
        version=body["server"]["version"],
        body=body,
        latest=official["isLatest"],
        deleted=official["status"] == "deleted",
        published=datetime.fromisoformat(official["publishedAt"]),
        updated=datetime.fromisoformat(official["updatedAt"]),
        changed=datetime.fromisoformat(body["_meta"]["local.subregistry/feed"]["publishedAt"]),
    )


class Requests:
    """Random raw targets, sane and odd; remembers cursors."""

    def __init__(self, model: Model, seed: int) -> None:
        self._random = random.Random(seed)
        self._entries = model.entries
        self._cursors: list[str] = []

    def remember(self, cursor: str) -> None:
        self._cursors = [*self._cursors[-20:], cursor]

    def next(self) -> str:
        choose = self._random.choice
        prefix = choose(["/v0.1", "/v0", "", "//v0.1/", "/v0.1/v0"])
        if self._random.random() < 0.6:
            path = choose(["/servers"] * 8 + ["/servers/", "//servers"])
        else:
            path = self._lookup()
        pairs = [self._pair() for _ in range(self._random.choice([0, 1, 1, 2, 2, 3, 5]))]
        return prefix + path + ("?" + "&".join(pairs) if pairs else "")

    def _lookup(self) -> str:
        choose, chosen = self._random.choice, self._random.choice(self._entries)
        name, version = self._spelled(chosen.name), self._spelled(chosen.version)
        if self._random.random() < 0.1:
            name = choose(["nothing", "a.b", "%zz", "a.b%2F", "%2F", "..", "a%00b", "versions"])
        tail = choose(
            ["", "/versions", "/versions/", "/versions/latest", f"/versions/{version}"] * 3
            + [
                "/versions/%ff",
                f"/{version}",
                "/versions/versions",
                "//versions//latest",
                "/status",
            ]
        )
        return f"/servers/{name}{tail}"

    def _spelled(self, text: str) -> str:
        """Percent-encode a text as little as a request line allows, partly, fully, or twice."""
        how = self._random.random()
        plain = b"abcdefghijklmnopqrstuvwxyz.0123456789"
        if how < 0.4:
            plain += b"/+:-_ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        once = "".join(
            chr(byte)
            if byte in plain and (how < 0.8 or self._random.random() < 0.5)
            else f"%{byte:02{self._random.choice('xX')}}"
            for byte in text.encode()
        )
        return once.replace("%", "%25") if how > 0.9 else once

    def _pair(self) -> str:
        choose, chosen = self._random.choice, self._random.choice(self._entries)
        at = choose([chosen.updated, chosen.changed, chosen.updated - timedelta(microseconds=1)])
        # The skew is 60 seconds: these instants lie on its edges.
        at += choose([timedelta(), timedelta(seconds=60), timedelta(seconds=-60)])
        values: dict[str, list[str]] = {
            "limit": ["1", "2", "7", "30", "100", "0", "101", "-1", "abc", "", "%2B5", "+5", "1e2"],
            "version": ["latest", self._spelled(chosen.version), "nothing", "", "LATEST"],
            "search": [
                self._spelled(choose([*WORDS, chosen.name, chosen.name[3:9].upper(), "n1"]))
            ],
            "include_deleted": ["true", "1", "false", "F", "maybe", "", "TRUE"],
            "updated_since": [
                at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S,%f+00:00"),
                at.strftime("%Y-%m-%dT%H:%M:%S.%f%%2B02:00"),
                at.strftime("%Y-%m-%d"),
                at.strftime("%Y-%m-%dT%H:%M:%S%%2B02:75"),
                at.strftime("%%D9%%A2%Y-%m-%dT%H:%M:%SZ"),
                "now",
                "",
            ],
            "cursor": [
                *self._cursors[-3:],
                f"{self._spelled(chosen.name)}:{self._spelled(chosen.version)}",
                self._spelled(chosen.name),
                "sr2_broken",
                "sr1_old",
                ":",
                "zzz:",
                "%ff",
                "",
            ],
            "unknown": ["1", "%00", "%zz", ""],
        }
        name = choose([*values, "limit", "cursor", "search"])
        return choose([f"{name}={choose(values[name])}"] * 9 + [name])


def compare(model: Model, requests: Requests, target: str, status: int, body: bytes) -> None:
    expected = model.answer(target)
    assert status == expected.status, (target, status, body[:300])
    document = json.loads(body)
    if status != 200:
        assert document["status"] == status
        return
    if "servers" not in document:
        assert [document] == [entry.body for entry in expected.entries], target
        return
    assert document["servers"] == [entry.body for entry in expected.entries], target
    assert document["metadata"]["count"] == len(expected.entries)
    cursor = document["metadata"].get("nextCursor")
    assert (cursor is None) == (expected.place is None), target
    if cursor and expected.place:
        model.cursors[cursor] = expected.place
        requests.remember(cursor)


@pytest.mark.parametrize("part", range(4))
def test_every_answer_is_that_of_the_model(feed: Feed, model: Model, part: int) -> None:
    edition = feed.current()
    assert edition is not None
    store = FixedEditions(ServedFeed("default", "Default", "/"), edition)
    api, requests = Api(version="0", skew=60.0), Requests(model, part)
    statuses: dict[int, int] = {}
    for _ in range(REQUESTS // 4):
        target = requests.next()
        path, _, query = target.partition("?")
        answer = api.answer(Request(b"GET", path.encode(), query.encode()), store)
        status, body = (answer.status, answer.body) if answer else (404, b'{"status":404}')
        compare(model, requests, target, status, body)
        statuses[status] = statuses.get(status, 0) + 1
    print(f"\n{statuses}")
    assert statuses[200] > REQUESTS // 12


def test_http_gives_what_the_api_answers(feed: Feed, model: Model) -> None:
    requests = Requests(model, 99)
    with served(feed.folder.parent, ("default", "/")) as client:
        for _ in range(300):
            target = requests.next()
            status, _, body = client.ask(target)
            compare(model, requests, target, status, body)
