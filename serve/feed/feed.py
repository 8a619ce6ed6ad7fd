"""A feed on disk: its editions, the one that is live, and how another becomes it.

feeds/NAME/current            the ID of the live edition; replaced by rename
feeds/NAME/candidate          the ID of the last complete candidate
feeds/NAME/hold               why no candidate may go live for now; not there: nothing holds it
feeds/NAME/confirmed          as of when the live edition shows what upstream has
feeds/NAME/identity.json      title, base path and so on, as its last good document had them
feeds/NAME/ledger.json        see `serve.feed.ledger`
feeds/NAME/keys.json          see `serve.feed.keys`
feeds/NAME/editions, bases, segments see `serve.edition.edition`
feeds/NAME/verified.json      see `serve.edition.verification`
"""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec

from serve.disk import locked, replace_file
from serve.edition.bases import needs_new_base, write_base
from serve.edition.edition import Edition
from serve.edition.manifests import BaseManifest, Manifest, read_base_manifest, read_manifest
from serve.edition.verification import verify
from serve.errors import EditionBroken, FeedBusy, NoEdition, SwitchRefused
from serve.feed.keys import KeyRing
from serve.feed.ledger import Ledger
from serve.feed.retention import clean_bases
from serve.feed.stamping import stamp
from serve.policy.served_feed import ServedFeed

log = logging.getLogger(__name__)

VISIBLE_WITHIN = timedelta(seconds=5)
"""A publication instant is at most so much before readers see its edition."""


