"""A cursor over sorted keys that only moves forward (a galloping merge join)."""

from serve.edition.tables import TableKeys

_NEAR = 8
"""Steps before a binary search: most keys that are asked for lie close together."""


class SortedKeyCursor:
    """Finds rising keys among sorted ones by going along with them; `next` is where it stands."""

    def __init__(self, keys: TableKeys | None) -> None:
        self._keys = keys
        self.next = 0

    def at(self, key: bytes) -> int | None:
        """The number of a key, not smaller than the one asked for before."""
        keys = self._keys
        if keys is None:
            return None
        for _ in range(_NEAR):
            if self.next >= len(keys) or keys[self.next] >= key:
                break
            self.next += 1
        else:
            self.next = keys.first(key)
        found = self.next < len(keys) and keys[self.next] == key
        return self.next if found else None
