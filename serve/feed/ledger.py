"""The ledger of a feed: every edition that ever went live, in order, even if its files are gone."""

from datetime import datetime
from pathlib import Path

import msgspec

from serve.disk import JsonFile
from serve.edition.manifests import Manifest
from serve.errors import EditionBroken


class Published(msgspec.Struct, frozen=True, rename="camel"):
    """An edition that went live, with its counts of entries; `treatments` are named repairs."""

    edition: str
    sequence: int
    published_at: datetime
    content_hash: str
    policy_hash: str
    entries: int
    servers: int
    tombstones: int
    withheld: int
    changed: int
    treatments: dict[str, int]


class Ledger:
    """Reads and extends the ledger file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = JsonFile(path, Published)

    def read(self) -> dict[str, Published]:
        """All published editions by ID, oldest first. Raises EditionBroken."""
        try:
            return {row.edition: row for row in self._file.read()}
        except (OSError, msgspec.DecodeError) as error:
            raise EditionBroken(
                f"{self._path} cannot be read: {error}; restore it, or move it away: then it "
                "is made again of the editions that are kept"
            ) from error

    def last(self) -> Published | None:
        return next(reversed(self.read().values()), None)

    def add(self, manifest: Manifest) -> None:
        """Append an edition that went live."""
        assert manifest.published_at is not None
        values = {name: getattr(manifest, name) for name in Published.__struct_fields__}
        self._file.write([*self.read().values(), Published(**values)])
