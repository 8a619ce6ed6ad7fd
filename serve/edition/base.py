"""The base of an edition: tables that several editions share, and the columns of their entries.

Editions that share a base on disk also share it in memory.
"""

from pathlib import Path
from weakref import WeakValueDictionary

from serve.disk import REMEDY
from serve.edition.indexes import Indexes
from serve.edition.layers import TableSchema, read_layer
from serve.edition.manifests import read_base_manifest
from serve.edition.packed import PackedFile
from serve.edition.records import RECORDS
from serve.errors import EditionBroken

LATEST, DELETED = 1, 2  # bits of the column `flags`
KINDS = ("added", "changed", "restored", "deleted", "withdrawn", "withheld")
"""What the last change of an entry was; the column `kind` is an index into this tuple."""
GONE = ("deleted", "withdrawn", "withheld")
COLUMNS: dict[str, str] = {
    "segment": "<u4",
    "offset": "<u8",
    "length": "<u4",
    "flags": "<u1",
    "kind": "<u1",
    "published": "<i8",
    "updated": "<i8",
    "changed": "<i8",
    "sequence": "<u8",
    "version_tag": "<u4",
    "signature": "V16",
}
"""Numpy type by column. Instants are microseconds since 1970 UTC, `version_tag` is a CRC-32.
`changed` is when the last change of an entry was published; in a candidate, when it was built."""
ENTRIES = TableSchema(("keys", "texts"), COLUMNS)


class Base:
    """The tables that editions share, and the indexes of their entries."""

    def __init__(self, folder: Path) -> None:
        self.manifest = read_base_manifest(folder)
        self.entries = read_layer(PackedFile(folder / "entries"), ENTRIES)
        self.records = read_layer(PackedFile(folder / "records"), RECORDS)
        self.indexes = Indexes(PackedFile(folder / "indexes"), self.entries)


_bases: WeakValueDictionary[tuple[Path, int], Base] = WeakValueDictionary()


def open_base(folder: Path) -> Base:
    """Open a base; editions that share it on disk share it in memory. Raises EditionBroken."""
    try:
        # The inode of the manifest tells a rewritten base from the one that is cached.
        place = folder, (folder / "manifest.json").stat().st_ino
    except OSError as error:
        raise EditionBroken(f"{folder} has no manifest: {error}; {REMEDY}") from error
    base = _bases.get(place)
    if base is None:
        base = _bases[place] = Base(folder)
    return base
