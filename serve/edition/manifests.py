"""The manifests of editions and of bases: JSON that describes their files."""

from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from serve.disk import REMEDY
from serve.errors import EditionBroken

FORMAT = 4

Found = TypeVar("Found", bound=msgspec.Struct)


class _Format(msgspec.Struct):
    format: int


class Basis(msgspec.Struct, frozen=True):
    """The inputs of an edition: verdicts with all changes `until` a curation, and a digest of
    everything else that determines its bytes. If the digest is the same, the next build only needs
    the changes since `until`."""

    until: datetime
    digest: str


Files = dict[str, tuple[int, str]]
"""Size and SHA-256 of files, by path below the feed's folder."""


class BaseManifest(msgspec.Struct, frozen=True):
    """The manifest of a base: all rows of `edition`. It replaces the base `over`, if any."""

    format: int
    base: str
    over: str
    edition: str
    sequence: int
    segments: tuple[str, ...]
    files: Files


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """The manifest of an edition. `published_at` is None while it is a candidate.

    `parts` counts live entries per registry type of their packages, and those with a remote. The
    hashes are sums modulo 2^256 over entries, so they can be updated incrementally. `segments`
    start with those of the base. `began` is the sequence of the last edition that was built from
    scratch: this one has every entry of all editions since then.
    """

    format: int
    feed: str
    edition: str
    sequence: int
    began: int
    previous: str | None
    built_at: datetime
    published_at: datetime | None
    namespace: str
    policy_hash: str
    content_hash: str
    records_hash: str
    entries: int
    servers: int
    tombstones: int
    withheld: int
    held: int
    changed: int
    parts: dict[str, int]
    verdicts: dict[str, int]
    treatments: dict[str, int]
    base: str
    basis: Basis | None
    segments: tuple[str, ...]
    files: Files

    @property
    def running(self) -> int:
        """How many entries are shown, without tombstones."""
        return self.entries - self.tombstones


def read_manifest(folder: Path) -> Manifest:
    """Read an edition's manifest. Raises EditionBroken if missing, invalid or of another format."""
    return _decoded(folder, Manifest)


def read_base_manifest(folder: Path) -> BaseManifest:
    """Read the manifest of a base. Raises EditionBroken likewise."""
    return _decoded(folder, BaseManifest)


def _decoded(folder: Path, kind: type[Found]) -> Found:
    try:
        data = (folder / "manifest.json").read_bytes()
        # Check the format alone first: other formats may lack fields of `kind`.
        written = msgspec.json.decode(data, type=_Format).format
        if written == FORMAT:
            return msgspec.json.decode(data, type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise EditionBroken(f"{folder} has no readable manifest: {error}; {REMEDY}") from error
    remedy = "upgrade it" if written > FORMAT else f"that is an older one; {REMEDY}"
    raise EditionBroken(f"{folder} has format {written}, this subregistry reads {FORMAT}; {remedy}")
