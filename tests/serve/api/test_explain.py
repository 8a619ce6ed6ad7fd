"""A page of explanations is bounded, whatever a curator and a publisher wrote."""

import json
from dataclasses import replace
from pathlib import Path

from serve.build.draft import Draft
from serve.build.writer import write_candidate
from serve.feed.feed import Feed
from tests.support.feeds import NOW, entry, excluded, served
from warehouse.rules.outline import Outline, OutlinedAtom, OutlinedRule


def test_the_versions_of_a_server_are_explained_by_pages(tmp_path: Path) -> None:
    """Sixty rules on sixty versions, and no change admits one: each is tried on every rule."""
    texts = [f"r{number}" for number in range(60)]
    rules = tuple(
        OutlinedRule(text, "rule", "exclude", "no", text, "skip", number)
        for number, text in enumerate(texts)
    )
    outline = Outline(
        rules=rules,
        default="exclude",
        atoms=tuple(OutlinedAtom(text, ("name",)) for text in texts),
        sources={"name": "name"},
        decided_at=NOW,
    )
    seen: dict[str, object] = {
        "upstream": "u",
        "asked_at": None,
        "sources": [],
        "release": None,
        "values": {},
    }
    versions = [
        replace(
            excluded(entry("a.b/many", f"1.0.{number}", is_latest=number == 59)),
            atoms="f" * 60,
            seen=json.dumps(seen).encode(),
        )
        for number in range(60)
    ]
    feed = Feed(tmp_path, "default")
    draft = Draft(
        feed="default",
        edition="e1",
        namespace="local.subregistry",
        policy_hash="p",
        previous=None,
        root=feed.folder,
        now=NOW,
        outline=outline,
    )
    write_candidate(draft, sorted(versions, key=lambda candidate: candidate.key))
    feed.set_candidate("e1")
    feed.switch("e1", now=lambda: NOW)
    with served(tmp_path, ("default", "/")) as client:
        first = client.json("/explain/a.b%2Fmany?limit=100")
        assert (len(first["versions"]), first["metadata"]["count"]) == (10, 10)
        met = client.paged("/explain/a.b%2Fmany?limit=7", "versions")
        assert len({one["version"] for one in met}) == len(met) == 60
        assert all(len(one["rules"]) == 60 and "nearest" not in one for one in met)
