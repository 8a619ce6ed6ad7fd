"""A feed as files: served by nginx, walked by our own connector; manifest and signature."""

import base64
import gzip
import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.upstreams.contract import Entry, read_entry
from connectors.upstreams.registry import Registry
from serve.errors import ExportFailed
from serve.export.static import export_static
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from tests.support.feeds import NOW, Client, entry, excluded, publish
from tests.support.shared import missing

# Versions that are awkward or impossible as names of files.
# `latest` is a word of the API, so such a version is withheld.
ODD = ("0.9.0+x", "1/2", "..", "latest", "index.json")
SERVED = ServedFeed("team", "Team", "/feeds/team")


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    """A feed of more than two pages, with older versions, odd versions, and a tombstone."""
    feed = Feed(tmp_path / "feeds", "team")
    entries = [entry(f"a.b/s{number:03}", at=NOW) for number in range(230)]
    entries += [entry("a.b/s000", version, is_latest=False) for version in ODD]
    gone = entry("a.b/gone")
    publish(feed, [*entries, gone], "20260101T000000Z-000001")
    publish(feed, [*entries, excluded(gone)], "20260101T010000Z-000002")
    return feed


@contextmanager
def nginx(folder: Path, work: Path) -> Iterator[Client]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        missing("nginx is not installed")
        raise AssertionError
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    work.mkdir(parents=True, exist_ok=True)
    work.chmod(0o755)
    (work / "nginx.conf").write_text(
        f"daemon off; pid {work}/pid; error_log {work}/error.log; user root;\n"
        "events {}\nhttp { access_log off; "
        + "".join(
            f"{kind}_temp_path {work}/{kind}; "
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + f"server {{ listen 127.0.0.1:{port}; include {folder}/nginx.conf; }} }}\n"
    )
    process = subprocess.Popen([program, "-p", str(work), "-c", str(work / "nginx.conf")])
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        assert process.poll() is None, (work / "error.log").read_text()
        yield Client(port)
    finally:
        process.terminate()
        process.wait()


def test_nginx_serves_the_tree_as_the_feed_would(feed: Feed, tmp_path: Path) -> None:
    live = feed.current()
    assert live is not None
    done = export_static(live, SERVED, tmp_path / "out")
    running = {live.keys.pair(index) for index in range(live.count) if not live.deleted(index)}
    with nginx(tmp_path / "out", tmp_path / "nginx") as client:
        base = "/feeds/team"
        for prefix in ("/v0.1", "/v0", ""):
            walked = client.walk(f"{base}{prefix}/servers")
            assert set(walked) == running
            assert len(walked) == len(running)
        latest = client.walk_all(f"{base}/v0.1/servers?version=latest&limit=30&search=")
        assert latest == client.walk(f"{base}/v0.1/servers?version=latest")
        assert client.ask("/manifest.json")[0] == client.ask("/v0.1/servers")[0] == 404
        assert sorted(latest) == sorted((name, "1.0.0") for name in {name for name, _ in running})
        for target, version in (
            ("/v0.1/servers/a.b%2Fs000/versions/latest", "1.0.0"),
            ("/v0.1/servers/a.b%2Fs000/versions/0.9.0+x", "0.9.0+x"),
            ("/v0.1/servers/a.b%2Fs000/versions/0.9.0%2Bx", "0.9.0+x"),
            ("/v0.1/servers/a.b/s000/versions/1%2F2", "1/2"),
            ("/v0/servers/a.b%2Fs000", "1.0.0"),
            ("/servers/a.b%2Fs000/versions/1.0.0/", "1.0.0"),
        ):
            assert client.json(base + target)["server"]["version"] == version, target
        assert len(client.json(f"{base}/v0.1/servers/a.b%2Fs000/versions")["servers"]) == 5
        assert client.json(f"{base}/openapi.json")["info"]["version"] == "1.0.0"
        assert len(client.json(f"{base}/registry.json")["servers"]) == 230
        for target, status in (
            ("/v0.1/servers/a.b%2Fgone", 404),
            ("/v0.1/servers/a.b%2Fnever/versions/latest", 404),
            ("/v0.1/servers?cursor=../../manifest", 404),
            ("/v0.1/servers?cursor=all-1-99", 404),
            ("/v0.1/servers?%73earch=x", 501),
            ("/v0.1/servers?edition=x", 501),
            ("/v0.1/servers?include_deleted=maybe", 501),
            ("/v0.1/servers?version=latest&include_deleted=1", 501),
            ("/v0.1/servers/a.b%2Fs000?raw=true", 501),
            ("/v0.1/servers/index.json?search=x", 404),
            ("/v0.1/servers/a.b%2Fs000/versions/1.0.0.gz", 404),
            ("/pages/all.json", 404),
            ("/v0.1/servers?search=x", 501),
            ("/v0.1/servers?updated_since=2026-01-01T00:00:00Z", 501),
            ("/v0.1/servers?version=1.0.0", 501),
            ("/changes", 501),
            ("/v0.1/explain/a.b/s000", 501),
            ("/changes/feed.json", 501),
            ("/changesof", 404),
        ):
            answered, headers, body = client.ask(base + target)
            assert (answered, json.loads(body)["status"]) == (status, status), target
            assert headers["access-control-allow-origin"] == "*"
            assert headers["content-type"] == "application/problem+json"
        assert client.ask(f"{base}/v0.1/servers", method="OPTIONS")[0] == 204
        answered, headers, body = client.ask(
            f"{base}/v0.1/servers", headers={"Accept-Encoding": "gzip"}
        )
        assert (answered, headers["content-encoding"]) == (200, "gzip")
        assert len(json.loads(gzip.decompress(body))["servers"]) == 100
        policy = AddressPolicy(loopback_only=True)
        with HttpClient(policy, "test", RequestPolicy(rate=0)) as http:
            registry = Registry(
                http, f"http://127.0.0.1:{client.port}{base}", now=lambda: datetime.now(UTC)
            )
            met = [read_entry(raw) for page in registry.walk() for raw in page.entries]
        everything = {live.keys.pair(index) for index in range(live.count)}
        assert {(item.name, item.version) for item in met if isinstance(item, Entry)} == everything
    assert {path.rpartition("/")[2] for path in done.left_out} == {"..", "index.json"}


def test_every_key_of_the_manifest_is_a_file_with_its_hash(feed: Feed, tmp_path: Path) -> None:
    live = feed.current()
    assert live is not None
    first = export_static(live, SERVED, tmp_path / "out").path
    manifest = json.loads((first / "manifest.json").read_text())
    keys = [item["key"] for item in manifest["files"]]
    assert len(keys) == len(set(keys))
    for item in manifest["files"]:
        data = (first / item["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (item["size"], item["sha256"])
        assert gzip.decompress((first / f"{item['file']}.gz").read_bytes()) == data
    assert {"v0.1/servers", "v0/servers", "servers", "servers/a.b/s000/versions"} <= set(keys)
    again = export_static(live, SERVED, tmp_path / "out").path
    assert json.loads((again / "manifest.json").read_text()) == manifest
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["current", "nginx.conf", again.name]
    )


def test_the_manifest_is_signed_with_a_key(feed: Feed, tmp_path: Path) -> None:
    live, key = feed.current(), Ed25519PrivateKey.generate()
    assert live is not None
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    done = export_static(live, SERVED, tmp_path / "out", key=tmp_path / "key.pem")
    signature = base64.b64decode((done.path / "manifest.json.sig").read_text())
    key.public_key().verify(signature, (done.path / "manifest.json").read_bytes())
    (tmp_path / "bad.pem").write_text("no key")
    with pytest.raises(ExportFailed, match="openssl genpkey"):
        export_static(live, SERVED, tmp_path / "out", key=tmp_path / "bad.pem")


def test_a_folder_with_other_things_is_left_alone(feed: Feed, tmp_path: Path) -> None:
    live = feed.current()
    assert live is not None
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ExportFailed, match="other things in it"):
        export_static(live, SERVED, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "site" / "releases").mkdir(parents=True)
    (tmp_path / "site" / "current").symlink_to("releases")
    with pytest.raises(ExportFailed, match="other things in it"):
        export_static(live, SERVED, tmp_path / "site")
    (tmp_path / "begun" / "20260101T000000Z-000001.1.part").mkdir(parents=True)
    export_static(live, SERVED, tmp_path / "begun")
    with pytest.raises(ExportFailed, match="a folder of its own"):
        export_static(live, ServedFeed("other", "Replacement", "/"), tmp_path / "begun")
