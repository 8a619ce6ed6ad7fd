"""Leaves single packages out of an admitted entry, as the verdict on it says."""

import json
from typing import Any

import msgspec

from serve.entry.reasons import Treatment

Json = dict[str, Any]  # a decoded server.json, or a part of one


class _Dropped(msgspec.Struct):
    """What a rule says of each package of an entry, in their order."""

    rule: str
    reason: str
    results: list[bool]


class _Seen(msgspec.Struct):
    dropped: list[_Dropped] = []


def without_packages(
    server: bytes, enrichment: bytes | None, seen: bytes
) -> tuple[bytes, bytes | None, list[Treatment]]:
    """The server.json and our facts without the packages that `seen` says to drop, and what was
    done. Nothing changes if the packages are not those that were judged."""
    if b'"dropped":' not in seen:
        return server, enrichment, []
    rules = msgspec.json.decode(seen, type=_Seen).dropped
    document: Json = json.loads(server)
    packages = document.get("packages")
    if not isinstance(packages, list):
        return server, enrichment, []
    by = {
        index: rule
        for rule in reversed(rules)
        if len(rule.results) == len(packages)
        for index, matches in enumerate(rule.results)
        if matches
    }
    if not by:
        return server, enrichment, []
    treatments = [
        Treatment("dropped", rule.rule, f"{_named(packages[index])}: {rule.reason}")
        for index, rule in sorted(by.items())
    ]
    document["packages"] = [part for index, part in enumerate(packages) if index not in by]
    if not document["packages"]:
        del document["packages"]
    if enrichment is not None:
        block = json.loads(enrichment)
        block["packages"] = [
            part for index, part in enumerate(block["packages"]) if index not in by
        ]
        enrichment = _encoded(block) if block["packages"] else None
    return _encoded(document), enrichment, treatments


def _named(package: object) -> str:
    known = package if isinstance(package, dict) else {}
    return f"{known.get('registryType', '')} {known.get('identifier', '')}".strip()[:300]


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
