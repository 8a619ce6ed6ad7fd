"""The files of an edition."""

import hashlib
import json
from pathlib import Path

from serve.edition.verification import verify
from serve.feed.feed import Feed
from tests.support.feeds import HOUR, NOW, entry, publish, served


def test_a_file_that_an_edition_has_besides_is_no_new_format(tmp_path: Path) -> None:
    """A later version may put more into an edition; this one serves it all the same."""
    feed = Feed(tmp_path, "default")
    publish(feed, [entry("a.b/one")], "e1")
    folder = feed.editions / "e1"
    (folder / "later.bin").write_bytes(b"unknown")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    digest = hashlib.sha256(b"unknown").hexdigest()
    manifest["files"]["editions/e1/later.bin"] = [7, digest]
    manifest["later"] = {"more": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    verify(folder, whole=True)
    with served(tmp_path, ("default", "/")) as client:
        assert client.keys("/v0.1/servers") == [("a.b/one", "1.0.0")]
    publish(feed, [entry("a.b/one"), entry("a.b/two")], "e2", now=NOW + HOUR)
    assert feed.current_id() == "e2"
