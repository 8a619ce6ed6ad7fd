"""PyPI: names and versions as publishers claim them, and what index and documents say."""

import hashlib
from bisect import bisect_right
from contextlib import suppress

from msgspec import Raw
from packageurl import PackageURL
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from connectors.lazy_json import is_array, items, mapping, members, small, string
from connectors.origins import default_url
from connectors.registries.lookup import Document, Outcome, PackageResponse
from connectors.registries.pypi import CONNECTOR
from connectors.registries.releases import (
    ReleaseFile,
    Releases,
    canonical_version,
    first_digest,
    releases_of,
    version_key,
)
from enrich.ecosystem import Ecosystem, PackageKey, PackageRef, Rejected, VersionKind
from enrich.licenses import License, from_classifiers, read_license
from enrich.profiles import (
    PackageFact,
    Profile,
    VersionFact,
    absent,
    instant,
    marker_names,
    owners_hash,
    repository,
    text,
)

_HOSTS = {"GitHub": "github.com", "GitLab": "gitlab.com"}


def canonicalise(ref: PackageRef, _hosts: frozenset[str]) -> PackageKey | Rejected:
    """The key of a claimed project: a PEP 508 name, normalized; a PEP 440 version, if it is one."""
    if ref.registry_base_url.rstrip("/") not in ("", default_url("pypi")):
        return Rejected("unsupported_base_url")
    try:
        name = canonicalize_name(ref.identifier, validate=True)
    except InvalidName:
        return Rejected("identifier_grammar")
    if len(name) > 214:
        return Rejected("identifier_grammar")
    kind = VersionKind.EXACT if ref.version else VersionKind.MISSING
    try:
        version = str(Version(ref.version)) if ref.version else ""
    except InvalidVersion:
        version, kind = ref.version, VersionKind.INVALID
    purl = PackageURL("pypi", None, name, ref.version or None).to_string()
    return PackageKey("pypi", name, version, purl, kind)


def parse(fetched: PackageResponse, versions: tuple[str, ...]) -> Profile | None:
    """The profile of the claimed versions and the latest one; None if nothing can be read."""
    body = next((document.body for document in fetched.documents if document.kind == "index"), b"")
    index = members(body)
    if not is_array(index.get("files")) and "project-status" not in index:
        return None
    project_status = mapping(small(index.get("project-status")))
    status = text(project_status.get("status") or project_status.get("state"))
    if status == "quarantined":
        return absent(Outcome.QUARANTINED, versions)
    index_releases = releases_of(body)
    files = [file for _, of_version in index_releases.items() for file in of_version]
    releases = sorted(_releases(index_releases))
    infos, owners = _infos(fetched.documents)
    project = infos.get("", {})
    latest = canonical_version(string(project.get("version"), 300) or "")
    # The project document may be older than the index, or absent.
    known = latest in index_releases
    latest = index_releases.spelled(latest) if known else _newest(index_releases)
    infos.setdefault(version_key(latest), project)
    attested = {
        document.version: document.body
        for document in fetched.documents
        if document.kind == "provenance"
    }
    declared = _license(project)
    instants = [at for file in files if (at := instant(file.uploaded))]
    of_latest = [at for file in index_releases.files(latest) if (at := instant(file.uploaded))]
    package = PackageFact(
        outcome=Outcome.OK,
        latest_version=latest or None,
        version_count=len(index_releases),
        first_published_at=min(instants, default=None),
        last_published_at=max(instants, default=None),
        license=declared.expression,
        license_status=declared.status if project else None,
        repository_url=_repository(project),
        status=None if status == "active" else status,
        latest_published_at=min(of_latest, default=None),
        owner_count=len(owners) or None,
        owners_hash=owners_hash(owners),
    )
    facts = []
    for version in dict.fromkeys((*versions, *([latest] if latest else []))):
        if version not in index_releases:
            facts.append(VersionFact(version, Outcome.VERSION_ABSENT))
        else:
            info, provenance = infos.get(version_key(version)), attested.get(version)
            files_of = index_releases.files(version)
            facts.append(_version(version, files_of, info, provenance, releases))
    return Profile(package, tuple(facts))


