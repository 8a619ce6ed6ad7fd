"""Bases: the tables that editions share, and when to write a new one (the LSM table's compaction).

An edition is a base plus its difference from that base. A refresh writes the difference; once it
has grown, `write_base` turns the whole edition into a base outside of the refresh, and the next
edition uses it. Only an edition that differs too much is written whole during its own build.
"""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from serve.disk import file_hash, replace_file, sync
from serve.edition.base import open_base
from serve.edition.edition import Edition
from serve.edition.indexes import build_indexes
from serve.edition.layers import Layer, MergePositions, empty
from serve.edition.manifests import FORMAT, BaseManifest, Files
from serve.edition.packed import write_packed
from serve.edition.segments import (
    MAX_OWN,
    SegmentWriter,
    renumbered,
    segments_to_compact,
    unlink_empty,
    used_bytes,
)
from serve.edition.tables import Table
from serve.edition.verification import verify_files
from serve.errors import EditionBroken

log = logging.getLogger(__name__)

Tables = dict[str, Table]
"""`entries` and `records`."""

_NOWHERE = 0xFFFFFFFF  # the number of a segment that an edition does not have
_MOST = 65_536
_LEAST = 2048


@dataclass(frozen=True)
class WrittenTables:
    """The result of writing the tables of an edition."""

    base: str
    segments: tuple[str, ...]
    files: Files


def overlaid_tables(previous: Edition | None, entries: Layer, records: Layer) -> Tables:
    """The tables of a new edition: those of the previous one with new rows over them."""
    if previous is None:
        return {
            name: Table(nothing := empty(rows.kind), rows, MergePositions.of(rows, nothing))
            for name, rows in (("entries", entries), ("records", records))
        }
    return {
        "entries": previous.entries.with_overlay(entries),
        "records": previous.records.table.with_overlay(records),
    }


def write_tables(
    root: Path,
    tables: Tables,
    previous: Edition | None,
    writer: SegmentWriter,
    part: Path,
    *,
    edition: str,
    sequence: int,
) -> WrittenTables:
    """Write the tables of a new edition: its rows into `part`, or all rows as a new base."""
    segments = [*(previous.manifest.segments if previous else ()), edition]
    if previous is None or any(_overgrown(table) for table in tables.values()):
        layers = {name: table.flat() for name, table in tables.items()}
        base = _Base(root, edition, over=previous.manifest.base if previous else "")
        stand = base.write(layers, segments, writer, previous, edition=edition, sequence=sequence)
        tables = {
            name: Table(layer, empty(layer.kind), MergePositions.of(empty(layer.kind), layer))
            for name, layer in layers.items()
        }
        uppers = {name: table.upper for name, table in tables.items()}
    else:
        stand, uppers = _upon(root, tables, previous, writer, segments)
    for name, table in tables.items():
        write_packed(part / name, {**uppers[name].packed(), **table.positions.packed()})
    return stand


