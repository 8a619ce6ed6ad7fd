"""Indexes over the entries of a base: by last change, by instant, and n-grams of their text.

`build_indexes` builds all of them when a base is written, outside of a refresh; readers map them.
The text index is an n-gram inverted index over documents; consecutive entries with the same text
are one document. Documents are split into shards of 65,536. A shard maps every piece of 1 to 3
bytes to its documents; pieces of 4 bytes only if both of their halves of 3 are frequent, so that a
needle of frequent pieces does not make the search read many documents. As in Roaring, a container
is a bitmap (one bit per document) if the piece is frequent, else a sorted list.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from serve.edition.layers import Layer, Numbers
from serve.edition.packed import Packed, PackedFile

Array = npt.NDArray[Any]  # the element type is given where an array is created
Mask = Callable[[Numbers], npt.NDArray[np.bool_]]

_SHARD = 1 << 16  # so that a document's number within its shard fits into a <u2
_FREQUENT = _SHARD // 32
_UNITS = _SHARD // 16  # <u2 values in a bitmap; a list is shorter, so the length tells the kind
_FEW = 2048
_ENOUGH, _FIRST_UNITS = 32, 64
_LENGTHS = (1, 2, 3, 4)


class Indexes:
    """Reads what `build_indexes` built over the entries of a base."""

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
        """Rows in the order (sequence, row), from the given position on, in chunks."""
        order, values = self._by_sequence, self._entries.columns["sequence"]
        start = bisect_left(
            range(len(order)),
            (sequence, row),
            key=lambda place: (int(values[order[place]]), int(order[place])),
        )
        for place in range(start, len(order), 128):
            yield order[place : place + 128].astype(np.int64)

    def newest(self, count: int) -> Numbers:
        """The `count` rows with the largest sequences, and all that tie with the last of them."""
        order, values = self._by_sequence, self._entries.columns["sequence"]
        start = max(len(order) - count, 0)
        if start:
            last = int(values[order[start]])
            start = bisect_left(range(start), last, key=lambda place: int(values[order[place]]))
        return order[start:].astype(np.int64)

    def touched_since(self, since: int) -> Numbers | None:
        """Rows that changed upstream or in the feed after `since`, rising; None if too many."""
        start = int(np.searchsorted(self._touched, since, side="right"))
        if len(self._touched) - start > _FEW:
            return None
        return np.sort(self._by_touched[start:].astype(np.int64))

    def containing(self, needle: bytes, low: int, mask: Mask) -> Iterator[Numbers]:
        """Rows from `low` on whose text contains the needle and that pass the mask, rising."""
        first, texts = self._documents, self._entries.strings["texts"]
        start = int(np.searchsorted(first, low, side="right")) - 1
        for candidates in self._candidates(needle, max(start, 0)):
            size, documents = 64, candidates
            while len(documents):
                part, documents, size = documents[:size], documents[size:], min(size * 4, _SHARD)
                rows, owners = _expanded(first, part)
                wanted = (rows >= low) & mask(rows)
                rows, owners = rows[wanted], owners[wanted]
                # Rows of one document share its text, so search it once, in its first row.
                new = _first_of(owners)
                heads = first[owners[new]].tolist()
                hits = np.array(
                    [name_contains(texts[row], needle) for row in heads], dtype=np.bool_
                )
                yield rows[hits[np.cumsum(new) - 1]]

    def _candidates(self, needle: bytes, start: int) -> Iterator[Numbers]:
        """Documents from `start` on that may contain a needle, shard by shard."""
        count = len(self._documents) - 1
        for shard in range(start // _SHARD, -(-count // _SHARD)):
            for documents in _common(self._in_shard(needle, shard), max(start - shard * _SHARD, 0)):
                yield documents.astype(np.int64) + shard * _SHARD

    def _in_shard(self, needle: bytes, shard: int) -> list[Array]:
        """The containers of all pieces of a needle; empty if one of them occurs in no document."""
        length = min(len(needle), 3)
        pieces = [needle[i : i + length] for i in range(len(needle) - length + 1)]
        # By piece, so that one that comes again costs nothing.
        postings: dict[bytes, Array] = {}
        for piece in pieces:
            if piece not in postings and not self._add(postings, piece, shard):
                return []
        for i in range(len(pieces) - 1 if length == 3 else 0):
            halves = (postings[pieces[i]], postings[pieces[i + 1]])
            four = needle[i : i + 4]
            if (
                all(len(half) == _UNITS for half in halves)
                and four not in postings
                and not self._add(postings, four, shard)
            ):
                return []
        return list(postings.values())

    def _add(self, postings: dict[bytes, Array], piece: bytes, shard: int) -> bool:
        """Add the documents of a piece; False if there are none."""
        documents = self._documents_of(piece, shard)
        if documents is None:
            return False
        postings[piece] = documents
        return True

    def _documents_of(self, piece: bytes, shard: int) -> Array | None:
        """The documents of a shard that contain a piece: a bitmap if _UNITS long, else a list."""
        codes, at, counts, ends = self._pieces[len(piece)]
        low, high = (int(ends[shard - 1]) if shard else 0), int(ends[shard])
        code = int.from_bytes(piece, "big")
        place = low + int(np.searchsorted(codes[low:high], code))
        if place == high or codes[place] != code:
            return None
        start, count = int(at[place]), int(counts[place])
        return self._postings[start : start + (count if count <= _FREQUENT else _UNITS)]


def _common(lists: list[Array], low: int) -> Iterator[Array]:
    """Intersect containers: the documents from `low` on that all of them have, rising."""
    lists.sort(key=len)
    if lists and len(lists[0]) < _UNITS:
        common = lists[0][np.searchsorted(lists[0], low) :]
        for other in lists[1:]:
            if len(common) <= _ENOUGH:
                break  # cheaper to search these few texts than to intersect further
            if len(other) == _UNITS:  # a bitmap: 16 documents per value
                common = common[(other[common >> 4] >> (common & 15)) & 1 == 1]
            else:
                there = np.zeros(_SHARD, dtype=np.bool_)
                there[other] = True
                common = common[there[common]]
        yield common
        return
    # Only bitmaps are left: AND them in growing chunks, so that a first page comes soon.
    at, size = low >> 4, _FIRST_UNITS
    while lists and at < _UNITS:
        bits = np.bitwise_and.reduce([units[at : at + size] for units in lists])
        common = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little")) + (at << 4)
        yield common[common >= low]
        at, size = at + size, min(size * 4, _UNITS)


def name_contains(text: bytes, needle: bytes) -> bool:
    """Whether the name in a text contains the needle. Older editions have the description too."""
    return needle in text[: text.find(b"\0")]


def _expanded(first: Array, documents: Numbers) -> tuple[Numbers, Numbers]:
    """The rows of some documents, and for each row its document."""
    starts = first[documents].astype(np.int64)
    lengths = first[documents + 1].astype(np.int64) - starts
    owners = np.repeat(documents, lengths)
    ends = np.cumsum(lengths)
    rows = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
    return rows, owners


def build_indexes(entries: Layer) -> Packed:
    """Build the indexes of a base, to write as a packed file."""
    documents = _documents(entries)
    return {
        **order_indexes(entries),
        "documents": documents,
        **_pieces(entries, documents.astype(np.int64)),
    }


def order_indexes(entries: Layer) -> dict[str, Array]:
    """The indexes that depend on the instant of publication; stamping writes them again."""
    columns = entries.columns
    touched = np.maximum(columns["updated"], columns["changed"])
    order = np.argsort(touched, kind="stable")
    return {
        "by_sequence": np.argsort(columns["sequence"], kind="stable").astype("<u4"),
        "by_touched": order.astype("<u4"),
        "touched": touched[order].astype("<i8"),
    }


def _documents(entries: Layer) -> Array:
    """The first row of each document; the last value is the number of rows."""
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
                # A piece of 4 starts where two pieces of 3 start that overlap by two bytes.
                inside &= frequent[: len(code)] & frequent[1 : len(code) + 1]
            # One sort orders by piece, then document: the code is in the high bits.
            keys = (code[inside] << 16) | owner[: len(code)][inside]
            keys.sort()
            keys = keys[_first_of(keys)]
            start = np.flatnonzero(_first_of(keys >> 16))
            distinct, count = keys[start] >> 16, np.diff(start, append=len(keys))
            if length == 3:
                frequent = np.isin(code, distinct[count > _FREQUENT])
            lists, size = _lists((keys & 0xFFFF).astype("<u2"), start, count)
            codes[length].append(distinct.astype("<u4"))
            counts[length].append(count.astype("<u4"))
            ends[length].append((ends[length][-1] if ends[length] else 0) + len(distinct))
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
    """Marks the first of each run of equal values in a sorted array."""
    first = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def _coded(data: npt.NDArray[np.uint8], length: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """The piece at each position as a big-endian number, and whether it lies within one string."""
    count = max(len(data) - length + 1, 0)
    code = np.zeros(count, dtype=np.int64)
    inside = np.ones(count, dtype=np.bool_)
    for offset in range(length):
        part = data[offset : offset + count]
        code = (code << 8) | part
        inside &= part != 0  # the piece would cross the end of a name or description
    return code, inside


def _lists(owners: Array, start: Array, count: Array) -> tuple[Array, Array]:
    """The containers of all pieces, concatenated, and the length of each (in <u2 values)."""
    size = np.where(count > _FREQUENT, _UNITS, count).astype(np.int64)
    lists = np.zeros(int(size.sum()), dtype="<u2")
    at = np.cumsum(size) - size
    rare = count <= _FREQUENT
    taken = np.repeat(rare, count)
    lists[np.repeat(rare, size)] = owners[taken]
    for place in np.flatnonzero(~rare).tolist():
        bits = np.zeros(_SHARD, dtype=np.uint8)
        bits[owners[start[place] : start[place] + count[place]]] = 1
        packed = np.packbits(bits, bitorder="little").view("<u2")
        lists[at[place] : at[place] + _UNITS] = packed
    return lists, size


def _joined(parts: list[Array], kind: str) -> Array:
    return np.concatenate(parts).astype(kind) if parts else np.empty(0, dtype=kind)
