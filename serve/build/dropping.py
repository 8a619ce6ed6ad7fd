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
    packages: list[str] = []
    dropped: list[_Dropped] = []


class PackagesDiffer(Exception):
    """The packages of an entry are not those that the verdict judged, so none may be shown."""


def without_packages(
    server: bytes, enrichment: bytes | None, seen: bytes
) -> tuple[bytes, bytes | None, list[Treatment]]:
    """The server.json and our facts without the packages that `seen` says to drop, and what was
    done. Raises PackagesDiffer."""
    if b'"dropped":' not in seen:
        return server, enrichment, []
    judged = msgspec.json.decode(seen, type=_Seen)
    document: Json = json.loads(server)
    packages = document.get("packages") or []
    if not isinstance(packages, list) or judged.packages != [
        _identifier(part) for part in packages
    ]:
        raise PackagesDiffer
    by = {
        index: rule
        for rule in reversed(judged.dropped)
        for index, matches in enumerate(rule.results)
        if matches
    }
    if not by:
        return server, enrichment, []
    treatments = [
        Treatment("dropped", rule.rule, f"{_named(packages[index])}: {rule.reason}")
        for index, rule in sorted(by.items())
    ]
    kept = [part for index, part in enumerate(packages) if index not in by]
    document |= {"packages": kept}
    if not kept:
        del document["packages"]
    if enrichment is not None:
        facts = json.loads(enrichment)["packages"]
        told = [part for index, part in enumerate(facts) if index not in by]
        enrichment = _encoded({"packages": told}) if told else None
    return _encoded(document), enrichment, treatments


def _identifier(package: object) -> str:
    found = package.get("identifier") if isinstance(package, dict) else None
    return found if isinstance(found, str) else ""


def _named(package: object) -> str:
    known = package if isinstance(package, dict) else {}
    return f"{known.get('registryType', '')} {known.get('identifier', '')}".strip()[:300]


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
