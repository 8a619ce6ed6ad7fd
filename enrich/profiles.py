"""Our normal form of what a registry says about a package and its versions.

Every field may be absent: proxies strip fields, publishers leave them out. No e-mail address and no
free text beyond a cap is kept.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from connectors.registries.lookup import Outcome

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_E_MAIL = re.compile(r"[^\s<>\"'(),:;/@]{1,64}@(?:[\w-]{1,64}\.)+[^\W\d_]{2,24}\b")
_NAME = re.compile(r"[A-Za-z0-9._/-]{1,300}")
_MARKER = re.compile(r"mcp-name: ([A-Za-z0-9._/-]+)(!?>)?")
_MARKERS = 100
_FORGES = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}


@dataclass(frozen=True)
class VersionFact:
    """One version: publication, withdrawal, and what ties it to a server. Instants are UTC.

    `resolved_version` is what an alias pointed to; `newer_versions` counts releases behind it that
    are neither pre-releases nor withdrawn; `complete` says that nothing is left to ask of it;
    `evidence_sha256` is of the bytes that told `server_names`.
    """

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
    yanked_reason: str | None = None
    provenance_repository: str | None = None
    newer_versions: int | None = None
    resolved_version: str | None = None
    complete: bool = False
    evidence_sha256: str | None = None


@dataclass(frozen=True)
class PackageFact:
    """One package: `license` is an SPDX expression where `license_status` says so.

    `owners_hash` tells one set of owners from another without naming anybody.
    """

    outcome: Outcome
    latest_version: str | None = None
    version_count: int | None = None
    first_published_at: datetime | None = None
    last_published_at: datetime | None = None
    license: str | None = None
    license_status: str | None = None
    repository_url: str | None = None
    status: str | None = None
    latest_published_at: datetime | None = None
    owner_count: int | None = None
    owners_hash: str | None = None


@dataclass(frozen=True)
class Profile:
    """What was learnt; `package` is None where nothing new was."""

    package: PackageFact | None
    versions: tuple[VersionFact, ...] = field(default_factory=tuple)


def absent(outcome: Outcome, versions: Iterable[str]) -> Profile:
    """The profile of a package that a definitive negative answer was given for."""
    return Profile(PackageFact(outcome), tuple(VersionFact(v, outcome) for v in versions))


def text(value: object, cap: int = 200) -> str | None:
    """A registry's text, cleaned, cut, without e-mail addresses; None for anything else."""
    if not isinstance(value, str):
        return None
    cleaned = _CONTROL.sub("", value[: 4 * cap]).encode("utf-8", "replace").decode()
    return _E_MAIL.sub("[e-mail]", cleaned).strip()[:cap] or None


def server_name(value: object) -> str | None:
    """A claimed server name, exactly; one with other characters becomes one that matches none."""
    if not isinstance(value, str) or not value:
        return None
    return value if _NAME.fullmatch(value) else f"\ufffd{text(value) or ''}"


def marker_names(readme: str) -> tuple[str, ...]:
    """What follows each `mcp-name: ` in a README, sorted, at most 100.

    A server's name counts as claimed if it is one of these; where only a longer one starts with it,
    it is glued to something.
    """
    found: set[str] = set()
    for match in _MARKER.finditer(readme):
        token, end = match[1][:300], match[2]
        found.add(token)
        if end and token.endswith("--"):
            found.add(token[:-2])
    return tuple(sorted(found - {""})[:_MARKERS])


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


def repository(value: object) -> str | None:
    """A repository as `https://host/owner/name` where it has that shape; else a plain web address.

    Understands git's and npm's spellings; never with a user, a query or a fragment.
    """
    if not isinstance(value, str) or len(value) > 1000:
        return None
    url = value.strip().removeprefix("git+")
    kind, _, rest = url.partition(":")
    if kind in _FORGES and not rest.startswith("//"):
        url = f"https://{_FORGES[kind]}/{rest}"
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", url):
        url = f"https://github.com/{url}"
    elif scp := re.fullmatch(r"[\w.-]+@([\w.-]+):(?!//)(.+)", url):
        url = f"https://{scp[1]}/{scp[2]}"
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "git", "ssh") or "." not in host:
        return None
    segments = [segment for segment in parts.path.split("/") if segment]
    if host in _FORGES.values():
        segments = segments[:2]
    path = "/".join(segments).removesuffix(".git")
    return text(f"https://{host}/{path}" if path else f"https://{host}", 500)


def owners_hash(names: Iterable[str]) -> str | None:
    """A digest of a set of owners; None for an empty one."""
    known = sorted({name for name in names if name})
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16] if known else None
