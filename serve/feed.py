"""A feed on disk: its editions, the one that is live, and how another becomes it.

feeds/NAME/current            the ID of the live edition; replaced by rename
feeds/NAME/candidate          the ID of the last complete candidate
feeds/NAME/editions, segments see `serve.edition`
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from serve.edition import UNPUBLISHED, Edition, Manifest, file_hash, read_manifest, verify
from serve.errors import EditionBroken, FeedBusy, NoEdition, SwitchRefused
from serve.render import fixed_instant, publish_position


class Feed:
    """The feed NAME below `root`."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.folder = root / name
        self.editions = self.folder / "editions"
        self.segments = self.folder / "segments"
        self.pointer = self.folder / "current"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Own the feed while building, switching or tidying it. Raises FeedBusy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+b") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise FeedBusy(
                    f"feed {self.name} is being built or switched by another process; try again"
                ) from error
            yield

    def current_id(self) -> str | None:
        return _read(self.pointer)

    def candidate_id(self) -> str | None:
        return _read(self.folder / "candidate")

    def open(self, edition: str) -> Edition:
        """An edition for reading. Raises EditionBroken or NoEdition."""
        folder = self.editions / edition
        if not folder.is_dir():
            raise NoEdition(f"feed {self.name} has no edition {edition}")
        return Edition(folder, self.segments)

    def current(self) -> Edition | None:
        """The live edition; None before the first switch."""
        found = self.current_id()
        return self.open(found) if found else None

    def set_candidate(self, edition: str) -> None:
        _replace(self.folder / "candidate", edition)

    def drop_candidate(self, edition: str) -> None:
        """Forget a candidate that will not go live."""
        (self.folder / "candidate").unlink(missing_ok=True)
        if edition != self.current_id():
            shutil.rmtree(self.editions / edition, ignore_errors=True)
            (self.segments / edition).unlink(missing_ok=True)

    def switch(self, edition: str, *, now: datetime) -> Manifest:
        """Make a candidate live: write its instant into its new bodies, then replace the pointer.

        Doing it again changes nothing. Raises SwitchRefused if another edition than the one it was
        built on is live by now, EditionBroken if its files are not what was built.
        """
        folder = self.editions / edition
        if edition == self.current_id():
            return read_manifest(folder)
        manifest = read_manifest(folder)
        live = self.current_id()
        if manifest.previous != live:
            raise SwitchRefused(
                f"edition {edition} of {self.name} was built on {manifest.previous or 'nothing'}, "
                f"but {live or 'nothing'} is live; run subregistry build again"
            )
        before = read_manifest(self.editions / live) if live else None
        if before and before.published_at and now <= before.published_at:
            raise SwitchRefused(
                f"the clock says {now}, before the live edition's {before.published_at}; "
                "set the clock right, then switch again"
            )
        files = dict(manifest.files)
        if edition in manifest.segments:
            self._stamp(folder, edition, now)
            segment = self.segments / edition
            files[f"segments/{edition}"] = (segment.stat().st_size, file_hash(segment))
        manifest = msgspec.structs.replace(manifest, published_at=now, files=files)
        _replace(folder / "manifest.json", msgspec.json.encode(manifest).decode())
        verify(folder, self.segments)
        _replace(self.pointer, edition)
        return manifest

    def tidy(self, *, keep: int) -> list[str]:
        """Remove all but the newest `keep` published editions, and segments nobody needs."""
        current, candidate = self.current_id(), self.candidate_id()
        published: list[Manifest] = []
        for folder in sorted(self.editions.iterdir()) if self.editions.is_dir() else []:
            if folder.name.endswith(".part"):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            try:
                manifest = read_manifest(folder)
            except EditionBroken:
                continue
            if manifest.published_at is not None:
                published.append(manifest)
            elif folder.name != candidate:
                shutil.rmtree(folder, ignore_errors=True)
        published.sort(key=lambda found: found.sequence)
        removed = [m.edition for m in published[:-keep] if m.edition != current]
        for edition in removed:
            shutil.rmtree(self.editions / edition)
        kept = [m for m in published if m.edition not in removed]
        if candidate and (self.editions / candidate).is_dir():
            kept.append(read_manifest(self.editions / candidate))
        needed = {name for found in kept for name in found.segments}
        for segment in self.segments.iterdir() if self.segments.is_dir() else []:
            if segment.name not in needed:
                segment.unlink()
        return removed

    def _stamp(self, folder: Path, edition: str, now: datetime) -> None:
        """Write the publication instant into every body that this edition brings in."""
        found = Edition(folder, self.segments)
        arrays = found.arrays
        new = np.flatnonzero(arrays["changed"] == UNPUBLISHED)
        stamp = fixed_instant(now)
        with (self.segments / edition).open("r+b") as file:
            for index in new:
                end = int(arrays["offset"][index]) + int(arrays["length"][index])
                file.seek(publish_position(end))
                file.write(stamp)
            file.flush()
            os.fsync(file.fileno())


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip() or None
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
