"""Ranked search, the n-gram index, and the indexes that follow an edition after it went live."""

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import numpy.typing as npt
import pytest

from serve.edition import indexes
from serve.edition.base import ENTRIES
from serve.edition.layers import Numbers, TableBuilder
from serve.edition.packed import Packed, PackedFile, write_packed
from serve.feed.feed import Feed
from serve.policy.blocks import Block, BlockList
from serve.policy.served_feed import ServedFeed
from serve.search.index import catch_up, read_state
from serve.server.app import build_app
from tests.support.feeds import NOW, Client, Json, entry, excluded, publish, served_app

HOUR = timedelta(hours=1)
FEED = ServedFeed("default", "Default", "/")
PACKAGE = {"registryType": "npm", "identifier": "@acme/pg-tools", "version": "1.0.0"}
STDIO = PACKAGE | {"transport": {"type": "stdio"}}
REMOTE = {"type": "sse", "url": "https://mcp.example.org/x"}
FACTS = (
    b'{"packages":[{"registryType":"npm","identifier":"@acme/pg-tools","state":"known",'
    b'"license":"MIT","ownership":"verified"}]}'
)
ENTRIES_OF = [
    replace(
        entry("io.acme/postgres", description="Query databases of PostgreSQL", packages=[STDIO]),
        enrichment=FACTS,
    ),
    entry("io.acme/weather", description="Forecasts for every city", remotes=[REMOTE]),
    entry("com.other/notes", title="Postgres of notes", description="Notes that are searched"),
    entry("com.other/notes", "0.9.0", description="weather of old", is_latest=False),
]


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    feed = Feed(tmp_path, "default")
    publish(feed, ENTRIES_OF, "e1")
    follow(feed, {"io.acme/postgres": 5000, "io.acme/weather": 70})
    return feed


def follow(feed: Feed, downloads: dict[str, int] | None = None, hours: int = 0) -> tuple[str, int]:
    edition = feed.current()
    assert edition is not None
    return catch_up(feed.folder / "search", edition, downloads or {}, now=NOW + hours * HOUR)


@contextmanager
def serving(feed: Feed) -> Iterator[Client]:
    app = build_app(feed.folder.parent, [FEED], skew=60.0, per_minute=0, site="")
    with served_app(app) as client:
        yield client


def names(client: Client, **params: str) -> list[str]:
    page = client.json(f"/search?{urlencode(params)}")
    return [result["entry"]["server"]["name"] for result in page["results"]]


def test_words_are_found_wherever_they_stand(feed: Feed) -> None:
    with serving(feed) as client:
        assert set(names(client, q="postgres")) == {"io.acme/postgres", "com.other/notes"}
        assert names(client, q="postgres notes") == ["com.other/notes"]
        assert names(client, q="database") == ["io.acme/postgres"]  # stemmed
        assert names(client, q="forec") == ["io.acme/weather"]  # a prefix
        assert names(client, q="weather") == ["io.acme/weather"]  # latest versions only
        assert names(client, q="pg-tools") == ["io.acme/postgres"]
        assert names(client, q="MIT") == ["io.acme/postgres"]
        assert names(client, q="nothing-of-it") == []
        assert names(client, q='":() AND NOT \\ *') == []
        assert names(client) == ["io.acme/postgres", "io.acme/weather", "com.other/notes"]


def test_filters_narrow_what_is_found(feed: Feed) -> None:
    with serving(feed) as client:
        both = {"io.acme/postgres", "io.acme/weather"}
        assert names(client, registry_type="npm") == ["io.acme/postgres"]
        assert names(client, transport="sse") == ["io.acme/weather"]
        assert set(names(client, transport="stdio, sse")) == both
        assert names(client, license="mit", ownership="verified") == ["io.acme/postgres"]
        assert names(client, license="Apache-2.0") == []
        assert set(names(client, min_downloads="70")) == both
        assert names(client, min_downloads="71", q="acme") == ["io.acme/postgres"]
        assert "license" in client.json("/search?licence=mit", status=400)["detail"]
        for query in ("min_downloads=x", "min_downloads=-1", "limit=0", "cursor=sr2_x"):
            assert client.ask(f"/search?{query}")[0] in (400, 422)


def test_results_come_in_pages_with_what_was_met(feed: Feed) -> None:
    with serving(feed) as client:
        page = client.json("/search?q=postgres&limit=1")
        met: list[Json] = page["results"]
        cursor = quote(page["metadata"]["nextCursor"])
        rest = client.json(f"/search?q=postgres&limit=1&cursor={cursor}")
        met += rest["results"]
        assert len({result["entry"]["server"]["name"] for result in met}) == 2
        assert met[0]["score"] >= met[1]["score"] > 0
        for result in met:
            for shown in result["highlights"]:
                marked = {shown["text"][start:end].lower() for start, end in shown["ranges"]}
                assert marked <= {"postgres", "postgresql"}
        assert all(result["highlights"] for result in met)


