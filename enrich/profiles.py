"""Our normal form of what a registry says about a package and its versions.

Every field may be absent: proxies strip fields, publishers leave them out. No e-mail address and no
free text beyond a cap is kept.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.outcomes import Outcome

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class VersionFacts:
    """One version: publication, withdrawal, and what ties it to a server. Instants are UTC."""

    version: str
    outcome: Outcome
    published_at: datetime | None = None
    yanked: bool | None = None
    deprecated: str | None = None
    license: str | None = None
    install_scripts: bool | None = None
    provenance: bool | None = None
    digest: str | None = None
    server_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class PackageFacts:
    """One package: `license` is an SPDX expression where `license_status` says so."""

    outcome: Outcome
    latest_version: str | None = None
    version_count: int | None = None
    first_published_at: datetime | None = None
    last_published_at: datetime | None = None
    license: str | None = None
    license_status: str | None = None
    repository_url: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class Profile:
    """What was learnt; `package` is None where nothing new was."""

    package: PackageFacts | None
    versions: tuple[VersionFacts, ...] = field(default_factory=tuple)


def absent(outcome: Outcome, versions: tuple[str, ...]) -> Profile:
    """The profile of a package that a definitive negative answer was given for."""
    return Profile(PackageFacts(outcome), tuple(VersionFacts(v, outcome) for v in versions))


def text(value: object, cap: int = 200) -> str | None:
    """A registry's text, cleaned and cut; None for anything else."""
    if not isinstance(value, str):
        return None
    cleaned = _CONTROL.sub("", value).encode("utf-8", "replace").decode()
    return cleaned.strip()[:cap] or None


def instant(value: object) -> datetime | None:
    """An RFC 3339 instant of a registry as aware UTC; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year > 1980 else None


def json_object(body: bytes) -> dict[str, Any] | None:  # untrusted JSON, only looked into
    """A document as a JSON object; None if it is not one."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def mapping(value: object) -> dict[str, Any]:  # untrusted JSON, only looked into
    return value if isinstance(value, dict) else {}


def listed(value: object, cap: int = 50_000) -> list[Any]:  # untrusted JSON, only looked into
    return value[:cap] if isinstance(value, list) else []


def marker_names(readme: str) -> tuple[str, ...]:
    """Server names that a README claims by `mcp-name: NAME` tokens, sorted, at most 20."""
    names = re.findall(r"mcp-name: ([A-Za-z0-9.-]+/[A-Za-z0-9._-]+)", readme[:4_000_000])
    cleaned = {re.sub(r"--!?$", "", name) for name in names}
    return tuple(sorted(cleaned)[:20])
