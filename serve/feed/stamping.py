"""Writes the instant of publication into an edition just before it goes live.

This is a fixed-width patch in place: every body and row reserves room for it, so nothing moves.
"""

import os
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from serve.disk import file_hash, replace_file
from serve.edition.bases import described
from serve.edition.edition import Edition
from serve.edition.indexes import order_indexes
from serve.edition.manifests import Manifest, read_base_manifest
from serve.edition.packed import PackedFile
from serve.edition.selection import micros
from serve.entry.render import fixed_instant, publish_position


def stamp(root: Path, manifest: Manifest, at: datetime) -> None:
    """Write the publication instant into every body and row that is new in an edition.

    Meanwhile the manifest has no hashes of the patched files, so that a rerun after a crash can
    start again. `root` is the folder of the feed.
    """
    folder, edition = root / "editions" / manifest.edition, manifest.edition
    own = [f"segments/{edition}", f"editions/{edition}/entries"]
    if manifest.base == edition:
        own += [f"bases/{edition}/{name}" for name in ("entries", "indexes")]
    files = {name: facts for name, facts in manifest.files.items() if name not in own}
    manifest = msgspec.structs.replace(manifest, published_at=at, files=files)
    replace_file(folder / "manifest.json", msgspec.json.encode(manifest))
    opened = Edition(folder)
    rows = opened.changed_rows()
    if edition in manifest.segments:
        number, patch = manifest.segments.index(edition), fixed_instant(at)
        columns = (opened.arrays[name].of(rows) for name in ("segment", "offset", "length"))
        with (root / "segments" / edition).open("r+b") as file:
            for segment, offset, length in zip(
                *(column.tolist() for column in columns), strict=True
            ):
                assert segment == number, "what changed lies in the edition's own segment"
                file.seek(publish_position(offset + length))
                file.write(patch)
            file.flush()
            os.fsync(file.fileno())
    _stamp_rows(folder / "entries", manifest.sequence, at)
    if manifest.base == edition:
        _stamp_base(root, opened, at)
    files |= {
        name: (path.stat().st_size, file_hash(path))
        for name in own
        if (path := root / name).exists()
    }
    replace_file(folder / "manifest.json", msgspec.json.encode(manifest))


def _stamp_base(root: Path, edition: Edition, at: datetime) -> None:
    """Stamp the rows and indexes of a base that was written with the edition."""
    folder = root / "bases" / edition.manifest.base
    _stamp_rows(folder / "entries", edition.manifest.sequence, at)
    # The indexes have fixed sizes; only their values and order depend on the instant.
    header = PackedFile(folder / "indexes").header
    with (folder / "indexes").open("r+b") as file:
        for name, order in order_indexes(edition.base.entries).items():
            file.seek(header[name][1])
            file.write(order.tobytes())
        file.flush()
        os.fsync(file.fileno())
    manifest, files = read_base_manifest(folder), described(folder, f"bases/{folder.name}")
    manifest = msgspec.structs.replace(
        manifest, files={name: files[name] for name in manifest.files}
    )
    replace_file(folder / "manifest.json", msgspec.json.encode(manifest))


def _stamp_rows(path: Path, sequence: int, at: datetime) -> None:
    """Write an instant into the column `changed` of the rows of a packed file with a sequence."""
    file = PackedFile(path)
    rows = np.flatnonzero(file.array("sequence", "<u8") == sequence)
    with path.open("r+b") as opened:
        for row in rows.tolist():
            opened.seek(file.header["changed"][1] + 8 * row)  # a column of 8-byte integers
            opened.write(micros(at).to_bytes(8, "little", signed=True))
        opened.flush()
        os.fsync(opened.fileno())