def test_text_that_is_shown_no_more_is_not_shown_by_the_index(feed: Feed) -> None:
    leaked = entry("com.other/notes", "2.0.0", description="LEAKED token of notes")
    former = replace(ENTRIES_OF[2], is_latest=False)
    publish(feed, [*ENTRIES_OF[:2], former, ENTRIES_OF[3], leaked], "e2", now=NOW + HOUR)
    follow(feed, hours=1)
    with serving(feed) as client:
        assert names(client, q="leaked") == ["com.other/notes"]
        BlockList(feed.folder.parent).add(Block("com.other/notes", "2.0.0", "bad", "me", NOW))
        client.until(lambda: names(client, q="leaked") == [])
        body = client.ask("/search?q=notes")[2]
        assert b"LEAKED" not in body
        assert b'"text":"com.other/notes"' in body
        assert client.ask("/search?q=notes&edition=e2")[0] == 400


def test_the_index_follows_what_changed(feed: Feed) -> None:
    state = read_state(feed.folder / "search")
    assert state is not None
    changed = [
        *ENTRIES_OF[1:],
        entry("io.acme/zebra", description="Zebras by the PostgreSQL herd"),
        excluded(entry("io.acme/postgres")),
    ]
    publish(feed, changed, "e2", now=NOW + HOUR)
    with serving(feed) as client:
        assert names(client, q="database") == []  # the feed shows it no more
        assert follow(feed, hours=1) == ("followed", 2)
        assert names(client, q="zebras") == ["io.acme/zebra"]
        assert set(names(client, q="postgres")) == {"io.acme/zebra", "com.other/notes"}
    after = read_state(feed.folder / "search")
    assert after is not None
    assert (after.folder, after.edition) == (state.folder, "e2")
    assert follow(feed, hours=2) == ("followed", 0)
    assert follow(feed, hours=24 * 8) == ("rebuilt", 3)
    shutil.rmtree(feed.folder / "search")
    with serving(feed) as client:
        status, headers, body = client.ask("/search?q=x")
        assert (status, headers["retry-after"]) == (503, "60")
        assert "subregistry index" in json.loads(body)["error"]


def test_an_index_that_cannot_be_read_is_made_anew(feed: Feed) -> None:
    state = read_state(feed.folder / "search")
    assert state is not None
    for path in (feed.folder / "search" / state.folder).glob("meta.json"):
        path.write_text("{")
    assert follow(feed, hours=1)[0] == "rebuilt"
    with serving(feed) as client:
        assert names(client, q="forecasts") == ["io.acme/weather"]


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_text_find_what_reading_finds(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small shards and a low threshold: every kind of posting list, sparse and bitmap, occurs."""
    monkeypatch.setattr(indexes, "_SHARD", 64)
    monkeypatch.setattr(indexes, "_UNITS", 4)
    monkeypatch.setattr(indexes, "_FREQUENT", 2)
    monkeypatch.setattr(indexes, "_ENOUGH", source_of(seed).choice([0, 1, 32]))
    source = source_of(seed)
    rows = TableBuilder(ENTRIES)
    texts, text = [], b""
    for number in range(300):
        # Otherwise the text repeats: consecutive rows with one text are one document.
        if number == 0 or source.random() < 0.6:
            words = "".join(source.choices("abäé -日", k=source.randrange(1, 30)))
            text = f"n{number:03}{words}\0".encode()
        texts.append(text)
        values = dict.fromkeys(KINDLESS, 0)
        rows.add((f"k{number:03}\0v".encode(), text), **values, signature=b"x" * 16)
    layer = rows.layer()
    write_packed(tmp_path / "indexes", indexes.build_indexes(layer))
    index = indexes.Indexes(PackedFile(tmp_path / "indexes"), layer)
    needles = ["a", "b", "日", "ab", "ba", "aab", "abab", "éä", "n2", "n29", "zz", "aäb-", "abaab"]
    needles += ["".join(source.choices("abä", k=source.randrange(1, 7))) for _ in range(40)]
    for needle in needles:
        low = source.randrange(300)
        wanted = source.random() < 0.5
        odd = source.randrange(2)

        def mask(numbers: Numbers, every: bool = wanted, odd: int = odd) -> npt.NDArray[np.bool_]:
            return np.asarray((numbers % 2 == odd) | every)

        expected = [
            row
            for row in range(low, 300)
            if needle.encode() in texts[row] and (wanted or row % 2 == odd)
        ]
        parts = list(index.containing(needle.encode(), low, mask))
        assert np.concatenate([np.empty(0, int), *parts]).tolist() == expected, needle


KINDLESS = [name for name in ENTRIES.columns if name != "signature"]


def source_of(seed: int) -> random.Random:
    return random.Random(seed)


def test_an_edition_reads_back_what_a_packed_file_holds(tmp_path: Path) -> None:
    values: Packed = {"a": np.arange(7, dtype="<u4"), "b": b"bytes", "c": np.empty(0, dtype="<i8")}
    write_packed(tmp_path / "x", values)
    file = PackedFile(tmp_path / "x")
    assert file.array("a", "<u4").tolist() == list(range(7))
    assert file.array("c", "<i8").tolist() == []
    assert file.strings("b", np.array([5], dtype="<u8"))[0] == b"bytes"
    assert all(offset % 64 == 0 for _, offset, _ in file.header.values())
