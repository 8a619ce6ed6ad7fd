"""Emergency blocks: servers and versions that no feed may show until somebody lifts the block.

They are stored beside the feeds (`feeds/blocks.json`), so that servers and builds see them at once,
independent of the pipeline.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from serve.disk import JsonFile, replace_roomy
from serve.errors import BlocksBroken, BlockUnknown


class Block(msgspec.Struct, frozen=True):
    """A block on a server or on one version of it: the reason, who made it, since when."""

    name: str
    version: str | None
    reason: str
    by: str
    since: datetime

    @property
    def target(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


class BlockList:
    """The file of blocks in the folder of the feeds."""

    def __init__(self, root: Path) -> None:
        self.path = root / "blocks.json"
        self._file = JsonFile(self.path, Block)

    def read(self) -> Sequence[Block]:
        """All blocks, oldest first. Raises BlocksBroken, also if the file is gone."""
        try:
            blocks = self._file.read()
        except (OSError, msgspec.DecodeError) as error:
            raise BlocksBroken(
                f"{self.path} cannot be read ({error}), so it is not known what is blocked; "
                "restore it, or write [] into it and block again"
            ) from error
        # The lock file tells that blocks were made once.
        if not blocks and not self.path.exists() and self.path.with_suffix(".lock").exists():
            raise BlocksBroken(
                f"{self.path} is gone, so it is not known what is blocked; restore it, or write [] "
                "into it and block again"
            )
        return blocks

    def prepare(self) -> None:
        """Make the file while there is room for it, so that a block works on a full disk too."""
        # The lock file tells that there was a list; then one that is gone is not made anew.
        if self.path.exists() or self.path.with_suffix(".lock").exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        empty = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        replace_roomy(empty, b"[]")
        with suppress(FileExistsError):  # made by another process meanwhile
            self.path.hardlink_to(empty)
        empty.unlink()

    def add(self, block: Block) -> None:
        """Add a block; it replaces one with the same target. Raises BlocksBroken."""
        self.prepare()
        with self._file.held():
            kept = [other for other in self.read() if other.target != block.target]
            self._file.write([*kept, block])

    def lift(self, target: str) -> Block:
        """Remove a block and return it. Raises BlockUnknown."""
        with self._file.held():
            blocks = self.read()
            lifted = next((block for block in blocks if block.target == target), None)
            if lifted is None:
                raise BlockUnknown(f"{target} is not blocked; see subregistry block --list")
            self._file.write([block for block in blocks if block is not lifted])
        return lifted
