"""Hashes and counts that are updated incrementally: only entries that change are read.

`Digest` is an additive multiset hash (AdHash): a sum of hashes, so the order does not matter and
an entry can be removed again.
"""

import hashlib
from collections import Counter


class Digest:
    """The sum modulo 2^256 of the SHA-256 of entries; entries can be added and removed."""

    def __init__(self, value: str) -> None:
        self._value = int(value, 16)

    def add(self, key: bytes, value: bytes) -> None:
        self._value = (self._value + _number(key, value)) % (1 << 256)

    def remove(self, key: bytes, value: bytes) -> None:
        self._value = (self._value - _number(key, value)) % (1 << 256)

    def __str__(self) -> str:
        return f"{self._value:064x}"


def _number(key: bytes, value: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"%b\n%b" % (key, value)).digest(), "big")


def positive(counts: Counter[str]) -> dict[str, int]:
    return {key: count for key, count in sorted(counts.items()) if count > 0}
