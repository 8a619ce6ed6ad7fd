"""OCI images: references in both shapes, and what manifests and image configs say of them."""

import hashlib
import re

from packageurl import PackageURL

from connectors.lazy_json import items, mapping, members, small, string
from connectors.registries.lookup import Document, Outcome, PackageResponse
from connectors.registries.oci import CONNECTOR, HOSTS, SUFFIXES
from enrich.ecosystem import Ecosystem, PackageKey, PackageRef, Rejected, VersionKind
from enrich.licenses import read_license
from enrich.profiles import (
    PackageFact,
    Profile,
    VersionFact,
    absent,
    instant,
    repository,
    server_name,
)

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")
_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_LABEL = "org.opencontainers.image."
_SERVER_NAME = "io.modelcontextprotocol.server.name"
_ATTESTATION = re.compile(r"sigstore\.bundle|in-toto|dev\.cosign")


def canonicalise(ref: PackageRef, hosts: frozenset[str]) -> PackageKey | Rejected:
    """Both shapes: the whole reference as identifier, or host, name and tag in three fields."""
    rest, _, digest = ref.identifier.partition("@")
    first, slash, path = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host = first
    else:
        base = ref.registry_base_url.removeprefix("https://").rstrip("/")
        host, path = base or "docker.io", rest
    name, _, tag = path.partition(":")
    allowed = HOSTS.get(host) or (host if host.endswith(SUFFIXES) or host in hosts else None)
    if allowed is None or not (_HOST.fullmatch(host) or host in hosts):
        return Rejected("unsupported_host")
    if allowed == "docker.io" and "/" not in name:
        name = f"library/{name}"
    reference = digest or tag or ref.version or "latest"
    if len(name) > 255 or not _NAME.fullmatch(name):
        return Rejected("identifier_grammar")
    if not (_DIGEST if digest else _TAG).fullmatch(reference):
        return Rejected("reference_grammar")
    qualifiers = {"repository_url": f"{allowed}/{name}"} | ({} if digest else {"tag": reference})
    purl = PackageURL("oci", None, name.rpartition("/")[2], digest or None, qualifiers).to_string()
    moving = VersionKind.ALIAS if reference == "latest" else VersionKind.TAG
    kind = VersionKind.DIGEST if digest else moving
    return PackageKey(f"oci:{allowed}", name, reference, purl, kind)


def parse(fetched: PackageResponse, versions: tuple[str, ...]) -> Profile | None:
    """The profile of the references asked for; those whose digest did not move are left out."""
    if fetched.outcome != Outcome.OK:
        return absent(fetched.outcome, versions)
    found: list[VersionFact] = []
    source = declared = None
    read = False
    for reference, outcome in fetched.versions.items():
        if outcome != Outcome.OK:
            found.append(VersionFact(reference, outcome))
            continue
        documents = [d for d in fetched.documents if d.version == reference]
        if not documents or documents[0].kind == "digest":
            continue
        read = True
        config = next((d.body for d in documents if d.kind == "config"), b"")
        image = members(config)
        labels = members(members(image.get("config")).get("Labels"))
        name = server_name(string(labels.get(_SERVER_NAME), 2000))
        source = repository(string(labels.get(f"{_LABEL}source"), 2000)) or source
        declared = read_license(string(labels.get(f"{_LABEL}licenses"), 2000))
        found.append(
            VersionFact(
                version=reference,
                outcome=Outcome.OK,
                published_at=instant(small(image.get("created"))),
                license=declared.expression,
                provenance=_is_attested(documents),
                digest=documents[0].digest,
                server_names=((name,) if name else ()) if image else None,
                complete=bool(image),
                evidence_sha256=hashlib.sha256(config).hexdigest() if image else None,
            )
        )
    package = PackageFact(
        outcome=Outcome.OK,
        license=declared.expression if declared else None,
        license_status=declared.status if declared else None,
        repository_url=source,
    )
    known = read or not fetched.documents
    return Profile(package if known else None, tuple(found))


def _is_attested(documents: list[Document]) -> bool:
    """Whether something that says how it was built, or who signed it, comes with an image."""
    for document in documents:
        if document.kind in ("manifest", "referrers"):
            whole = members(document.body)
            for item in items(whole.get("manifests"), 1000):
                entry = mapping(small(item))
                kind = mapping(entry.get("annotations")).get("vnd.docker.reference.type")
                if kind == "attestation-manifest" or _ATTESTATION.search(str(entry)):
                    return True
            # The fallback tag may hold the attestation itself instead of an index of them.
            if document.kind == "referrers" and _ATTESTATION.search(
                str(small(whole.get("artifactType"))) + str(small(whole.get("layers")))
            ):
                return True
    return False


ECOSYSTEM = Ecosystem(
    "oci",
    CONNECTOR,
    ("oci:docker.io", "oci:ghcr.io"),
    canonicalise,
    parse,
    advisories=False,
    publication=False,
    marker_in_text=False,
    fixed_digest=True,
)
