"""The gate's last test: our own connector walks a candidate over loopback HTTP."""

import socket
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from connectors.contract import Entry, read_entry, read_page
from connectors.http import HttpClient, Manners
from connectors.network import AddressPolicy
from connectors.registry import Registry
from pipelines.server import serving_app
from serve.app import App
from serve.edition import Edition
from serve.shelf import FixedShelf, ServedFeed


def self_walk(edition: Edition, *, now: Callable[[], datetime]) -> list[str]:
    """Serve an edition to ourselves and walk it; returns what is missing, doubled or unreadable."""
    manifest = edition.manifest
    app = App([FixedShelf(ServedFeed(manifest.feed, manifest.feed, "/"), edition)], skew=0.0)
    met: Counter[bytes] = Counter()
    complaints = []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        policy = AddressPolicy(loopback_only=True)
        with (
            serving_app(app, sock),
            HttpClient(policy, "subregistry-gate", Manners(rate=0)) as http,
        ):
            for page in Registry(http, url, now=now).walk():
                for raw in read_page(page.body).entries:
                    found = read_entry(raw)
                    if isinstance(found, Entry):
                        met[f"{found.name}\0{found.version}".encode()] += 1
                    else:
                        complaints.append(f"unreadable: {found.name} {found.reason}")
    for index in range(edition.count):
        if met[edition.key(index)] != 1:
            shown = edition.key(index).decode().replace("\0", "@")
            complaints.append(f"{shown} came {met[edition.key(index)]} times")
    return complaints
