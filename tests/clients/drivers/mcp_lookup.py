"""mcp-lookup has no cursor, so the most it lists is one page of a search for the empty text."""

import contextlib
import io
import json
import sys
from typing import Any

from mcp_lookup.cli import main as command
from mcp_lookup.registry import RegistryClient


def key(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["server"]["name"], entry["server"]["version"]


base, text, *names = sys.argv[1:]
client = RegistryClient(base_url=base)
listed = [key(entry) for entry in client.search("", limit=100)]
matches = [key(entry) for entry in client.search(text)]
lookups: dict[str, str | None] = {}
for name in names:
    entry = client.get(name)  # for an absent name it returns the first hit of a search
    lookups[name] = (
        entry["server"]["version"] if entry and entry["server"]["name"] == name else None
    )
    if lookups[name]:
        only = ["--base-url", base, "--source", "registry"]
        with contextlib.redirect_stdout(io.StringIO()):
            code = command([*only, "get", name, "--pretty", "--no-enrich"])
        if code:
            sys.exit(f"mcp-lookup get {name} ended with {code}")
print(json.dumps({"listed": listed, "found": matches, "lookups": lookups}))
