"""Building a candidate: entries with verdicts in, a directory of flat files out.

Pure in (entries, previous edition, feed identity): the same inputs give the same bytes. What did
not change since the previous edition keeps its body, sequence and instant. Nothing goes live here.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np

from serve.edition import (
    COLUMNS,
    DELETED,
    FORMAT,
    LATEST,
    UNPUBLISHED,
    Edition,
    Manifest,
    file_hash,
    from_micros,
    micros,
)
from serve.latest import elect
from serve.render import Content, body, live, tombstone
from serve.repair import Repaired, repair
from serve.strict import objection

Write = Callable[[bytes], int]
_MAX_SEGMENTS = 32
_KEPT_SEGMENTS = 8


@dataclass(frozen=True)
class Candidate:
    """An entry as curation left it. `server` and `meta` are upstream's bytes if it is admitted."""

    name: str
    version: str
    admitted: bool
    rule: str
    reason: str
    status: str
    status_message: str | None
    is_latest: bool
    published_at: datetime
    updated_at: datetime
    status_changed_at: datetime | None
    schema_uri: str | None
    server: bytes | None
    meta: bytes | None
    enrichment: bytes | None

    @property
    def key(self) -> bytes:
        return f"{self.name}\0{self.version}".encode()


@dataclass
class Built:
    """A finished candidate. `treatments` are (name, version, kind, rule, detail)."""

    manifest: Manifest
    folder: Path
    treatments: list[tuple[str, str, str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Shown:
    """An entry that the edition will have, and its number in the previous edition if any."""

    entry: Candidate
    state: str
    server: bytes | None
    before: int | None


def write_candidate(
    entries: Iterable[Candidate],
    *,
    feed: str,
    edition: str,
    namespace: str,
    policy_hash: str,
    previous: Edition | None,
    editions: Path,
    segments: Path,
    now: datetime,
) -> Built:
    """Write `editions/EDITION` and its segment; complete when it stands there without a suffix.

    `entries` are all known entries in (name, version) byte order, with their verdicts. Entries of
    the previous edition that are no longer admitted become tombstones and stay so.
    """
    writer = _Writer(previous, feed=feed, edition=edition, namespace=namespace)
    part = editions / f"{edition}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    segments.mkdir(parents=True, exist_ok=True)
    with (segments / edition).open("wb") as segment:
        known = _with_before(entries, previous)
        for _, group in groupby(known, key=lambda item: item[0].name):
            writer.serve(list(group), segment.write)
        segment.flush()
        os.fsync(segment.fileno())
    manifest = writer.finish(part, segments, policy_hash, now)
    (part / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    for path in part.iterdir():
        _sync(path)
    folder = editions / edition
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    _sync(editions)
    return Built(manifest, folder, writer.treatments)


class _Writer:
    """The columns of an edition while they grow."""

    def __init__(
        self, previous: Edition | None, *, feed: str, edition: str, namespace: str
    ) -> None:
        self._previous = previous
        self._feed = feed
        self._edition = edition
        self._folded = _to_fold(previous)
        self._namespace = namespace
        self._sequence = previous.manifest.sequence + 1 if previous else 1
        self._columns: dict[str, list[object]] = {name: [] for name in COLUMNS}
        self._keys = bytearray()
        self._texts = bytearray()
        self._written = 0
        self._segments = dict.fromkeys(previous.manifest.segments if previous else ())
        self._segment_of: list[str] = []
        self._content = hashlib.sha256()
        self._changed = self._servers = 0
        self._verdicts: Counter[str] = Counter()
        self.treatments: list[tuple[str, str, str, str, str]] = []

    def serve(self, group: list[tuple[Candidate, int | None]], write: Write) -> None:
        """Append what is served of one server: admitted versions, tombstones, one latest."""
        shown = [found for entry, before in group if (found := self._shown(entry, before))]
        if not shown:
            return
        self._servers += 1
        pool = [found for found in shown if found.state == "admitted"] or shown
        chosen = [found for found in pool if found.entry.is_latest]
        if len(chosen) != 1:
            keys = [(found.entry.version, found.entry.published_at) for found in pool]
            chosen = [pool[elect(keys)]]
        for found in shown:
            self._add(found, write, is_latest=found is chosen[0])

    def _shown(self, entry: Candidate, before: int | None) -> _Shown | None:
        self._verdicts[f"{'admit' if entry.admitted else 'exclude'}:{entry.rule}"] += 1
        if entry.admitted and entry.status == "deleted":
            why = objection(_nameplate(entry))
            if why is not None:
                self._note(entry, Repaired(None, withheld=why))
                return None
            return _Shown(entry, "deleted", None, before)
        if entry.admitted and entry.server is not None:
            repaired = repair(entry.server)
            self._note(entry, repaired)
            if repaired.server is not None:
                return _Shown(entry, "admitted", repaired.server, before)
            return _Shown(entry, "withheld", None, before) if before is not None else None
        return _Shown(entry, "withdrawn", None, before) if before is not None else None

    def _add(self, found: _Shown, write: Write, *, is_latest: bool) -> None:
        """Append an entry: its old body if nothing of it changed, else a new one."""
        entry, before, previous = found.entry, found.before, self._previous
        content = self._render(found, is_latest=is_latest)
        columns = self._columns
        if (
            previous is not None
            and before is not None
            and bytes(previous.arrays["signature"][before]) == content.signature
        ):
            arrays = previous.arrays
            segment = int(arrays["segment"][before])
            if segment in self._folded:
                self._segment_of.append("")
                columns["offset"].append(self._written)
                self._written += write(previous.body(before))
            else:
                self._segment_of.append(previous.manifest.segments[segment])
                columns["offset"].append(int(arrays["offset"][before]))
            for name in ("length", "sequence"):
                columns[name].append(int(arrays[name][before]))
            columns["changed"].append(int(previous.changed[before]))
        else:
            data = body(
                content,
                state=found.state,
                edition=self._edition,
                sequence=self._sequence,
                namespace=self._namespace,
            )
            write(data)
            self._segment_of.append("")
            columns["offset"].append(self._written)
            columns["length"].append(len(data))
            columns["sequence"].append(self._sequence)
            columns["changed"].append(UNPUBLISHED)
            self._written += len(data)
            self._changed += 1
        document = msgspec.json.decode(content.server, type=_Described)
        self._keys += entry.key
        self._texts += f"{entry.name}\0{document.description}\0".encode().lower()
        columns["key_end"].append(len(self._keys))
        columns["text_end"].append(len(self._texts))
        columns["flags"].append(LATEST * is_latest | DELETED * (found.state != "admitted"))
        columns["published"].append(micros(entry.published_at))
        columns["updated"].append(micros(entry.updated_at))
        columns["signature"].append(content.signature)
        self._content.update(entry.key + b"\n" + content.signature)

    def finish(self, folder: Path, segments: Path, policy_hash: str, now: datetime) -> Manifest:
        """Write the columns; return the manifest of the candidate."""
        edition = self._edition
        names = [name or edition for name in self._segment_of]
        used = [name for name in [*self._segments, edition] if name in set(names)]
        numbers = {name: number for number, name in enumerate(used)}
        self._columns["segment"] = [numbers[name] for name in names]
        for name, kind in COLUMNS.items():
            np.array(self._columns[name], dtype=kind).tofile(folder / f"{name}.bin")
        (folder / "keys").write_bytes(self._keys)
        (folder / "texts").write_bytes(self._texts)
        old = self._previous.manifest.files if self._previous else {}
        files = {f"segments/{name}": old[f"segments/{name}"] for name in used if name != edition}
        files |= {p.name: (p.stat().st_size, file_hash(p)) for p in sorted(folder.iterdir())}
        previous = self._previous.manifest if self._previous else None
        flags = np.array(self._columns["flags"], dtype="<u1")
        kinds = Counter(f"{kind}:{rule}" for _, _, kind, rule, _ in self.treatments)
        if edition not in used:
            (segments / edition).unlink()
        return Manifest(
            format=FORMAT,
            feed=self._feed,
            edition=edition,
            sequence=self._sequence,
            previous=previous.edition if previous else None,
            built_at=now,
            published_at=None,
            namespace=self._namespace,
            policy_hash=policy_hash,
            content_hash=self._content.hexdigest(),
            entries=len(flags),
            servers=self._servers,
            tombstones=int(((flags & DELETED) != 0).sum()),
            withheld=sum(count for kind, count in kinds.items() if kind.startswith("withheld")),
            changed=self._changed,
            verdicts=dict(sorted(self._verdicts.items())),
            treatments=dict(sorted(kinds.items())),
            segments=tuple(used),
            files=files,
        )

    def _note(self, entry: Candidate, repaired: Repaired) -> None:
        for rule, detail in repaired.repairs:
            self.treatments.append((entry.name, entry.version, "repaired", rule, detail))
        if repaired.withheld:
            self.treatments.append(
                (entry.name, entry.version, "withheld", "not-decodable", repaired.withheld)
            )

    def _render(self, found: _Shown, *, is_latest: bool) -> Content:
        entry, state = found.entry, found.state
        if found.server is not None and entry.meta is not None:
            return live(
                found.server,
                entry.meta,
                published_at=entry.published_at,
                updated_at=entry.updated_at,
                is_latest=is_latest,
                enrichment=entry.enrichment,
                namespace=self._namespace,
            )
        message = entry.status_message
        if state != "deleted":
            message = f"{state} from this feed" + (f": {entry.reason}" if entry.reason else "")
        return tombstone(
            name=entry.name,
            version=entry.version,
            schema_uri=entry.schema_uri,
            description=_GONE[state],
            message=message,
            published_at=entry.published_at,
            updated_at=entry.updated_at,
            status_changed_at=entry.status_changed_at,
            is_latest=is_latest,
            namespace=self._namespace,
        )


_GONE = {
    "deleted": "This version was deleted from the registry.",
    "withdrawn": "This version was withdrawn from this feed.",
    "withheld": "This version is withheld from this feed because clients cannot decode it.",
}


class _Described(msgspec.Struct):
    description: str


def _to_fold(previous: Edition | None) -> set[int]:
    """Segments whose bodies move to the new one: all but the largest, when there are too many.

    Every segment costs each server process a mapping and an open file.
    """
    if previous is None or len(previous.manifest.segments) < _MAX_SEGMENTS:
        return set()
    sizes = np.bincount(
        previous.arrays["segment"], weights=previous.arrays["length"].astype(np.float64)
    )
    return {int(number) for number in np.argsort(sizes)[: len(sizes) - _KEPT_SEGMENTS]}


def _nameplate(entry: Candidate) -> bytes:
    """The least server.json of an entry, to see whether clients can decode a tombstone of it."""
    plate = {"name": entry.name, "description": "deleted", "version": entry.version}
    return msgspec.json.encode(plate)


def _with_before(
    entries: Iterable[Candidate], previous: Edition | None
) -> Iterator[tuple[Candidate, int | None]]:
    """Entries with their numbers in the previous edition, and what only that edition knows.

    The latter happens when the warehouse was made anew: those entries stay as tombstones.
    """
    cursor, count = 0, previous.count if previous else 0
    for entry in entries:
        while previous and cursor < count and previous.key(cursor) < entry.key:
            yield _forgotten(previous, cursor), cursor
            cursor += 1
        if previous and cursor < count and previous.key(cursor) == entry.key:
            yield entry, cursor
            cursor += 1
        else:
            yield entry, None
    while previous and cursor < count:
        yield _forgotten(previous, cursor), cursor
        cursor += 1


def _forgotten(previous: Edition, index: int) -> Candidate:
    name, _, version = previous.key(index).decode().partition("\0")
    return Candidate(
        name=name,
        version=version,
        admitted=False,
        rule="unknown",
        reason="it is no longer known upstream",
        status="deleted",
        status_message=None,
        is_latest=False,
        published_at=from_micros(int(previous.arrays["published"][index])),
        updated_at=from_micros(int(previous.arrays["updated"][index])),
        status_changed_at=None,
        schema_uri=None,
        server=None,
        meta=None,
        enrichment=None,
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
