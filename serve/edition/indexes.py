"""Indexes over the entries of a base: by last change, by instant, and by pieces of their text.

All are made when a base is written, off the path of a refresh, and mapped. Texts are searched in
documents: entries that follow each other with the same text are one. Documents come in shards of
65,536; of each shard every piece of 1 to 3 bytes has its documents, and of 4 bytes where both of
its halves of 3 are frequent, so that no needle glued together of frequent pieces makes the search
look at many documents. A frequent piece has a bit per document, a rare one a list.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from serve.edition.layers import Layer, Numbers
from serve.edition.packed import Packed, PackedFile

Array = npt.NDArray[Any]  # element types are said where it is made
Mask = Callable[[Numbers], npt.NDArray[np.bool_]]

_SHARD = 1 << 16
_FREQUENT = _SHARD // 32
_UNITS = _SHARD // 16
_FEW = 2048
_ENOUGH, _FIRST_UNITS = 32, 64
_LENGTHS = (1, 2, 3, 4)


class Indexes:
    """What `build_indexes` made of a base's entries."""

    def __init__(self, file: PackedFile, entries: Layer) -> None:
        self._entries = entries
        self._by_sequence = file.array("by_sequence", "<u4")
        self._by_touched = file.array("by_touched", "<u4")
        self._touched = file.array("touched", "<i8")
        self._documents = file.array("documents", "<u4")
        self._postings = file.array("postings", "<u2")
        self._pieces = {
            length: tuple(
                file.array(f"piece{length}{part}", kind)
                for part, kind in (("", "<u4"), ("_at", "<u8"), ("_count", "<u4"), ("_end", "<u8"))
            )
            for length in _LENGTHS
        }

    def by_sequence(self, sequence: int, row: int) -> Iterator[Numbers]:
        """Rows by (sequence, row) from the given ones on, some at a time."""
        order, values = self._by_sequence, self._entries.columns["sequence"]
        start = bisect_left(
            range(len(order)),
            (sequence, row),
            key=lambda place: (int(values[order[place]]), int(order[place])),
        )
        for place in range(start, len(order), 128):
            yield order[place : place + 128].astype(np.int64)

    def newest(self, count: int) -> Numbers:
        """Rows of the largest sequences, `count` of them and those of the same sequence."""
        order, values = self._by_sequence, self._entries.columns["sequence"]
        start = max(len(order) - count, 0)
        if start:
            last = int(values[order[start]])
            start = bisect_left(range(start), last, key=lambda place: int(values[order[place]]))
        return order[start:].astype(np.int64)

    def touched_since(self, since: int) -> Numbers | None:
        """Rows that changed upstream or here after an instant, rising; None if they are many."""
        start = int(np.searchsorted(self._touched, since, side="right"))
        if len(self._touched) - start > _FEW:
            return None
        return np.sort(self._by_touched[start:].astype(np.int64))

    def containing(self, needle: bytes, low: int, mask: Mask) -> Iterator[Numbers]:
        """Rows from `low` on whose text contains the needle and that pass the mask, rising."""
        first, texts = self._documents, self._entries.strings["texts"]
        start = int(np.searchsorted(first, low, side="right")) - 1
        for found in self._candidates(needle, max(start, 0)):
            size, documents = 64, found
            while len(documents):
                part, documents, size = documents[:size], documents[size:], min(size * 4, _SHARD)
                rows, owners = _expanded(first, part)
                wanted = (rows >= low) & mask(rows)
                rows, owners = rows[wanted], owners[wanted]
                new = _first_of(owners)
                seen = first[owners[new]].tolist()
                met = np.array([needle in texts[row] for row in seen], dtype=np.bool_)
                yield rows[met[np.cumsum(new) - 1]]

    def _candidates(self, needle: bytes, start: int) -> Iterator[Numbers]:
        """Documents that may contain a needle, from one on, shard by shard."""
        count = len(self._documents) - 1
        for shard in range(start // _SHARD, -(-count // _SHARD)):
            for found in _common(self._in_shard(needle, shard), max(start - shard * _SHARD, 0)):
                yield found.astype(np.int64) + shard * _SHARD

    def _in_shard(self, needle: bytes, shard: int) -> list[Array]:
        """The lists and bits of the pieces of a needle; none if one of them has no document."""
        length = min(len(needle), 3)
        lists = []
        pieces = [needle[i : i + length] for i in range(len(needle) - length + 1)]
        frequent = []
        for piece in pieces:
            found = self._documents_of(piece, shard)
            if found is None:
                return []
            lists.append(found)
            frequent.append(len(found) == _UNITS)
        for i in range(len(pieces) - 1 if length == 3 else 0):
            if frequent[i] and frequent[i + 1]:
                found = self._documents_of(needle[i : i + 4], shard)
                if found is None:
                    return []
                lists.append(found)
        return lists

    def _documents_of(self, piece: bytes, shard: int) -> Array | None:
        """Of one shard the documents that have a piece: a list, or bits if its length is _UNITS."""
        codes, at, counts, ends = self._pieces[len(piece)]
        low, high = (int(ends[shard - 1]) if shard else 0), int(ends[shard])
        code = int.from_bytes(piece, "big")
        place = low + int(np.searchsorted(codes[low:high], code))
        if place == high or codes[place] != code:
            return None
        start, count = int(at[place]), int(counts[place])
        return self._postings[start : start + (count if count <= _FREQUENT else _UNITS)]


def _common(lists: list[Array], low: int) -> Iterator[Array]:
    """The documents from one on that are in all of some lists and bits, rising, some at a time."""
    lists.sort(key=len)
    if lists and len(lists[0]) < _UNITS:
        found = lists[0][np.searchsorted(lists[0], low) :]
        for other in lists[1:]:
            if len(found) <= _ENOUGH:
                break
            if len(other) == _UNITS:
                found = found[(other[found >> 4] >> (found & 15)) & 1 == 1]
            else:
                there = np.zeros(_SHARD, dtype=np.bool_)
                there[other] = True
                found = found[there[found]]
        yield found
        return
    at, size = low >> 4, _FIRST_UNITS
    while lists and at < _UNITS:
        bits = np.bitwise_and.reduce([units[at : at + size] for units in lists])
        found = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little")) + (at << 4)
        yield found[found >= low]
        at, size = at + size, min(size * 4, _UNITS)


def _expanded(first: Array, documents: Numbers) -> tuple[Numbers, Numbers]:
    """The rows of some documents, and of each row the document."""
    starts = first[documents].astype(np.int64)
    lengths = first[documents + 1].astype(np.int64) - starts
    owners = np.repeat(documents, lengths)
    ends = np.cumsum(lengths)
    rows = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
    return rows, owners


def build_indexes(entries: Layer) -> Packed:
    """The indexes of a base, to write as a packed file."""
    documents = _documents(entries)
    return {
        **order_indexes(entries),
        "documents": documents,
        **_pieces(entries, documents.astype(np.int64)),
    }


def order_indexes(entries: Layer) -> dict[str, Array]:
    """Those which depend on the instant of publication."""
    columns = entries.columns
    touched = np.maximum(columns["updated"], columns["changed"])
    order = np.argsort(touched, kind="stable")
    return {
        "by_sequence": np.argsort(columns["sequence"], kind="stable").astype("<u4"),
        "by_touched": order.astype("<u4"),
        "touched": touched[order].astype("<i8"),
    }


def _documents(entries: Layer) -> Array:
    """The first row of each document, and the number of rows behind them."""
    texts, count = entries.strings["texts"], len(entries)
    starts, last = [], None
    for row in range(count):
        text = texts[row]
        if text != last:
            starts.append(row)
            last = text
    return np.array([*starts, count], dtype="<u4")


def _pieces(entries: Layer, first: Numbers) -> Packed:
    texts = entries.strings["texts"]
    codes: dict[int, list[Array]] = {length: [] for length in _LENGTHS}
    counts: dict[int, list[Array]] = {length: [] for length in _LENGTHS}
    sizes: dict[int, list[Array]] = {length: [] for length in _LENGTHS}
    ends: dict[int, list[int]] = {length: [] for length in _LENGTHS}
    places: dict[int, list[Array]] = {length: [] for length in _LENGTHS}
    postings: list[Array] = []
    written = 0
    for low in range(0, len(first) - 1, _SHARD):
        shard = first[low : min(low + _SHARD, len(first) - 1)].tolist()
        parts = [texts[row] for row in shard]
        data = np.frombuffer(b"".join(parts), dtype=np.uint8)
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        frequent: npt.NDArray[np.bool_] | None = None
        for length in _LENGTHS:
            code, inside = _coded(data, length)
            if length == 4:
                assert frequent is not None
                inside &= frequent[: len(code)] & frequent[1 : len(code) + 1]
            keys = (code[inside] << 16) | owner[: len(code)][inside]
            keys.sort()
            keys = keys[_first_of(keys)]
            start = np.flatnonzero(_first_of(keys >> 16))
            found, count = keys[start] >> 16, np.diff(start, append=len(keys))
            if length == 3:
                frequent = np.isin(code, found[count > _FREQUENT])
            lists, size = _lists((keys & 0xFFFF).astype("<u2"), start, count)
            codes[length].append(found.astype("<u4"))
            counts[length].append(count.astype("<u4"))
            ends[length].append((ends[length][-1] if ends[length] else 0) + len(found))
            sizes[length].append(size)
            places[length].append(written + np.cumsum(size) - size)
            postings.append(lists)
            written += len(lists)
    packed: dict[str, Array] = {"postings": _joined(postings, "<u2")}
    for length in _LENGTHS:
        packed[f"piece{length}"] = _joined(codes[length], "<u4")
        packed[f"piece{length}_at"] = _joined(places[length], "<u8")
        packed[f"piece{length}_count"] = _joined(counts[length], "<u4")
        packed[f"piece{length}_end"] = np.array(ends[length], dtype="<u8")
    return packed


def _first_of(values: Array) -> npt.NDArray[np.bool_]:
    """Which of sorted values are the first of their kind."""
    found = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=found[1:])
    return found