def _version(
    version: str,
    files: list[ReleaseFile],
    info: dict[str, Raw] | None,
    attested: bytes | None,
    releases: list[Version],
) -> VersionFact:
    uploads = [at for file in files if (at := instant(file.uploaded))]
    yanks = [file.yanked for file in files]
    yanked = bool(yanks) and all(yanks)
    readme = string(info.get("description")) if info else None
    provenance = any(file.provenance for file in files)
    known = readme is not None
    return VersionFact(
        version=version,
        outcome=Outcome.OK,
        published_at=min(uploads, default=None),
        yanked=yanked,
        yanked_reason=next(
            (text(yank) for yank in yanks if yanked and isinstance(yank, str)), None
        ),
        license=_license(info).expression if info else None,
        provenance=provenance,
        provenance_repository=_built_from(attested),
        digest=first_digest(files) or None,
        server_names=marker_names(readme or "") if known else None,
        newer_versions=_newer(version, releases),
        complete=known and (not provenance or attested is not None),
        evidence_sha256=hashlib.sha256(readme.encode()).hexdigest() if readme else None,
    )


def _infos(documents: tuple[Document, ...]) -> tuple[dict[str, dict[str, Raw]], list[str]]:
    """The `info` by version ("" is the project's), and the names of the owners with their roles."""
    infos: dict[str, dict[str, Raw]] = {}
    owners: list[str] = []
    for document in documents:
        if document.kind in ("project", "release"):
            parsed = members(document.body)
            infos[version_key(document.version)] = members(parsed.get("info"))
            if document.kind == "project":
                roles = mapping(small(parsed.get("ownership"))).get("roles")
                pairs = [mapping(role) for role in roles[:1000]] if isinstance(roles, list) else []
                owners = [
                    f"{role.get('role')} {role['user']}" for role in pairs if role.get("user")
                ]
    return infos, owners


def _releases(listed: Releases) -> list[Version]:
    """Releases that are neither pre-releases nor yanked, unsorted."""
    releases = []
    for version, files in listed.items():
        with suppress(ValueError):
            parsed = Version(version)
            if not parsed.is_prerelease and not (files and all(file.yanked for file in files)):
                releases.append(parsed)
    return releases


def _newer(version: str, releases: list[Version]) -> int | None:
    with suppress(ValueError):
        return len(releases) - bisect_right(releases, Version(version))
    return None


def _newest(listed: Releases) -> str:
    """What the project document would call the latest: releases first, yanked ones last."""
    parsed = []
    for version, files in listed.items():
        with suppress(ValueError):
            yanked = bool(files) and all(file.yanked for file in files)
            at = Version(version)
            parsed.append((not yanked, not at.is_prerelease, at, version))
    return max(parsed)[3] if parsed else ""


def _license(info: dict[str, Raw]) -> License:
    declared = read_license(small(info.get("license_expression")))
    if declared.expression:
        return declared
    classifiers = small(info.get("classifiers"))
    listed = classifiers[:200] if isinstance(classifiers, list) else []
    return from_classifiers(listed) or read_license(small(info.get("license")))


def _repository(info: dict[str, Raw]) -> str | None:
    urls = {
        str(key).lower(): value for key, value in mapping(small(info.get("project_urls"))).items()
    }
    for label in ("repository", "source", "source code", "code", "github", "homepage"):
        if url := repository(urls.get(label)):
            return url
    return repository(small(info.get("home_page")))


def _built_from(provenance: bytes | None) -> str | None:
    """The repository of the publisher that the index verified at upload."""
    for item in items(members(provenance).get("attestation_bundles"), 20):
        publisher = mapping(small(members(item).get("publisher")))
        host, path = _HOSTS.get(str(publisher.get("kind"))), publisher.get("repository")
        if host and isinstance(path, str):
            return repository(f"https://{host}/{path}")
    return None


ECOSYSTEM = Ecosystem(
    "pypi",
    CONNECTOR,
    ("pypi",),
    canonicalise,
    parse,
    advisories=True,
    publication=True,
    marker_in_text=True,
    fixed_digest=False,
)
