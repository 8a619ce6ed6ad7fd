"""The keys of a feed: bearer tokens; only their hashes are stored.

feeds/NAME/keys.json   read again when it changes, so that a revoked key is refused at once
"""

import hashlib
import secrets
from datetime import datetime
from pathlib import Path

import msgspec

from serve.disk import JsonFile
from serve.errors import KeysUnreadable, KeyUnknown


class Key(msgspec.Struct, frozen=True):
    """An issued key. `hash` is the SHA-256 of the token; random tokens need no salt."""

    id: str
    label: str
    hash: str
    created_at: datetime


class KeyRing:
    """The keys in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = JsonFile(path, Key)

    def owner(self, token: str) -> str | None:
        """The ID of the key of a token; None if there is none. Raises KeysUnreadable."""
        key = self._read().get(_hash(token))
        return key.id if key else None

    def all(self) -> tuple[Key, ...]:
        """All keys, oldest first."""
        return tuple(self._read().values())

    def add(self, label: str, *, now: datetime) -> str:
        """Create a key; returns its token, which is not stored."""
        name = secrets.token_hex(4)
        token = f"sr_{name}_{secrets.token_urlsafe(32)}"
        with self._file.held():
            self._file.write([*self.all(), Key(name, label, _hash(token), now)])
        return token

    def revoke(self, name: str) -> None:
        """Refuse a key from now on. Raises KeyUnknown."""
        with self._file.held():
            kept = [key for key in self.all() if key.id != name]
            if len(kept) == len(self.all()):
                raise KeyUnknown(f"there is no key {name}; see subregistry keys list")
            self._file.write(kept)

    def _read(self) -> dict[str, Key]:
        try:
            return {key.hash: key for key in self._file.read()}
        except (OSError, msgspec.DecodeError) as error:
            raise KeysUnreadable(
                f"{self._path} cannot be read ({error}), so nobody is let in; restore it, or move "
                "it away and give out new keys"
            ) from error


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
