"""Releases of a Python project as its index lists them: files by version, canonically spelled."""

import re
from contextlib import suppress
from dataclasses import dataclass

from packaging.utils import (
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from connectors.lazy_json import items, mapping, members, small, string


@dataclass(frozen=True)
class ReleaseFile:
    """One file of the index; `sha256` is `sha256:HEX`, or empty."""

    name: str
    uploaded: str
    yanked: object
    provenance: bool
    sha256: str


def releases_of(index: bytes) -> dict[str, list[ReleaseFile]]:
    """Files by canonical version; a version without files has an empty list."""
    document = members(index)
    project = string(document.get("name"), 500) or ""
    releases: dict[str, list[ReleaseFile]] = {}
    for item in items(document.get("files")):
        file = members(item)
        name = string(file.get("filename"), 500) or ""
        digest = mapping(small(file.get("hashes"))).get("sha256")
        releases.setdefault(version_of_file(name, project), []).append(
            ReleaseFile(
                name=name,
                uploaded=string(file.get("upload-time"), 100) or "",
                yanked=string(file.get("yanked"), 4000) or small(file.get("yanked")),
                provenance=bool(small(file.get("provenance"))),
                sha256=f"sha256:{digest[:100]}" if isinstance(digest, str) else "",
            )
        )
    for item in items(document.get("versions"), 20_000):
        releases.setdefault(canonical_version(string(item, 300) or ""), [])
    return releases


def first_digest(files: list[ReleaseFile]) -> str:
    """The digest of the first uploaded file: later uploads do not change it."""
    uploaded = [file for file in files if file.uploaded]
    return min(uploaded, key=lambda file: (file.uploaded, file.name)).sha256 if uploaded else ""


def canonical_version(version: str) -> str:
    """The PEP 440 spelling; text that is no such version stays unchanged."""
    with suppress(ValueError):  # InvalidVersion, or a number with too many digits
        return str(Version(version))
    return version


def version_of_file(name: str, project: str) -> str:
    """The canonical version in a file's name; "" if none is found."""
    with suppress(ValueError):
        if name.endswith(".whl"):
            return str(parse_wheel_filename(name)[1])
        if name.endswith((".tar.gz", ".zip")):
            return str(parse_sdist_filename(name)[1])
    # Old names need not follow the rules: find a prefix that is the project's name.
    is_source = name.endswith((".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z"))
    stem = re.sub(r"(\.tar)?\.[A-Za-z0-9]+$", "", name)
    wanted = canonicalize_name(project)
    for position in [match.start() for match in re.finditer("-", stem)]:
        if canonicalize_name(stem[:position]) == wanted:
            rest = stem[position + 1 :]
            return canonical_version(rest if is_source else rest.partition("-")[0])
    return ""
