"""Releases of a Python project as its index lists them.

Versions are equal by PEP 440, so 1.0 is 1.0.0; each is shown as the index spells it.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from packaging.utils import (
    canonicalize_name,
    canonicalize_version,
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


class Releases:
    """Files by version; equal versions are one."""

    def __init__(self) -> None:
        self._files: dict[str, list[ReleaseFile]] = {}
        self._spellings: dict[str, str] = {}

    def add(self, version: str, *files: ReleaseFile) -> None:
        """Add files of a version; it is shown as it is spelled first."""
        key = version_key(version)
        self._spellings.setdefault(key, version)
        self._files.setdefault(key, []).extend(files)

    def __contains__(self, version: str) -> bool:
        return version_key(version) in self._files

    def __len__(self) -> int:
        return len(self._files)

    def files(self, version: str) -> list[ReleaseFile]:
        """Empty for a version without files, and for an unknown one."""
        return self._files.get(version_key(version), [])

    def spelled(self, version: str) -> str:
        """A version as the index spells it; an unknown one unchanged."""
        return self._spellings.get(version_key(version), version)

    def items(self) -> list[tuple[str, list[ReleaseFile]]]:
        """All versions, as the index spells them, with their files."""
        return [(self._spellings[key], files) for key, files in self._files.items()]


def releases_of(index: bytes) -> Releases:
    """The releases that an index lists."""
    document = members(index)
    project = string(document.get("name"), 500) or ""
    releases = Releases()
    for item in items(document.get("versions"), 20_000):
        releases.add(canonical_version(string(item, 300) or ""))
    for item in items(document.get("files")):
        file = members(item)
        name = string(file.get("filename"), 500) or ""
        digest = mapping(small(file.get("hashes"))).get("sha256")
        releases.add(
            version_of_file(name, project),
            ReleaseFile(
                name=name,
                uploaded=string(file.get("upload-time"), 100) or "",
                yanked=string(file.get("yanked"), 4000) or small(file.get("yanked")),
                provenance=bool(small(file.get("provenance"))),
                sha256=f"sha256:{digest[:100]}" if isinstance(digest, str) else "",
            ),
        )
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


def version_key(version: str) -> str:
    """The same text for all versions that PEP 440 calls equal; other text stays unchanged."""
    with suppress(ValueError):
        return canonicalize_version(version)
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
