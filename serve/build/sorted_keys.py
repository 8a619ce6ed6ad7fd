"""A cursor over sorted keys that only moves forward, for a galloping merge join."""

from serve.edition.tables import TableKeys

_NEAR = 8
"""Linear steps before a binary search: most requested keys are close to each other."""


class SortedKeyCursor:
    """Finds keys that are requested in rising order; `next` is the current position."""

    def __init__(self, keys: TableKeys | None) -> None:
        self._keys = keys
        self.next = 0

    def at(self, key: bytes) -> int | None:
        """The number of a key, or None; the key must not be smaller than the previous one."""
        keys = self._keys
        if keys is None:
            return None
        for _ in range(_NEAR):
            if self.next >= len(keys) or keys[self.next] >= key:
                break
            self.next += 1
        else:  # the loop did not break, so the key is far away
            self.next = keys.first(key)
        found = self.next < len(keys) and keys[self.next] == key
        return self.next if found else None
