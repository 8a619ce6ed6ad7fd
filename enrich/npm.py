"""npm: names and versions as publishers claim them, and what packuments say about them."""

import base64
import binascii
import hashlib
import re
from bisect import bisect_left, bisect_right
from contextlib import suppress
from dataclasses import replace

from msgspec import Raw
from packageurl import PackageURL
from semver import Version

from connectors.lazy_json import items, mapping, members, small, string
from connectors.origins import default_url
from connectors.registries.lookup import Outcome, PackageResponse
from connectors.registries.npm import CONNECTOR
from enrich.ecosystem import Ecosystem, PackageKey, PackageRef, Rejected, VersionKind
from enrich.licenses import read_license
from enrich.profiles import (
    PackageFact,
    Profile,
    VersionFact,
    absent,
    instant,
    owners_hash,
    repository,
    server_name,
    text,
)

_NAME = re.compile(r"(?:@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~-][A-Za-z0-9._~-]*")
# npm reads versions loosely: `v1.2.3`, `=1.2.3`, `1.2.3beta`; a part that is missing makes a range.
_LOOSE = re.compile(
    r"[v=]*(\d{1,15})\.(\d{1,15})\.(\d{1,15})"
    r"(?:-?([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)
_RANGE = re.compile(r"[~^<>=*|,]|^[v=]*[\dxX]+(\.[\dxX]+){0,2}$| ", re.ASCII)
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
# npm replaces a malicious package with an empty one of such a version.
_HOLD = re.compile(r"\d+\.\d+\.\d+-security(\.\d+)?")
_SCRIPTS = ("preinstall", "install", "postinstall")

Release = tuple[int, int, int]


def canonicalise(ref: PackageRef, _hosts: frozenset[str]) -> PackageKey | Rejected:
    """The key of a claimed npm package. Only the purl has the name in lower case."""
    if ref.registry_base_url.rstrip("/") not in ("", default_url("npm")):
        return Rejected("unsupported_base_url")
    name = ref.identifier
    # 214 is npm's own limit.
    if len(name) > 214 or not _NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
        return Rejected("identifier_grammar")
    namespace, _, bare = name.rpartition("/")
    kind, version = _read_version(ref.version)
    purl = PackageURL("npm", namespace or None, bare, version or None).to_string()
    return PackageKey("npm", name, version, purl, kind)


def _read_version(claimed: str) -> tuple[VersionKind, str]:
    """The kind of a version, and what npm would ask for: an exact one as it was published.

    Build metadata is no part of a published version.
    """
    if not claimed:
        return VersionKind.MISSING, ""
    if exact := _LOOSE.fullmatch(claimed):
        *numbers, pre = exact.groups()
        parts = [str(int(part)) if part.isdigit() else part for part in (pre or "").split(".")]
        version = ".".join(str(int(number)) for number in numbers)
        return VersionKind.EXACT, f"{version}-{'.'.join(parts)}" if pre else version
    if _RANGE.search(claimed):
        return VersionKind.RANGE, claimed
    return (VersionKind.ALIAS if _ALIAS.fullmatch(claimed) else VersionKind.INVALID), claimed


def parse(fetched: PackageResponse, versions: tuple[str, ...]) -> Profile | None:
    """The profile of the claimed versions and the latest one; None if nothing can be read."""
    main = next(
        (
            received
            for received in fetched.documents
            if received.kind in ("packument", "abbreviated")
        ),
        None,
    )
    document = members(main.body) if main else {}
    times = members(document.get("time"))
    if "unpublished" in times:
        return absent(Outcome.UNPUBLISHED, versions)
    published = members(document.get("versions"))
    if not published or fetched.outcome != Outcome.OK:
        return None
    time = {name: small(at) for name, at in times.items() if name in published or name == "created"}
    tags = members(document.get("dist-tags"))
    latest = text(string(tags.get("latest"), 300))
    singles = {
        received.version: members(received.body)
        for received in fetched.documents
        if received.kind == "version"
    }
    attested = {
        received.version: received.body
        for received in fetched.documents
        if received.kind == "attestations"
    }
    withdrawn = {
        version: reason for version, raw in published.items() if (reason := _deprecated(raw))
    }
    releases = sorted(
        release
        for version in published
        if version not in withdrawn and (release := _release(version)) is not None
    )

    def single(version: str) -> dict[str, Raw]:
        """The version's own document, if one came and it really is of that version."""
        for document in (singles.get(version), singles.get("latest")):
            if document and string(document.get("version"), 300) == version:
                return document
        return {}

    def details(version: str) -> dict[str, Raw]:
        return members(published[version]) | single(version)

    def is_whole(version: str) -> bool:
        return bool(single(version)) or (main is not None and main.kind == "packument")

    newest = details(latest) if latest in published else {}
    held = latest is not None and _is_held(latest, newest)
    declared = read_license(small(newest.get("license")) or small(newest.get("licenses")))
    instants = [at for version in published if (at := instant(time.get(version)))]
    owners = [small(members(item).get("name")) for item in items(document.get("maintainers"), 1000)]
    names = [owner for owner in owners if isinstance(owner, str)]
    package = PackageFact(
        outcome=Outcome.SECURITY_HOLD if held else Outcome.OK,
        latest_version=latest,
        version_count=len(published),
        first_published_at=instant(time.get("created")) or min(instants, default=None),
        last_published_at=max(instants, default=None),
        license=declared.expression,
        license_status=declared.status if latest and is_whole(latest) else None,
        repository_url=_repository(small(newest.get("repository"))),
        status="deprecated" if len(withdrawn) == len(published) else None,
        latest_published_at=instant(time.get(latest or "")),
        owner_count=len(names) or None,
        owners_hash=owners_hash(names),
    )
    facts_of_versions: list[VersionFact] = []
    for version in dict.fromkeys((*versions, *([latest] if latest else []))):
        # A claimed version may be a dist-tag.
        resolved = version if version in published else text(string(tags.get(version), 300))
        if resolved is None or resolved not in published:
            gone = Outcome.SECURITY_HOLD if held else Outcome.VERSION_ABSENT
            facts_of_versions.append(VersionFact(version, gone))
            continue
        whole = is_whole(resolved)
        fact = _version(resolved, details(resolved), attested.get(resolved), whole=whole)
        facts_of_versions.append(
            replace(
                fact,
                version=version,
                published_at=instant(time.get(resolved)),
                deprecated=withdrawn.get(resolved),
                newer_versions=_newer(resolved, releases),
                resolved_version=resolved if resolved != version else None,
            )
        )
    return Profile(package, tuple(facts_of_versions))


def _version(
    version: str, document: dict[str, Raw], attested: bytes | None, *, whole: bool
) -> VersionFact:
    """The facts in a version's document; one that is not `whole` lacks names and scripts."""
    dist = members(document.get("dist"))
    scripts = members(document.get("scripts"))
    integrity = text(string(dist.get("integrity"), 500))
    evidence = document.get("mcpName")
    name = server_name(string(evidence, 2000))
    declared = read_license(small(document.get("license")) or small(document.get("licenses")))
    provenance = bool(members(dist.get("attestations")))
    return VersionFact(
        version=version,
        outcome=Outcome.OK,
        license=declared.expression,
        install_scripts=small(document.get("hasInstallScript")) is True
        or any(script in scripts for script in _SCRIPTS),
        provenance=provenance,
        provenance_repository=_built_from(attested, integrity),
        digest=integrity or text(string(dist.get("shasum"), 500)),
        server_names=((name,) if name else ()) if whole else None,
        complete=whole and (not provenance or attested is not None),
        evidence_sha256=hashlib.sha256(bytes(evidence)).hexdigest() if evidence else None,
    )


def _deprecated(raw: Raw) -> str | None:
    value = members(raw).get("deprecated")
    message = text(string(value, 4000))
    return message or ("deprecated" if value is not None and small(value) is True else None)


def _is_held(latest: str, newest: dict[str, Raw]) -> bool:
    holder = "security-holder" in str(small(newest.get("repository")))
    return holder and _HOLD.fullmatch(latest) is not None


def _release(version: str) -> Release | None:
    """The precedence of a release; None for a pre-release and for text that is no version."""
    with suppress(ValueError):
        parsed = Version.parse(version)
        return None if parsed.prerelease else (parsed.major, parsed.minor, parsed.patch)
    return None


def _newer(version: str, releases: list[Release]) -> int | None:
    """How many of the sorted releases come after a version."""
    with suppress(ValueError):
        parsed = Version.parse(version)
        # A pre-release comes before the release with the same numbers.
        after = bisect_left if parsed.prerelease else bisect_right
        return len(releases) - after(releases, (parsed.major, parsed.minor, parsed.patch))
    return None


def _repository(value: object) -> str | None:
    return repository(value.get("url") if isinstance(value, dict) else value)


def _built_from(attestations: bytes | None, integrity: str | None) -> str | None:
    """The repository in a build's provenance, if the provenance covers exactly this tarball."""
    for item in items(members(attestations).get("attestations"), 20):
        attestation = members(item)
        if not str(small(attestation.get("predicateType"))).startswith("https://slsa.dev/prov"):
            continue
        envelope = members(members(attestation.get("bundle")).get("dsseEnvelope"))
        try:
            payload = base64.b64decode(string(envelope.get("payload")) or "", validate=True)
        except (binascii.Error, ValueError):
            continue
        statement = members(payload)
        # An attestation of another tarball proves nothing about this one.
        if not _speaks_of(items(statement.get("subject"), 20), integrity):
            continue
        predicate = members(statement.get("predicate"))
        workflow = members(
            members(members(predicate.get("buildDefinition")).get("externalParameters")).get(
                "workflow"
            )
        )
        source = members(members(predicate.get("invocation")).get("configSource"))
        source_url = string(workflow.get("repository")) or string(source.get("uri")) or ""
        return repository(source_url.partition("@refs/")[0])
    return None


def _speaks_of(subjects: list[Raw], integrity: str | None) -> bool:
    """Whether one of the subjects is the tarball with this `dist.integrity`."""
    if not integrity or not integrity.startswith("sha512-"):
        return False
    try:
        wanted = base64.b64decode(integrity.removeprefix("sha512-"), validate=True).hex()
    except (binascii.Error, ValueError):
        return False
    return any(
        mapping(mapping(small(item)).get("digest")).get("sha512") == wanted for item in subjects
    )


ECOSYSTEM = Ecosystem(
    "npm",
    CONNECTOR,
    ("npm",),
    canonicalise,
    parse,
    advisories=True,
    publication=True,
    marker_in_text=False,
    fixed_digest=True,
)
