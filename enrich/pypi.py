"""What the index and the release documents of PyPI say: to a profile."""

from contextlib import suppress
from typing import Any

from packaging.version import InvalidVersion, Version

from connectors.outcomes import Document, Outcome
from enrich.licences import Licence, from_classifiers, read_licence
from enrich.profiles import (
    PackageFacts,
    Profile,
    VersionFacts,
    absent,
    instant,
    json_object,
    listed,
    mapping,
    marker_names,
    text,
)


def parse(documents: tuple[Document, ...], versions: tuple[str, ...]) -> Profile | None:
    """The profile of the claimed versions and the latest one; None if nothing can be read."""
    index = next((json_object(d.body) for d in documents if d.kind == "index"), None)
    if index is None:
        return None
    project_status = mapping(index.get("project-status"))
    status = text(project_status.get("status") or project_status.get("state"))
    if status == "quarantined":
        return absent(Outcome.QUARANTINED, versions)
    files = [mapping(item) for item in listed(index.get("files"))]
    by_version = _by_version(files)
    for item in listed(index.get("versions"), 20_000):
        by_version.setdefault(_canonical(str(item)), [])
    infos = {
        d.version: mapping((json_object(d.body) or {}).get("info"))
        for d in documents
        if d.kind == "release"
    }
    project = infos.get("", {})
    latest = _canonical(text(project.get("version")) or "") or _newest(by_version)
    licence = _licence(project)
    instants = [at for file in files if (at := instant(file.get("upload-time")))]
    package = PackageFacts(
        outcome=Outcome.OK,
        latest_version=latest or None,
        version_count=len(by_version),
        first_published_at=min(instants, default=None),
        last_published_at=max(instants, default=None),
        license=licence.expression,
        license_status=licence.status,
        repository_url=_repository(project),
        status=None if status == "active" else status,
    )
    wanted = dict.fromkeys((*versions, *([latest] if latest else [])))
    found = []
    for version in wanted:
        if version not in by_version:
            found.append(VersionFacts(version, Outcome.VERSION_ABSENT))
        else:
            info = infos.get(version) or (project if version == latest else None)
            found.append(_version(version, by_version[version], info))
    return Profile(package, tuple(found))


def _version(
    version: str, files: list[dict[str, Any]], info: dict[str, Any] | None
) -> VersionFacts:
    instants = [at for file in files if (at := instant(file.get("upload-time")))]
    yanks = [file.get("yanked") for file in files]
    digests = [text(mapping(file.get("hashes")).get("sha256")) for file in files]
    return VersionFacts(
        version=version,
        outcome=Outcome.OK,
        published_at=min(instants, default=None),
        yanked=bool(yanks) and all(yank not in (None, False) for yank in yanks),
        license=_licence(info).expression if info else None,
        provenance=any(file.get("provenance") for file in files),
        digest=f"sha256:{digests[0]}" if digests and digests[0] else None,
        server_names=marker_names(str(info.get("description") or "")) if info else None,
    )


def _by_version(files: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Files by the version that their name carries (wheel: second field; sdist: after the name)."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        name = str(file.get("filename") or "")
        stem = name.removesuffix(".whl").removesuffix(".tar.gz").removesuffix(".zip")
        parts = stem.split("-")
        raw = parts[1] if name.endswith(".whl") and len(parts) > 1 else stem.rpartition("-")[2]
        found.setdefault(_canonical(raw), []).append(file)
    return found


def _canonical(version: str) -> str:
    with suppress(InvalidVersion):
        return str(Version(version))
    return version


def _newest(by_version: dict[str, list[dict[str, Any]]]) -> str:
    parsed = []
    for version, files in by_version.items():
        with suppress(InvalidVersion):
            yanked = bool(files) and all(file.get("yanked") for file in files)
            parsed.append((not yanked, not Version(version).is_prerelease, Version(version)))
    return str(max(parsed)[2]) if parsed else ""


def _licence(info: dict[str, Any]) -> Licence:
    declared = read_licence(info.get("license_expression"))
    if declared.expression:
        return declared
    return from_classifiers(listed(info.get("classifiers"), 200)) or read_licence(
        info.get("license")
    )


def _repository(info: dict[str, Any]) -> str | None:
    urls = {str(k).lower(): v for k, v in mapping(info.get("project_urls")).items()}
    for key in ("repository", "source", "source code", "code", "github", "homepage"):
        if found := text(urls.get(key), 500):
            return found
    return text(info.get("home_page"), 500)
