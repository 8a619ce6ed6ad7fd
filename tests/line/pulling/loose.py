"""A registry that is valid by the OpenAPI document and promises nothing beyond it."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pipelines.demo.loopback import Reply, Request
from pipelines.demo.registry import OFFICIAL
from tests.support.deployments import server_json

Json = dict[str, Any]  # an entry as a registry sends it


@dataclass
class LooseRegistry:
    """A registry that is valid by the OpenAPI document and promises nothing beyond it: opaque
    cursors, any order, no metadata on the last page, no `updated_since`."""

    entries: list[Json] = field(default_factory=list)
    page: int = 2
    targets: list[str] = field(default_factory=list)
    url: str = ""

    def put(self, name: str, version: str = "1.0.0", **official: object) -> None:
        meta: Json = {"org.example/stars": {"count": 3}}
        self.add({"server": server_json(name, version), "_meta": meta}, official)

    def add(self, entry: Json, official: Json) -> None:
        if official:
            entry = entry | {"_meta": entry.get("_meta", {}) | {OFFICIAL: official}}
        key = (entry["server"]["name"], entry["server"]["version"])
        others = [item for item in self.entries if key_of(item) != key]
        self.entries = [entry, *others]  # the newest first

    def answer(self, request: Request) -> Reply:
        self.targets.append(request.target)
        parts = urlsplit(request.target)
        segments = [unquote(part) for part in parts.path.strip("/").split("/")]
        if segments[:2] != ["v0.1", "servers"]:
            return Reply(404, b"<html>no</html>")
        if len(segments) > 2:
            found = [entry for entry in self.entries if key_of(entry) == (segments[2], segments[4])]
            return _json(found[0]) if found else Reply(404, b'{"error":"not found"}')
        start = int(parse_qs(parts.query).get("cursor", ["p0"])[0][1:])
        page: Json = {"servers": self.entries[start : start + self.page]}
        if start + self.page < len(self.entries):
            page["metadata"] = {"nextCursor": f"p{start + self.page}"}
        return _json(page)


def key_of(entry: Json) -> tuple[str, str]:
    return entry["server"]["name"], entry["server"]["version"]


def _json(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode(), {"Content-Type": "application/json"})
