"""OCI images: references in both shapes, and what manifests and image configs say about them."""

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
    """The key of a claimed image, in either of two shapes.

    Either the identifier is the whole reference, or host, name and tag are in three fields.
    """
    rest, _, digest = ref.identifier.partition("@")
    first, slash, path = rest.partition("/")
    # Docker's rule: a first part with a dot or a colon is a host.
    if slash and ("." in first or ":" in first or first == "localhost"):
        host = first
    else:
        base = ref.registry_base_url.removeprefix("https://").rstrip("/")
        host, path = base or "docker.io", rest
    name, _, tag = path.partition(":")
    allowed = HOSTS.get(host) or (host if host.endswith(SUFFIXES) or host in hosts else None)
    if allowed is None or not (_HOST.fullmatch(host) or host in hosts):
        return Rejected("unsupported_host")
    # Docker Hub's official images are below library/.
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
    """The profile of the requested references; those whose digest did not change are left out."""
    if fetched.outcome != Outcome.OK:
        return absent(fetched.outcome, versions)
    facts: list[VersionFact] = []
    source = declared = None
    is_read = False
    for reference, outcome in fetched.versions.items():
        if outcome != Outcome.OK:
            facts.append(VersionFact(reference, outcome))
            continue
        documents = [document for document in fetched.documents if document.version == reference]
        # The digest is the known one, so nothing was downloaded.
        if not documents or documents[0].kind == "digest":
            continue
        is_read = True
        config = next((document.body for document in documents if document.kind == "config"), b"")
        image = members(config)
        labels = members(members(image.get("config")).get("Labels"))
        name = server_name(string(labels.get(_SERVER_NAME), 2000))
        source = repository(string(labels.get(f"{_LABEL}source"), 2000)) or source
        declared = read_license(string(labels.get(f"{_LABEL}licenses"), 2000))
        facts.append(
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
    # If only digests came, an empty package fact would overwrite what is known.
    known = is_read or not fetched.documents
    return Profile(package if known else None, tuple(facts))


def _is_attested(documents: list[Document]) -> bool:
    """Whether an attestation (build provenance or signature) comes with an image."""
    for document in documents:
        if document.kind in ("manifest", "referrers"):
            manifest = members(document.body)
            for item in items(manifest.get("manifests"), 1000):
                entry = mapping(small(item))
                kind = mapping(entry.get("annotations")).get("vnd.docker.reference.type")
                if kind == "attestation-manifest" or _ATTESTATION.search(str(entry)):
                    return True
            # The fallback tag may hold the attestation itself instead of an index of attestations.
            if document.kind == "referrers" and _ATTESTATION.search(
                str(small(manifest.get("artifactType"))) + str(small(manifest.get("layers")))
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
