"""Every listed entry is reachable by its detail route, whatever it is called."""

import itertools
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.feed.feed import Feed
from tests.support.feeds import entry, publish, served

Json = dict[str, Any]  # an entry as it is served
NAMES = st.sampled_from(
    ["a.b/versions", "a.b/latest", "versions/a", "latest/versions", "a.b/search", "a.b/c"]
)
VERSIONS = st.sampled_from(["versions", "status", "1.0.0", "1/2", "%2F", "a b", "ü", "1%"])


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(keys=st.sets(st.tuples(NAMES, VERSIONS), min_size=4, max_size=12))
def test_every_listed_entry_is_reachable(tmp_path: Path, keys: set[tuple[str, str]]) -> None:
    number = len(list(tmp_path.iterdir()))
    feed = Feed(tmp_path / str(number), "default")
    ordered = sorted(keys)
    first = {name: next(group)[1] for name, group in itertools.groupby(ordered, lambda key: key[0])}
    entries = [entry(name, version, is_latest=first[name] == version) for name, version in ordered]
    publish(feed, entries, "e1")
    with served(tmp_path / str(number), ("default", "/")) as client:
        listed = client.keys("/v0.1/servers?limit=100")
        assert set(listed) == keys
        for name, version in listed:
            for spelled in (quote(name, safe=""), name):
                detail = f"/v0.1/servers/{spelled}/versions/{quote(version, safe='')}"
                assert _key(client.json(detail)) == (name, version)
                of_name = client.json(f"/v0.1/servers/{spelled}/versions")["servers"]
                assert (name, version) in [_key(item) for item in of_name]


def _key(item: Json) -> tuple[str, str]:
    return item["server"]["name"], item["server"]["version"]
