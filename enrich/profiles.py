"""Our normal form of what a registry says about a package and its versions.

Every field may be absent: proxies strip fields, publishers leave them out. No e-mail address is
kept, and no free text beyond a cap.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from connectors.registries.lookup import Outcome

# Control characters, zero-width characters and marks that change the reading direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_E_MAIL = re.compile(r"[^\s<>\"'(),:;/@]{1,64}@(?:[\w-]{1,64}\.)+[^\W\d_]{2,24}\b")
_NAME = re.compile(r"[A-Za-z0-9._/-]{1,300}")
_MARKER = re.compile(r"mcp-name: ([A-Za-z0-9._/-]+)(!?>)?")
_MARKERS = 100
_FORGES = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}


@dataclass(frozen=True)
class VersionFact:
    """One version: publication, withdrawal, and what links it to a server. Instants are UTC.

    `resolved_version` is the version that an alias pointed to. `newer_versions` counts later
    releases that are neither pre-releases nor withdrawn. `complete`: nothing is left to ask about
    it. `evidence_sha256` is the hash of the bytes that `server_names` come from.
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
    """One package: `license` is an SPDX expression if `license_status` says so.

    `owners_hash` shows a change of owners without naming anybody.
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
    """The facts in one answer; `package` is None if nothing new is known about it."""

    package: PackageFact | None
    versions: tuple[VersionFact, ...] = field(default_factory=tuple)


def absent(outcome: Outcome, versions: Iterable[str]) -> Profile:
    """The profile after a definitive negative answer for a package."""
    return Profile(
        PackageFact(outcome), tuple(VersionFact(version, outcome) for version in versions)
    )


def text(value: object, cap: int = 200) -> str | None:
    """A registry's text, cleaned and cut, without e-mail addresses; None for anything else."""
    if not isinstance(value, str):
        return None
    # Cut before the patterns run, so that a huge text costs nothing.
    cleaned = _CONTROL.sub("", value[: 4 * cap]).encode("utf-8", "replace").decode()
    return _E_MAIL.sub("[e-mail]", cleaned).strip()[:cap] or None


def server_name(value: object) -> str | None:
    """A claimed server name, unchanged; one with other characters is made to match none."""
    if not isinstance(value, str) or not value:
        return None
    return value if _NAME.fullmatch(value) else f"\ufffd{text(value) or ''}"


def marker_names(readme: str) -> tuple[str, ...]:
    """The tokens after each `mcp-name: ` in a README, sorted, at most 100.

    A server counts as claimed if its name is one of these. If only a longer token starts with the
    name, the marker is glued to other text.
    """
    names: set[str] = set()
    for match in _MARKER.finditer(readme):
        token, end = match[1][:300], match[2]
        names.add(token)
        # In `<!-- mcp-name: x-->` the token also takes the dashes of the comment's end.
        if end and token.endswith("--"):
            names.add(token[:-2])
    return tuple(sorted(names - {""})[:_MARKERS])


def instant(value: object) -> datetime | None:
    """An RFC 3339 instant of a registry as aware UTC; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # Reproducible builds write 1970 or 1980 where the real time is unknown.
    return moment if moment.year > 1980 else None


def repository(value: object) -> str | None:
    """A repository as `https://host/owner/name` if it has that shape, else a plain web address.

    Reads git's and npm's spellings. The result has no user, query or fragment; None for others.
    """
    if not isinstance(value, str) or len(value) > 1000:
        return None
    url = value.strip().removeprefix("git+")
    kind, _, rest = url.partition(":")
    if kind in _FORGES and not rest.startswith("//"):
        url = f"https://{_FORGES[kind]}/{rest}"
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", url):
        url = f"https://github.com/{url}"
    # git@HOST:OWNER/NAME
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
    """A hash of a set of owners; None for an empty set."""
    known = sorted({name for name in names if name})
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16] if known else None