def _coded(data: npt.NDArray[np.uint8], length: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """The piece at each place as a number, and whether it lies within one string."""
    count = max(len(data) - length + 1, 0)
    code = np.zeros(count, dtype=np.int64)
    inside = np.ones(count, dtype=np.bool_)
    for offset in range(length):
        part = data[offset : offset + count]
        code = (code << 8) | part
        inside &= part != 0
    return code, inside


def _lists(owners: Array, start: Array, count: Array) -> tuple[Array, Array]:
    """Lists of documents end to end, frequent ones as bits; and how long each is."""
    size = np.where(count > _FREQUENT, _UNITS, count).astype(np.int64)
    found = np.zeros(int(size.sum()), dtype="<u2")
    at = np.cumsum(size) - size
    rare = count <= _FREQUENT
    taken = np.repeat(rare, count)
    found[np.repeat(rare, size)] = owners[taken]
    for place in np.flatnonzero(~rare).tolist():
        bits = np.zeros(_SHARD, dtype=np.uint8)
        bits[owners[start[place] : start[place] + count[place]]] = 1
        packed = np.packbits(bits, bitorder="little").view("<u2")
        found[at[place] : at[place] + _UNITS] = packed
    return found, size


def _joined(parts: list[Array], kind: str) -> Array:
    return np.concatenate(parts).astype(kind) if parts else np.empty(0, dtype=kind)
