"""Entries whose JSON only looks different keep their place; upstream's bytes are kept."""

import json
from dataclasses import replace
from pathlib import Path

from serve.feed.feed import Feed
from tests.support.feeds import HOUR, NOW, entry, publish


def test_another_order_of_keys_is_no_change_to_readers(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    first = entry("a.b/one", title="One", packages=[])
    publish(feed, [first], "e1")
    assert first.server is not None
    turned = dict(reversed(json.loads(first.server).items()))
    assert turned == json.loads(first.server)
    again = replace(first, server=json.dumps(turned, indent=1).encode())
    publish(feed, [again], "e2", now=NOW + HOUR)
    before, after = feed.open("e1"), feed.open("e2")
    assert after.body(0) == before.body(0)
    assert after.arrays["sequence"][0] == before.arrays["sequence"][0]
    raw = after.records.raw(b"a.b/one", b"1.0.0", deleted=False)
    assert raw is not None
    assert json.loads(raw)["server"] == turned
    assert b'\n "name"' in raw
    edited = replace(again, server=json.dumps(turned | {"title": "Two"}).encode())
    publish(feed, [edited], "e3", now=NOW + 2 * HOUR)
    assert feed.open("e3").arrays["sequence"][0] > before.arrays["sequence"][0]
