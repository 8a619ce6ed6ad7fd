"""Emergency blocks: servers and versions that no feed may show, until somebody lifts them.

They lie beside the feeds (`feeds/blocks.json`), so that servers and builds see them at once,
whatever the pipeline does.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from serve.disk import JsonFile
from serve.errors import BlocksBroken, BlockUnknown


class Block(msgspec.Struct, frozen=True):
    """A server, or one version of it, that is blocked: why, by whom, since when."""

    name: str
    version: str | None
    reason: str
    by: str
    since: datetime

    @property
    def target(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


class BlockList:
    """The file below the feeds' folder."""

    def __init__(self, root: Path) -> None:
        self.path = root / "blocks.json"
        self._file = JsonFile(self.path, Block)

    def read(self) -> Sequence[Block]:
        """All blocks, oldest first. Raises BlocksBroken."""
        try:
            return self._file.read()
        except (OSError, msgspec.DecodeError) as error:
            raise BlocksBroken(
                f"{self.path} cannot be read ({error}), so it is not known what is blocked; "
                "restore it, or move it away and block again"
            ) from error

    def add(self, block: Block) -> None:
        """Block from now on; one of the same target is replaced."""
        with self._file.held():
            kept = [found for found in self.read() if found.target != block.target]
            self._file.write([*kept, block])

    def lift(self, target: str) -> Block:
        """End a block; returns it. Raises BlockUnknown."""
        with self._file.held():
            blocks = self.read()
            lifted = next((found for found in blocks if found.target == target), None)
            if lifted is None:
                raise BlockUnknown(f"{target} is not blocked; see subregistry block --list")
            self._file.write([found for found in blocks if found is not lifted])
        return lifted
