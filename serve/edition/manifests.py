"""The manifests of editions and of their bases."""

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
    """What an edition was made of: verdicts with all changes `until` a curation, and a digest of
    all else that decides about its bytes. One with the same digest needs what changed since."""

    until: datetime
    digest: str


Files = dict[str, tuple[int, str]]
"""Size and SHA-256 by path below the feed's folder."""


class BaseManifest(msgspec.Struct, frozen=True):
    """What a base is: all of an edition, which itself may have the base `over`."""

    format: int
    base: str
    over: str
    edition: str
    sequence: int
    segments: tuple[str, ...]
    files: Files


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What an edition is. `published_at` is None while it is a candidate.

    `parts` counts running entries that have a package of a registry type, or a remote. The hashes
    are sums modulo 2^256 over entries, so that they can follow changes. `segments` begin with those
    of the base. `began` is the sequence of the edition made of nothing that it goes back to: every
    entry of one in between is an entry of it.
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


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an edition. Raises EditionBroken if it is missing, odd or newer."""
    return _decoded(folder, Manifest)


def read_base_manifest(folder: Path) -> BaseManifest:
    """The same of a base."""
    return _decoded(folder, BaseManifest)


def _decoded(folder: Path, kind: type[Found]) -> Found:
    try:
        data = (folder / "manifest.json").read_bytes()
        written = msgspec.json.decode(data, type=_Format).format
        if written == FORMAT:
            return msgspec.json.decode(data, type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise EditionBroken(f"{folder} has no readable manifest: {error}; {REMEDY}") from error
    remedy = "upgrade it" if written > FORMAT else f"that is an older one; {REMEDY}"
    raise EditionBroken(f"{folder} has format {written}, this subregistry reads {FORMAT}; {remedy}")
