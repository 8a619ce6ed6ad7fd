"""Reading advisories: which ones name a package version, how severe they are, whether malware.

Total and pure: unreadable data counts as absent.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
from cvss.exceptions import CVSSError  # type: ignore[import-untyped]
from msgspec import Raw

from connectors.lazy_json import items, mapping, members, small, string
from connectors.registries.lookup import PackageResponse
from enrich.profiles import text

# GitHub's database says MODERATE where CVSS says MEDIUM.
_WORDS = {"LOW": "LOW", "MODERATE": "MEDIUM", "MEDIUM": "MEDIUM", "HIGH": "HIGH"}
_WORDS |= {"CRITICAL": "CRITICAL"}
_ORDER = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
_MANY = 50_000


@dataclass(frozen=True)
class Advisory:
    """An advisory; `severity` is LOW, MEDIUM, HIGH or CRITICAL, or None if it has none."""

    id: str
    severity: str | None
    malicious: bool
    withdrawn: bool
    summary: str | None
    aliases: tuple[str, ...]


def read_batch(fetched: PackageResponse) -> dict[str, dict[str, str]]:
    """By purl: the ids of its advisories with their modification times; empty where none."""
    by_purl: dict[str, dict[str, str]] = {}
    for document in fetched.documents:
        results = items(members(document.body).get("results"))
        # The connector lists the purls of a page in the order of its results.
        for purl, result in zip(document.version.split("\n"), results, strict=False):
            advisories = by_purl.setdefault(purl, {})
            advisories.update(_named(items(members(result).get("vulns"), _MANY)))
    return by_purl


def _named(vulns: list[Raw]) -> Iterator[tuple[str, str]]:
    for raw in vulns:
        vulnerability = members(raw)
        key = string(vulnerability.get("id"), 200)
        if key:
            yield key, string(vulnerability.get("modified"), 60) or ""


def read_advisory(fetched: PackageResponse) -> Advisory | None:
    """The advisory in an answer; None if there is none."""
    body = next((document.body for document in fetched.documents), b"")
    advisory = members(body)
    key = string(advisory.get("id"), 200)
    if not key:
        return None
    aliases = small(advisory.get("aliases"))
    names = [str(alias)[:200] for alias in aliases] if isinstance(aliases, list) else []
    return Advisory(
        key,
        _severity(advisory),
        any(name.startswith("MAL-") for name in (key, *names)),
        string(advisory.get("withdrawn"), 60) is not None,
        text(string(advisory.get("summary"), 1000)),
        tuple(names[:50]),
    )


def _severity(advisory: dict[str, Raw]) -> str | None:
    """The severity word of its database, else the highest severity of its CVSS vectors."""
    places = [advisory, *(members(raw) for raw in items(advisory.get("affected"), 200))]
    for place in places:
        word = mapping(small(place.get("database_specific"))).get("severity")
        if isinstance(word, str) and word.upper() in _WORDS:
            return _WORDS[word.upper()]
    words = []
    for place in places:
        vectors = small(place.get("severity"))
        listed = vectors if isinstance(vectors, list) else []
        words += [_scored(mapping(item)) for item in listed[:10]]
    return max((word for word in words if word), key=_ORDER.index, default=None)


def _scored(score: dict[str, object]) -> str | None:
    kinds = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
    kind, vector = kinds.get(str(score.get("type"))), score.get("score")
    if kind is None or not isinstance(vector, str) or len(vector) > 500:
        return None
    try:
        word = str(kind(vector).severities()[0]).upper()
    # Some malformed vectors raise other errors than the library's own.
    except (CVSSError, ValueError, ArithmeticError):
        return None
    return word if word in _ORDER else None
