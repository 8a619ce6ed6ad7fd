"""What a packument says: npm documents to a profile."""

import re

from connectors.outcomes import Document, Outcome
from enrich.licences import read_licence
from enrich.profiles import (
    PackageFacts,
    Profile,
    VersionFacts,
    absent,
    instant,
    json_object,
    mapping,
    text,
)

_HOLD = re.compile(r"\d+\.\d+\.\d+-security(\.\d+)?")
_SCRIPTS = ("preinstall", "install", "postinstall")


def parse(documents: tuple[Document, ...], versions: tuple[str, ...]) -> Profile | None:
    """The profile of the claimed versions and the latest one; None if nothing can be read."""
    main = _main(documents)
    if main is None:
        return None
    time = mapping(main.get("time"))
    if "unpublished" in time:
        return absent(Outcome.UNPUBLISHED, versions)
    published = mapping(main.get("versions"))
    if not published:
        return None
    latest = text(mapping(main.get("dist-tags")).get("latest"))
    details = published | {
        document.version: found
        for document in documents
        if document.kind == "version" and (found := json_object(document.body)) is not None
    }
    newest = mapping(details.get(latest or "") or details.get("latest"))
    held = (
        latest is not None
        and _HOLD.fullmatch(latest)
        and "security-holder" in str(newest.get("repository"))
    )
    licence = read_licence(newest.get("license") or newest.get("licenses"))
    instants = [at for v in published if (at := instant(time.get(v)))]
    package = PackageFacts(
        outcome=Outcome.SECURITY_HOLD if held else Outcome.OK,
        latest_version=latest,
        version_count=len(published),
        first_published_at=instant(time.get("created")) or min(instants, default=None),
        last_published_at=max(instants, default=None),
        license=licence.expression,
        license_status=licence.status,
        repository_url=_repository(newest.get("repository")),
        status="deprecated" if all(_deprecated(v) for v in published.values()) else None,
    )
    wanted = dict.fromkeys((*versions, *([latest] if latest else [])))
    return Profile(
        package,
        tuple(
            _version(v, mapping(details[v]), time.get(v))
            if v in published
            else VersionFacts(v, Outcome.VERSION_ABSENT)
            for v in wanted
        ),
    )


def _version(version: str, document: dict[str, object], time: object) -> VersionFacts:
    dist = mapping(document.get("dist"))
    scripts = mapping(document.get("scripts"))
    name = text(document.get("mcpName"))
    return VersionFacts(
        version=version,
        outcome=Outcome.OK,
        published_at=instant(time),
        deprecated=_deprecated(document),
        license=read_licence(document.get("license") or document.get("licenses")).expression,
        install_scripts=bool(document.get("hasInstallScript"))
        or any(script in scripts for script in _SCRIPTS),
        provenance=bool(mapping(dist.get("attestations")).get("provenance")),
        digest=text(dist.get("integrity")) or text(dist.get("shasum")),
        server_names=(name,) if name else (),
    )


def _main(documents: tuple[Document, ...]) -> dict[str, object] | None:
    for document in documents:
        if document.kind in ("packument", "abbreviated"):
            return json_object(document.body)
    return None


def _deprecated(document: object) -> str | None:
    value = mapping(document).get("deprecated")
    return text(value) if isinstance(value, str) else ("deprecated" if value is True else None)


def _repository(value: object) -> str | None:
    return text(value.get("url") if isinstance(value, dict) else value, 500)
