"""A feed on disk: its editions, which one is live, and the switch to another one.

feeds/NAME/current            the ID of the live edition; replaced by rename
feeds/NAME/candidate          the ID of the last complete candidate
feeds/NAME/hold               why no candidate may go live for now; absent: no hold
feeds/NAME/confirmed          the instant as of which the live edition shows upstream
feeds/NAME/identity.json      title, base path and so on, from its last valid document
feeds/NAME/ledger.json        see `serve.feed.ledger`
feeds/NAME/keys.json          see `serve.feed.keys`
feeds/NAME/editions, bases, segments: see `serve.edition.edition`
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
from serve.feed.retention import Retention, clean_bases
from serve.feed.stamping import stamp
from serve.policy.served_feed import ServedFeed

log = logging.getLogger(__name__)

VISIBLE_WITHIN = timedelta(seconds=5)
"""The longest time from the publication instant until readers see the edition."""


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
        """Lock the feed while building, switching or tidying it. Raises FeedBusy.

        If an edition went live just before a crash, it is added to the ledger now.
        """
        busy = FeedBusy(
            f"feed {self.name} is being built or switched by another process; try again"
        )
        with locked(self.folder / "lock", busy=busy):
            self._note_live()
            yield

    def identity(self) -> ServedFeed | None:
        """How to serve the feed if its document cannot be read; None if nothing valid is stored."""
        try:
            return msgspec.json.decode(
                (self.folder / "identity.json").read_bytes(), type=ServedFeed
            )
        except (OSError, msgspec.DecodeError):
            return None

    def identify(self, served: ServedFeed) -> None:
        """Store how the feed is served."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if served != self.identity():
            replace_file(self.folder / "identity.json", msgspec.json.encode(served))

    def confirmed(self) -> datetime | None:
        """As of when the feed shows upstream: the instant of the pull of its last build."""
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
        """Open an edition for reading. Raises EditionBroken or NoEdition."""
        folder = self.editions / edition
        if not folder.is_dir():
            raise NoEdition(f"feed {self.name} has no edition {edition}")
        return Edition(folder)

    def current(self) -> Edition | None:
        """The live edition; None before the first switch. Raises EditionBroken."""
        edition = self.current_id()
        return self.open(edition) if edition else None

    def checked(self, edition: str) -> Edition:
        """Open an edition after verifying its files, to build on it. Raises as `open` does."""
        opened = self.open(edition)
        verify(opened.folder)
        return opened

    def set_candidate(self, edition: str) -> None:
        """Set the candidate; remove the previous candidate if it never went live."""
        former = self.candidate_id()
        if former not in (None, edition) and former not in self.ledger.read():
            self.drop_candidate(str(former))
        replace_file(self.folder / "candidate", edition.encode())

    def hold(self) -> str | None:
        """Why no candidate may go live for now; None if there is no hold."""
        return _read(self.folder / "hold")

    def set_hold(self, reason: str | None) -> None:
        """Keep the live edition live until this is called with None."""
        if reason:
            replace_file(self.folder / "hold", reason.encode())
        else:
            (self.folder / "hold").unlink(missing_ok=True)

    def drop_candidate(self, edition: str) -> None:
        """Delete a candidate that will not go live."""
        (self.folder / "candidate").unlink(missing_ok=True)
        if edition != self.current_id():
            for folder in (self.editions, self.bases):
                shutil.rmtree(folder / edition, ignore_errors=True)
            (self.segments / edition).unlink(missing_ok=True)

    def switch(self, edition: str, *, now: Callable[[], datetime]) -> Manifest:
        """Make a candidate live: stamp the instant into its new bodies, then replace the pointer.

        The call is idempotent. Raises SwitchRefused if the live edition is no longer the one it was
        built on, or if its sequence does not rise; EditionBroken if its files are not those that
        were built.
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
        # This rename is the switch; after a crash here, `held` adds the edition to the ledger.
        replace_file(self.pointer, edition.encode())
        self._note_live()
        return read_manifest(folder)

    def _stamp_in_time(self, manifest: Manifest, now: Callable[[], datetime]) -> None:
        """Stamp with an instant that is after the last one and recent when stamping ends."""
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
        # Stamping took too long: aim at an instant after its probable end, twice the time taken.
        while now() - at > VISIBLE_WITHIN:
            taken, begun = now() - begun, now()
            at = begun + 2 * taken
            stamp(self.folder, manifest, at)

    def _note_live(self) -> None:
        """Add the live edition to the ledger; rebuild a lost ledger from the kept editions."""
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
        """Manifests of the kept editions that went live before a sequence, in order of sequence."""
        manifests = []
        for folder in self.editions.iterdir():
            try:
                manifests.append(read_manifest(folder))
            except EditionBroken:
                continue
        manifests = [
            manifest
            for manifest in manifests
            if manifest.published_at is not None and manifest.sequence < before
        ]
        return sorted(manifests, key=lambda manifest: manifest.sequence)

    def tidy(self, retention: Retention, *, now: datetime) -> list[str]:
        """Remove editions, except those that are to be kept.

        Bases and segments that are no longer needed are removed too. Returns the removed IDs.
        """
        published = list(self.ledger.read().values())
        kept = {row.edition for row in published[-retention.editions :]}
        # An edition was live until its successor was published.
        kept |= {
            edition.edition
            for edition, successor in pairwise(published)
            if successor.published_at > now - retention.period
        }
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
            bases = clean_bases(self.bases, {manifest.base for manifest in manifests}, kept)
        except EditionBroken as error:
            log.warning("segments not tidied feed=%s error=%s", self.name, error)
            return removed
        needed = {name for manifest in manifests for name in manifest.segments}
        needed |= {name for base in bases for name in base.segments}
        for segment in self.segments.iterdir() if self.segments.is_dir() else []:
            if segment.name not in needed:
                segment.unlink()
        return removed

    def rebase(self, *, now: datetime) -> BaseManifest | None:
        """Write a base from the live edition, for the next one, if it differs too much from its
        present base; otherwise return None. The caller must hold the feed. Raises EditionBroken,
        also if any byte of the edition is damaged: hashes of a new base would hide the damage."""
        live = self.current()
        if live is None or not needs_new_base(live):
            return None
        verify(live.folder, whole=True)
        over, sequence = live.manifest.base, live.manifest.sequence
        for folder in self.bases.iterdir():
            with suppress(EditionBroken):
                manifest = None if folder.suffix else read_base_manifest(folder)
                if manifest is not None and manifest.over == over and manifest.sequence == sequence:
                    return None
        return write_base(live, self.folder, f"{now:%Y%m%dT%H%M%SZ}-base-{sequence}")


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip() or None
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise EditionBroken(f"{path} is damaged; restore or remove it") from error
