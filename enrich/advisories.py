"""What advisories say: which ones name a package version, how severe, whether it is malware.

Total and pure: what cannot be read tells nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
from cvss.exceptions import CVSSError  # type: ignore[import-untyped]
from msgspec import Raw

from connectors.lazy_json import items, mapping, members, small, string
from connectors.registries.lookup import PackageResponse
from enrich.profiles import text

_WORDS = {"LOW": "LOW", "MODERATE": "MEDIUM", "MEDIUM": "MEDIUM", "HIGH": "HIGH"}
_WORDS |= {"CRITICAL": "CRITICAL"}
_ORDER = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
_MANY = 50_000


@dataclass(frozen=True)
class Advisory:
    """An advisory; `severity` is one of LOW, MEDIUM, HIGH, CRITICAL, or None where it has none."""

    id: str
    severity: str | None
    malicious: bool
    withdrawn: bool
    summary: str | None
    aliases: tuple[str, ...]


def read_batch(fetched: PackageResponse) -> dict[str, dict[str, str]]:
    """Per purl the ids of its advisories with when each was modified; purls without one too."""
    found: dict[str, dict[str, str]] = {}
    for document in fetched.documents:
        results = items(members(document.body).get("results"))
        for purl, result in zip(document.version.split("\n"), results, strict=False):
            named = found.setdefault(purl, {})
            named.update(_named(items(members(result).get("vulns"), _MANY)))
    return found


def _named(vulns: list[Raw]) -> Iterator[tuple[str, str]]:
    for raw in vulns:
        one = members(raw)
        key = string(one.get("id"), 200)
        if key:
            yield key, string(one.get("modified"), 60) or ""


def read_advisory(fetched: PackageResponse) -> Advisory | None:
    """One advisory; None for what is none."""
    body = next((document.body for document in fetched.documents), b"")
    found = members(body)
    key = string(found.get("id"), 200)
    if not key:
        return None
    aliases = small(found.get("aliases"))
    names = [str(alias)[:200] for alias in aliases] if isinstance(aliases, list) else []
    return Advisory(
        key,
        _severity(found),
        any(name.startswith("MAL-") for name in (key, *names)),
        string(found.get("withdrawn"), 60) is not None,
        text(string(found.get("summary"), 1000)),
        tuple(names[:50]),
    )


def _severity(found: dict[str, Raw]) -> str | None:
    """The word of its database, else the highest that its vectors come to."""
    places = [found, *(members(raw) for raw in items(found.get("affected"), 200))]
    for place in places:
        word = mapping(small(place.get("database_specific"))).get("severity")
        if isinstance(word, str) and word.upper() in _WORDS:
            return _WORDS[word.upper()]
    words = []
    for place in places:
        vectors = small(place.get("severity"))
        listed = vectors if isinstance(vectors, list) else []
        words += [_scored(mapping(item)) for item in listed[:10]]
    return max((w for w in words if w), key=_ORDER.index, default=None)


def _scored(item: dict[str, object]) -> str | None:
    kinds = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
    kind, vector = kinds.get(str(item.get("type"))), item.get("score")
    if kind is None or not isinstance(vector, str) or len(vector) > 500:
        return None
    try:
        word = str(kind(vector).severities()[0]).upper()
    except (CVSSError, ValueError, ArithmeticError):
        return None
    return word if word in _ORDER else None
