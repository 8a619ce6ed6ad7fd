"""The columns of an edition while they grow, entry after entry in key order."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from serve.edition import COLUMNS, DELETED, KINDS, LATEST, UNPUBLISHED, Edition, from_micros, micros
from serve.files import Keys, file_hash
from serve.records import RECORD_COLUMNS, Held, Judged
from serve.render import Content, body, parted
from serve.segments import Place, SegmentWriter

_NOTHING = Place("", 0, 0)


@dataclass(frozen=True)
class Entry:
    """What is served of an entry. `state` is admitted, deleted, withdrawn or withheld."""

    key: bytes
    content: Content
    state: str
    latest: bool
    published_at: datetime
    updated_at: datetime


def carried(edition: Edition, index: int) -> Entry:
    """An entry as an edition showed it, to be shown again."""
    arrays = edition.arrays
    return Entry(
        edition.key(index),
        parted(
            edition.body(index),
            namespace=edition.manifest.namespace,
            signature=bytes(arrays["signature"][index]),
        ),
        edition.state(index),
        latest=bool(arrays["flags"][index] & LATEST),
        published_at=from_micros(int(arrays["published"][index])),
        updated_at=from_micros(int(arrays["updated"][index])),
    )


class Columns:
    """Columns of the entries that are shown, and of the records of all that are known."""

    def __init__(
        self,
        segments: SegmentWriter,
        previous: Edition | None,
        *,
        edition: str,
        sequence: int,
        namespace: str,
        outline: bytes,
    ) -> None:
        self._segments = segments
        self._previous = previous
        self._records = previous.records if previous else None
        self._follow = Follower(self._records.keys if self._records else None)
        self._edition = edition
        self._sequence = sequence
        self._namespace = namespace
        self._outline = outline
        self._columns: dict[str, list[object]] = {
            name: [] for name in (*COLUMNS, *RECORD_COLUMNS) if "segment" not in name
        }
        self._keys, self._texts, self._known = bytearray(), bytearray(), bytearray()
        self._places: list[Place] = []
        self._raw: list[Place] = []
        self._seen: list[Place] = []
        self._held: list[Held] = []
        self._waiting = (
            {(h.name, h.version): h for h in self._records.held} if self._records else {}
        )
        self._reasons: dict[bytes, int] = {}
        self._content = hashlib.sha256()
        self._record_hash = hashlib.sha256()
        self._changed = 0
        self._parts: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self.servers = 0
        self.treatments: list[tuple[str, str, str, str, str]] = []

    def add(self, entry: Entry, before: int | None) -> None:
        """Append an entry: its old body if nothing of it changed, else a new one."""
        columns, content, previous = self._columns, entry.content, self._previous
        if (
            previous is not None
            and before is not None
            and bytes(previous.arrays["signature"][before]) == content.signature
        ):
            arrays = previous.arrays
            place = self._segments.keep(
                *(int(arrays[name][before]) for name in ("segment", "offset", "length"))
            )
            for name in ("sequence", "kind"):
                columns[name].append(int(arrays[name][before]))
            columns["changed"].append(int(previous.changed[before]))
        else:
            place = self._segments.add(
                body(
                    content,
                    state=entry.state,
                    edition=self._edition,
                    sequence=self._sequence,
                    namespace=self._namespace,
                )
            )
            columns["sequence"].append(self._sequence)
            columns["kind"].append(KINDS.index(self._kind(entry.state, before)))
            columns["changed"].append(UNPUBLISHED)
            self._changed += 1
        self._places.append(place)
        columns["offset"].append(place.offset)
        columns["length"].append(place.length)
        gone = entry.state != "admitted"
        self._keys += entry.key
        if previous is not None and before is not None and gone:
            self._texts += previous.text(before)  # whoever follows a search learns of it
        else:
            shown = msgspec.json.decode(content.server, type=_Described)
            own = entry.key.partition(b"\0")[0].lower()
            self._texts += b"%b\0%b\0" % (own, shown.description.encode().lower())
            self._parts.update({part.kind for part in shown.packages})
            self._parts.update(["remote"] if shown.remotes else [])
        columns["key_end"].append(len(self._keys))
        columns["text_end"].append(len(self._texts))
        columns["flags"].append(LATEST * entry.latest | DELETED * gone)
        columns["published"].append(micros(entry.published_at))
        columns["updated"].append(micros(entry.updated_at))
        columns["signature"].append(content.signature)
        self._content.update(entry.key + b"\n" + content.signature)

    def _kind(self, state: str, before: int | None) -> str:
        if state != "admitted":
            return state
        if before is None or self._previous is None:
            return "added"
        return "restored" if self._previous.deleted(before) else "changed"

    def know(self, key: bytes, judged: Judged, raw: bytes, shared: int, seen: bytes) -> None:
        """Append the record of an entry, shown or not; `shared` as in `RECORD_COLUMNS`."""
        self._known += key
        columns, reason = self._columns, judged.reason
        encoded = msgspec.json.encode(judged)
        columns["known_end"].append(len(self._known))
        columns["reason"].append(self._reasons.setdefault(encoded, len(self._reasons)))
        self._record_hash.update(key + b"\n" + encoded + raw)
        self._verdicts[f"{reason.verdict}:{reason.rule}"] += 1
        name, _, version = key.decode().partition("\0")
        self.treatments += [(name, version, t.kind, t.rule, t.detail) for t in reason.treatments]
        if reason.state == "held":
            self._hold(name, version, reason.held_until)
        records, before = self._records, self._follow.at(key)
        same_raw = same_seen = False
        if records is not None and before is not None:
            same_raw = records.stored(before) == raw
            same_raw = same_raw and int(records.arrays["raw_shared"][before]) == shared
            same_seen = records.seen(before) == seen
        self._store("raw", self._raw, raw, before if same_raw else None)
        self._store("seen", self._seen, seen, before if same_seen else None)
        columns["raw_shared"].append(shared)

    def _store(self, what: str, places: list[Place], data: bytes, before: int | None) -> None:
        """Append a place for data: that of the previous edition's record `before`, if given."""
        place = _NOTHING
        if data and before is not None and self._records is not None:
            arrays = self._records.arrays
            place = self._segments.keep(
                *(int(arrays[f"{what}_{n}"][before]) for n in ("segment", "offset", "length"))
            )
        elif data:
            place = self._segments.add(data)
        places.append(place)
        self._columns[f"{what}_offset"].append(place.offset)
        self._columns[f"{what}_length"].append(place.length)

    def _hold(self, name: str, version: str, until: datetime | None) -> None:
        """Announce a version that is held, unless that was done; another instant is news."""
        known = self._waiting.get((name, version))
        if known is None or known.until != until:
            known = Held(name, version, self._sequence, None, until)
        elif known.announced_at is None and self._previous is not None:
            at = self._previous.manifest.published_at
            known = msgspec.structs.replace(known, announced_at=at)
        self._held.append(known)

    def finish(self, folder: Path, segments: Path) -> dict[str, Any]:
        """Write the files; returns what the manifest says of them."""
        used = [place for place in self._raw + self._seen if place is not _NOTHING]
        numbers = self._segments.finish(self._places + used, segments)
        columns = self._columns
        columns["segment"] = [numbers[place.segment] for place in self._places]
        for what, places in (("raw", self._raw), ("seen", self._seen)):
            columns[f"{what}_segment"] = [numbers.get(place.segment, 0) for place in places]
        columns["reason_end"] = list(np.cumsum([len(reason) for reason in self._reasons]))
        for name, kind in (COLUMNS | RECORD_COLUMNS).items():
            np.array(columns[name], dtype=kind).tofile(folder / f"{name}.bin")
        (folder / "keys").write_bytes(self._keys)
        (folder / "texts").write_bytes(self._texts)
        (folder / "known").write_bytes(self._known)
        (folder / "reasons").write_bytes(b"".join(self._reasons))
        (folder / "policy.json").write_bytes(self._outline)
        self._held.sort(key=lambda held: (held.sequence, held.name, held.version))
        (folder / "held.json").write_bytes(msgspec.json.encode(self._held))
        files = {p.name: (p.stat().st_size, file_hash(p)) for p in sorted(folder.iterdir())}
        earlier = self._previous.manifest.files if self._previous else {}
        for name in numbers:
            path, known = segments / name, earlier.get(f"segments/{name}")
            files[f"segments/{name}"] = known or (path.stat().st_size, file_hash(path))
        flags = np.array(columns["flags"], dtype="<u1")
        kinds = Counter(f"{kind}:{rule}" for _, _, kind, rule, _ in self.treatments)
        return {
            "sequence": self._sequence,
            "content_hash": self._content.hexdigest(),
            "records_hash": self._record_hash.hexdigest(),
            "entries": len(flags),
            "servers": self.servers,
            "tombstones": int(((flags & DELETED) != 0).sum()),
            "withheld": sum(n for kind, n in kinds.items() if kind.startswith("withheld")),
            "held": len(self._held),
            "changed": self._changed,
            "parts": dict(sorted(self._parts.items())),
            "verdicts": dict(sorted(self._verdicts.items())),
            "treatments": dict(sorted(kinds.items())),
            "segments": tuple(numbers),
            "files": files,
        }


class Follower:
    """Finds rising keys among sorted ones by going along with them."""

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys
        self._next = 0

    def at(self, key: bytes) -> int | None:
        """The number of a key, not smaller than the one asked for before."""
        keys = self._keys
        if keys is None:
            return None
        while self._next < len(keys) and keys[self._next] < key:
            self._next += 1
        found = self._next < len(keys) and keys[self._next] == key
        return self._next if found else None


class _Package(msgspec.Struct):
    kind: str = msgspec.field(name="registryType")


class _Described(msgspec.Struct):
    description: str
    packages: tuple[_Package, ...] = ()
    remotes: tuple[msgspec.Raw, ...] = ()
