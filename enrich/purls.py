"""From a claimed package reference to the identity we may ask a registry for, or a rejection.

Grammar first, then the origin table, then a purl: a purl alone validates nothing. Total and pure:
every input comes to a PackageKey or a Rejected.
"""

import re
from dataclasses import dataclass

from packageurl import PackageURL
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from connectors.origins import OCI_SUFFIXES, default_url

_NPM = re.compile(r"(?:@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~-][A-Za-z0-9._~-]*")
_OCI_NAME = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
_OCI_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_OCI_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")
_OCI_HOSTS = {
    "docker.io": "docker.io",
    "registry-1.docker.io": "docker.io",
    "index.docker.io": "docker.io",
    "ghcr.io": "ghcr.io",
    "quay.io": "quay.io",
    "mcr.microsoft.com": "mcr.microsoft.com",
}
_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_VERSION = re.compile(r"[^\s/\\?#%\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True)
class PackageRef:
    """A package as a server.json claims it; untrusted. Empty strings stand for absent fields."""

    registry_type: str
    registry_base_url: str
    identifier: str
    version: str


@dataclass(frozen=True)
class PackageKey:
    """What to ask: origin of the table, package name there, version there ("" if none claimed)."""

    origin: str
    package: str
    version: str
    purl: str


@dataclass(frozen=True)
class Rejected:
    reason: str


def canonicalise(ref: PackageRef) -> PackageKey | Rejected:
    """The identity of a claimed package. Never raises."""
    known = {"npm": _npm, "pypi": _pypi, "oci": _oci}
    ecosystem = known.get(ref.registry_type)
    if ecosystem is None:
        return Rejected(f"unsupported_type:{ref.registry_type[:40]}")
    if ref.version in (".", "..") or (ref.version and not _VERSION.fullmatch(ref.version)):
        return Rejected("version_grammar")
    return ecosystem(ref)


def _npm(ref: PackageRef) -> PackageKey | Rejected:
    if not _default_base(ref, "npm"):
        return Rejected("unsupported_base_url")
    name = ref.identifier
    segments = name.split("/")
    if len(name) > 214 or not _NPM.fullmatch(name) or {".", ".."} & set(segments):
        return Rejected("identifier_grammar")
    namespace, _, bare = name.rpartition("/")
    purl = PackageURL("npm", namespace or None, bare, ref.version or None)
    return PackageKey("npm", name, ref.version, purl.to_string())


def _pypi(ref: PackageRef) -> PackageKey | Rejected:
    if not _default_base(ref, "pypi"):
        return Rejected("unsupported_base_url")
    try:
        name = canonicalize_name(ref.identifier, validate=True)
    except InvalidName:
        return Rejected("identifier_grammar")
    try:
        version = str(Version(ref.version)) if ref.version else ""
    except InvalidVersion:
        version = ref.version
    purl = PackageURL("pypi", None, name, ref.version or None)
    return PackageKey("pypi", name, version, purl.to_string())


def _oci(ref: PackageRef) -> PackageKey | Rejected:
    """Both shapes: the whole reference as identifier, or host, name and tag in three fields."""
    rest, _, digest = ref.identifier.partition("@")
    first, slash, path = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host = first
    else:
        host, path = _base_host(ref.registry_base_url), rest
    name, _, tag = path.partition(":")
    allowed = _OCI_HOSTS.get(host) or (host if host.endswith(OCI_SUFFIXES) else None)
    if allowed is None or not _HOST.fullmatch(host):
        return Rejected("unsupported_host")
    if allowed == "docker.io" and "/" not in name:
        name = f"library/{name}"
    reference = digest or tag or ref.version or "latest"
    if not _OCI_NAME.fullmatch(name) or len(name) > 255:
        return Rejected("identifier_grammar")
    if not (_OCI_DIGEST if digest else _OCI_TAG).fullmatch(reference):
        return Rejected("reference_grammar")
    qualifiers = {"repository_url": f"{allowed}/{name}"} | ({} if digest else {"tag": reference})
    purl = PackageURL("oci", None, name.rpartition("/")[2], digest or None, qualifiers)
    return PackageKey(f"oci:{allowed}", name, reference, purl.to_string())


def _default_base(ref: PackageRef, kind: str) -> bool:
    return ref.registry_base_url.rstrip("/") in ("", default_url(kind))


def _base_host(url: str) -> str:
    return url.removeprefix("https://").rstrip("/") if url else "docker.io"