class Feed:
    """The feed NAME below `root`."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.folder = root / name
        self.editions = self.folder / "editions"
        self.segments = self.folder / "segments"
        self.bases = self.folder / "bases"
        self.pointer = self.folder / "current"
        self.ledger = Ledger(self.folder / "ledger.json")
        self.keys = KeyRing(self.folder / "keys.json")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Own the feed while building, switching or tidying it. Raises FeedBusy.

        An edition that went live just before a crash is added to the ledger.
        """
        busy = FeedBusy(
            f"feed {self.name} is being built or switched by another process; try again"
        )
        with locked(self.folder / "lock", busy=busy):
            self._note_live()
            yield

    def identity(self) -> ServedFeed | None:
        """How the feed is served if its document cannot be read; None if it never could."""
        try:
            return msgspec.json.decode(
                (self.folder / "identity.json").read_bytes(), type=ServedFeed
            )
        except (OSError, msgspec.DecodeError):
            return None

    def identify(self, served: ServedFeed) -> None:
        """Remember how the feed is served."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if served != self.identity():
            replace_file(self.folder / "identity.json", msgspec.json.encode(served))

    def confirmed(self) -> datetime | None:
        """As of when the feed shows what upstream has: the pull behind its last build."""
        try:
            return datetime.fromisoformat(_read(self.folder / "confirmed") or "")
        except ValueError:
            return None

    def confirm(self, at: datetime) -> None:
        """Note that the live edition shows what upstream had at an instant."""
        replace_file(self.folder / "confirmed", at.isoformat().encode())

    def current_id(self) -> str | None:
        return _read(self.pointer)

    def candidate_id(self) -> str | None:
        return _read(self.folder / "candidate")

    def open(self, edition: str) -> Edition:
        """An edition for reading. Raises EditionBroken or NoEdition."""
        folder = self.editions / edition
        if not folder.is_dir():
            raise NoEdition(f"feed {self.name} has no edition {edition}")
        return Edition(folder)

    def current(self) -> Edition | None:
        """The live edition; None before the first switch. Raises EditionBroken."""
        found = self.current_id()
        return self.open(found) if found else None

    def checked(self, edition: str) -> Edition:
        """An edition with every file checked, to build another on. Raises as `open` does."""
        found = self.open(edition)
        verify(found.folder)
        return found

    def set_candidate(self, edition: str) -> None:
        """Name the candidate; one before it that never went live is removed."""
        former = self.candidate_id()
        if former not in (None, edition) and former not in self.ledger.read():
            self.drop_candidate(str(former))
        replace_file(self.folder / "candidate", edition.encode())

    def hold(self) -> str | None:
        """Why no candidate may go live for now; None if nothing holds it."""
        return _read(self.folder / "hold")

    def set_hold(self, reason: str | None) -> None:
        """Keep the live edition until this is called with None."""
        if reason:
            replace_file(self.folder / "hold", reason.encode())
        else:
            (self.folder / "hold").unlink(missing_ok=True)

    def drop_candidate(self, edition: str) -> None:
        """Forget a candidate that will not go live."""
        (self.folder / "candidate").unlink(missing_ok=True)
        if edition != self.current_id():
            for folder in (self.editions, self.bases):
                shutil.rmtree(folder / edition, ignore_errors=True)
            (self.segments / edition).unlink(missing_ok=True)

    def switch(self, edition: str, *, now: Callable[[], datetime]) -> Manifest:
        """Make a candidate live: write its instant into its new bodies, then replace the pointer.

        Doing it again changes nothing. Raises SwitchRefused if another edition than the one it was
        built on is live by now or its sequence does not rise, EditionBroken if its files are not
        what was built.
        """
        folder = self.editions / edition
        live = self.current_id()
        if edition == live:
            self._note_live()
            return read_manifest(folder)
        manifest = verify(folder)
        if manifest.previous != live:
            raise SwitchRefused(
                f"edition {edition} of {self.name} was built on {manifest.previous or 'nothing'}, "
                f"but {live or 'nothing'} is live; run subregistry build again"
            )
        self._note_live()
        self._stamp_in_time(manifest, now)
        replace_file(self.pointer, edition.encode())
        self._note_live()
        return read_manifest(folder)

    def _stamp_in_time(self, manifest: Manifest, now: Callable[[], datetime]) -> None:
        """Stamp with an instant that is behind the last one, and not long past at the end."""
        before, begun = self.ledger.last(), now()
        if before and manifest.sequence <= before.sequence:
            raise SwitchRefused(
                f"edition {manifest.edition} has the sequence {manifest.sequence}, the last one "
                f"was {before.sequence}; run subregistry build again"
            )
        at = begun
        if before and at <= before.published_at:
            at = before.published_at + timedelta(microseconds=1)
            log.warning(
                "the clock says %s, before the last edition; feed=%s is published as of %s",
                begun,
                self.name,
                at,
            )
        stamp(self.folder, manifest, at)
        while now() - at > VISIBLE_WITHIN:
            taken, begun = now() - begun, now()
            at = begun + 2 * taken
            stamp(self.folder, manifest, at)

    def _note_live(self) -> None:
        """Have the live edition in the ledger; a lost one is made again of what is kept."""
        live = self.current_id()
        published = self.ledger.read()
        if live is None or live in published:
            return
        try:
            manifest = read_manifest(self.editions / live)
        except EditionBroken as error:
            log.warning("edition not in the ledger feed=%s error=%s", self.name, error)
            return
        for earlier in [] if published else self._published(manifest.sequence):
            self.ledger.add(earlier)
        self.ledger.add(manifest)

    def _published(self, before: int) -> list[Manifest]:
        """Manifests of the kept editions that went live before a sequence, in order."""
        found = []
        for folder in self.editions.iterdir():
            try:
                found.append(read_manifest(folder))
            except EditionBroken:
                continue
        found = [m for m in found if m.published_at is not None and m.sequence < before]
        return sorted(found, key=lambda manifest: manifest.sequence)

    def tidy(self, *, keep: int, since: datetime) -> list[str]:
        """Remove editions, but for the newest `keep` and those that were live after `since`.

        Segments that nobody needs go too. Returns the IDs that went.
        """
        published = list(self.ledger.read().values())
        kept = {found.edition for found in published[-keep:]}
        kept |= {a.edition for a, b in pairwise(published) if b.published_at > since}
        kept |= {name for name in (self.current_id(), self.candidate_id()) if name}
        removed = []
        for folder in sorted(self.editions.iterdir()) if self.editions.is_dir() else []:
            if folder.name not in kept:
                shutil.rmtree(folder)
                removed.append(folder.name)
        try:
            manifests = [
                read_manifest(self.editions / name)
                for name in kept
                if (self.editions / name).is_dir()
            ]
            bases = clean_bases(self.bases, {found.base for found in manifests}, kept)
        except EditionBroken as error:
            log.warning("segments not tidied feed=%s error=%s", self.name, error)
            return removed
        needed = {name for found in manifests for name in found.segments}
        needed |= {name for base in bases for name in base.segments}
        for segment in self.segments.iterdir() if self.segments.is_dir() else []:
            if segment.name not in needed:
                segment.unlink()
        return removed

    def rebase(self, *, now: datetime) -> BaseManifest | None:
        """Make a base of the live edition, for the next one, if it differs too much from the one
        that it has; None if not. To be called by whoever holds the feed. Raises EditionBroken, also
        if a byte of the edition is not what was written: a base would make it good."""
        live = self.current()
        if live is None or not needs_new_base(live):
            return None
        verify(live.folder, whole=True)
        over, sequence = live.manifest.base, live.manifest.sequence
        for folder in self.bases.iterdir():
            with suppress(EditionBroken):
                told = None if folder.suffix else read_base_manifest(folder)
                if told is not None and told.over == over and told.sequence == sequence:
                    return None
        return write_base(live, self.folder, f"{now:%Y%m%dT%H%M%SZ}-base-{sequence}")


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip() or None
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise EditionBroken(f"{path} is damaged; restore or remove it") from error