def _overgrown(table: Table) -> bool:
    return len(table.upper) > max(_LEAST, min(len(table.base) // 4, _MOST))


def needs_new_base(edition: Edition) -> bool:
    """Whether an edition differs so much from its base that a new base pays off."""
    # Lower limits than in `_overgrown`, so that a refresh rarely has to write a base itself.
    tables = (edition.entries, edition.records.table)
    return any(
        len(table.upper) > max(_LEAST // 4, min(len(table.base) // 16, _MOST // 8))
        for table in tables
    )


def _upon(
    root: Path, tables: Tables, previous: Edition, writer: SegmentWriter, segments: list[str]
) -> tuple[WrittenTables, dict[str, Layer]]:
    """Write no base: keep the rows over the base of the previous edition."""
    uppers = {name: table.upper for name, table in tables.items()}
    own, last = len(previous.base.manifest.segments), len(segments) - 1
    sizes = used_bytes(uppers, len(segments))
    used = [number for number in range(own, last) if sizes[number]]
    if len(used) >= MAX_OWN:
        uppers, used = writer.move(uppers, previous, set(used)), []
    writer.finish()
    # The new segment is the last one; it is used only if something was written to it.
    if not unlink_empty(root / "segments" / segments[last]):
        used.append(last)
    kept = [*range(own), *used]
    uppers = renumbered(uppers, {old: new for new, old in enumerate(kept)})
    segments = [segments[number] for number in kept]
    known = previous.manifest.files
    base = previous.manifest.base
    files = {name: known[name] for name in known if name.startswith(f"bases/{base}/")}
    return WrittenTables(base, tuple(segments), files | _segments(root, segments, known)), uppers


class _Base:
    """A base that is being written."""

    def __init__(self, root: Path, name: str, *, over: str) -> None:
        self._root = root
        self._name = name
        self._over = over

    def write(
        self,
        layers: dict[str, Layer],
        segments: list[str],
        writer: SegmentWriter,
        source: Edition | None,
        *,
        edition: str,
        sequence: int,
    ) -> WrittenTables:
        """Write the base; updates `layers` to the written rows. Its own segment is the last one."""
        sizes = used_bytes(layers, len(segments))
        if source is not None and (fold := segments_to_compact(sizes[:-1])):
            layers |= writer.move(layers, source, fold)
            sizes = used_bytes(layers, len(segments))
        used = [number for number, size in enumerate(sizes) if size]
        writer.finish()
        unlink_empty(self._root / "segments" / segments[-1])
        layers |= renumbered(layers, {old: new for new, old in enumerate(used)})
        names = tuple(segments[number] for number in used)
        folder = self._root / "bases" / self._name
        part = folder.with_name(f"{self._name}.part")
        for path in (part, folder):
            shutil.rmtree(path, ignore_errors=True)
        part.mkdir(parents=True)
        for name, layer in layers.items():
            write_packed(part / name, layer.packed())
        write_packed(part / "indexes", build_indexes(layers["entries"]))
        files = described(part, f"bases/{self._name}")
        if self._name in names and self._name != edition:  # else the edition's manifest lists it
            files |= _segments(self._root, [self._name], {})
        manifest = BaseManifest(
            format=FORMAT,
            base=self._name,
            over=self._over,
            edition=edition,
            sequence=sequence,
            segments=names,
            files=files,
        )
        replace_file(part / "manifest.json", msgspec.json.encode(manifest))
        part.rename(folder)
        sync(folder.parent)
        known = source.manifest.files if source else {}
        return WrittenTables(
            self._name, names, manifest.files | _segments(self._root, names, known)
        )


def write_base(edition: Edition, root: Path, name: str) -> BaseManifest:
    """Write a base, under its own name, that holds all rows of an edition."""
    layers = {"entries": edition.entries.flat(), "records": edition.records.table.flat()}
    segments, manifest = [*edition.manifest.segments, name], edition.manifest
    with (root / "segments" / name).open("wb") as file:
        writer = SegmentWriter(file, len(segments) - 1)
        _Base(root, name, over=manifest.base).write(
            layers,
            segments,
            writer,
            edition,
            edition=manifest.edition,
            sequence=manifest.sequence,
        )
    return open_base(root / "bases" / name).manifest


def rebased(edition: Edition, root: Path) -> Edition:
    """Move an edition to the newest base made from it or from an earlier edition over its present
    base; return it unchanged if there is none."""
    for folder in sorted((root / "bases").iterdir(), reverse=True):
        try:
            moved = _over(edition, root, folder)
        except EditionBroken as error:
            log.warning("base not used base=%s error=%s", folder.name, error)
            continue
        if moved is not None:
            return moved
    return edition


def _over(edition: Edition, root: Path, folder: Path) -> Edition | None:
    if folder.suffix or folder.name == edition.manifest.base:
        return None
    base = open_base(folder)
    manifest = base.manifest
    if manifest.over != edition.manifest.base or manifest.sequence > edition.manifest.sequence:
        return None
    verify_files(root, manifest.files)
    then = Edition(root / "editions" / manifest.edition)
    if then.manifest.base != manifest.over:
        return None
    now = edition.manifest.segments
    # Rows of `then` are in the new base. Number their segments as `edition` does, to compare rows.
    places = {name: number for number, name in enumerate(now)}
    known = renumbered(
        {"entries": then.entries.upper, "records": then.records.table.upper},
        {old: places.get(name, _NOWHERE) for old, name in enumerate(then.manifest.segments)},
    )
    tables = {
        "entries": edition.entries.rebased_on(base.entries, known["entries"]),
        "records": edition.records.table.rebased_on(base.records, known["records"]),
    }
    segments = (*manifest.segments, *(name for name in now if name not in manifest.segments))
    numbers = {old: segments.index(name) for old, name in enumerate(now)}
    uppers = renumbered({name: table.upper for name, table in tables.items()}, numbers)
    files = edition.manifest.files | manifest.files
    laid = {name: Table(tables[name].base, uppers[name], tables[name].positions) for name in tables}
    return edition.replacing_tables(
        base,
        laid["entries"],
        laid["records"],
        msgspec.structs.replace(
            edition.manifest, base=manifest.base, segments=segments, files=files
        ),
    )


def described(folder: Path, place: str) -> Files:
    """Size and SHA-256 of every file of a folder, keyed by `place` and the file's name."""
    return {
        f"{place}/{path.name}": (path.stat().st_size, file_hash(path))
        for path in sorted(folder.iterdir())
    }


def _segments(root: Path, names: tuple[str, ...] | list[str], known: Files) -> Files:
    files = {}
    for name in names:
        place = f"segments/{name}"
        path = root / place
        files[place] = known.get(place) or (path.stat().st_size, file_hash(path))
    return files
