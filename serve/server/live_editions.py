"""The editions of a feed that a server process reads: the live one, and older ones still kept."""

import logging
import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from serve.api.pages import Pages
from serve.edition.edition import Edition
from serve.edition.manifests import Manifest
from serve.edition.masks import apply_blocks
from serve.edition.selection import from_micros, micros
from serve.edition.verification import verify
from serve.errors import EditionBroken, EditionGone, EditionUnknown, NoEdition, ServeError
from serve.feed.feed import VISIBLE_WITHIN, Feed
from serve.feed.ledger import Published
from serve.policy.blocks import Block, BlockList
from serve.policy.served_feed import ServedFeed
from serve.search.index import SearchIndex, read_state

log = logging.getLogger(__name__)

LOOK_EVERY = 0.2
_TRY_AGAIN = 30.0
"""Seconds after which a refused edition is tried again."""
_OPEN = 8
"""How many kept editions stay open; the least recently used one is closed first."""


class LiveEditions:
    """Follows the pointer of a feed, and opens the editions that are kept."""

    def __init__(
        self,
        root: Path,
        served: ServedFeed,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.served = served
        self._feed = Feed(root, served.name)
        self._now = now
        # Editions that came late here: (published, until when the one before was shown), in micros.
        self._late: list[tuple[int, int]] = []
        self._edition: Edition | None = None
        self._opened: OrderedDict[str, Edition] = OrderedDict()
        self._looked = 0.0
        self._last_look = 0
        self._refused: dict[str, float] = {}
        self._block_list = BlockList(root)
        self._blocks: Sequence[Block] = ()
        self._masks: dict[str, Edition] = {}
        self._shown: Edition | None = None
        self._pages: tuple[Edition, Pages | None] | None = None
        self._search: SearchIndex | None = None
        self._trouble: ServeError | None = None
        self._watched = False
        self._lock = threading.RLock()

    def live(self) -> Edition:
        """The live edition without what is blocked; the last good one if a new one does not open.

        Raises NoEdition, and BlocksBroken while the list of blocks cannot be read.
        """
        if not self._watched:
            self._look()
        if self._trouble is not None:
            raise self._trouble
        if self._shown is None:
            raise NoEdition(f"feed {self.served.name} has no edition that can be read")
        return self._shown

    def watch(self) -> None:
        """Look now; from now on the caller must call `look` every LOOK_EVERY seconds. Then no
        request waits for an edition to be opened."""
        self._look()
        self._watched = True

    def look(self) -> bool:
        """Check for another live edition, other blocks and new pages; returns whether something
        else is served now."""
        before, self._looked = self._shown, 0.0
        self._look()
        if self._edition is not None:
            self._take_pages(self._edition)
        return self._shown is not before

    def pages(self, edition: Edition) -> Pages | None:
        made = self._pages
        return made[1] if made is not None and made[0] is edition else None

    def _masked(self, edition: Edition) -> Edition:
        """An edition without its blocked entries."""
        name = edition.manifest.edition
        if not self._blocks:
            return edition
        if name not in self._masks:
            self._masks[name] = apply_blocks(edition, self._blocks)
        return self._masks[name]

    def _look(self) -> None:
        now = time.monotonic()
        if self._shown is not None and now - self._looked < LOOK_EVERY:
            return
        try:
            blocks = self._block_list.read()
        except ServeError as error:
            self._trouble = error
            return
        self._trouble, self._looked = None, now
        newer = None
        try:
            newer = self._newer(now)
        except (ServeError, OSError) as error:
            log.error(  # noqa: TRY400 - the message says it all
                "feed cannot be followed feed=%s error=%s", self.served.name, error
            )
        with self._lock:  # not earlier: nobody must wait while an edition is opened
            if blocks != self._blocks:
                self._blocks = list(blocks)
                self._masks.clear()
            if newer is not None:
                self._replace(newer)
            self._last_look = micros(self._now())
            self._shown = self._masked(self._edition) if self._edition is not None else None

    def _newer(self, now: float) -> Edition | None:
        """The edition to serve instead of the present one, if there is one."""
        current = self._feed.current_id()
        if current is None or (self._edition and self._edition.manifest.edition == current):
            return None
        for name in self._choices(current):
            if now < self._refused.get(name, 0.0) or not (name == current or self.kept(name)):
                continue
            try:
                return self._open(name)
            except (ServeError, OSError) as error:
                self._refused[name] = now + _TRY_AGAIN
                log.error(  # noqa: TRY400 - the message says it all
                    "edition refused feed=%s edition=%s error=%s", self.served.name, name, error
                )
        return None

    def _take_pages(self, edition: Edition) -> None:
        """Use the stored pages of an edition, once they exist and are intact."""
        path = edition.folder / "pages"
        if (self._pages is None or self._pages[0] is not edition) and path.exists():
            self._pages = edition, None  # so that a damaged file is tried only once
            try:
                self._pages = edition, Pages(path)
            except EditionBroken as error:
                log.error("pages not used edition=%s error=%s", edition.tag, error)  # noqa: TRY400

    def _replace(self, edition: Edition) -> None:
        """Serve another edition from now on, and close editions that were removed."""
        if self._edition is not None:
            at = _instant(edition.manifest)
            until = self._last_look + int(LOOK_EVERY * 1_000_000)  # it showed the one before
            if from_micros(until) - from_micros(at) > VISIBLE_WITHIN:
                self._late.append((at, until))
        self._edition = edition
        self._masks.clear()
        for name in [name for name in self._opened if not self.kept(name)]:
            del self._opened[name]
        log.info("edition opened feed=%s edition=%s", self.served.name, edition.manifest.edition)

    def _choices(self, current: str) -> Iterator[str]:
        """The current edition, then older ones to fall back on if nothing is open yet."""
        yield current
        if self._edition is None:
            yield from reversed(self.ledger())

    def _open(self, name: str) -> Edition:
        """Open an edition and verify its files, except shared files that were verified before."""
        known = [self._edition, *self._opened.values()]
        trusted = {
            file
            for edition in known
            if edition is not None
            for file in edition.manifest.files
            if not file.startswith("editions/")
        }
        manifest = verify(self._feed.editions / name, trusted=trusted)
        if manifest.published_at is None:
            raise EditionBroken(f"edition {name} has no instant; run subregistry switch")
        return self._feed.open(name)

    def find(self, edition: str) -> Edition:
        live = self.live()
        if edition == live.manifest.edition:
            return live
        if edition not in self.ledger():
            raise EditionUnknown(f"there is no edition {edition}; see /editions")
        with self._lock:
            if edition in self._opened and self.kept(edition):
                self._opened.move_to_end(edition)
                return self._masked(self._opened[edition])
            if not self.kept(edition):
                raise EditionGone(
                    f"edition {edition} is no longer kept; see /editions for those that are"
                )
            opened = self._opened[edition] = self._open(edition)
            if len(self._opened) > _OPEN:
                self._masks.pop(self._opened.popitem(last=False)[0], None)
            return self._masked(opened)

    def as_of(self, at: int) -> Edition:
        live = self.live()
        if at >= _instant(live.manifest):
            return live
        published = list(self.ledger().values())
        index = bisect_right([micros(row.published_at) for row in published], at)
        if not index:
            raise EditionUnknown(f"nothing was published by {from_micros(at).isoformat()}")
        return self.find(published[index - 1].edition)

    def following(self, sequence: int) -> Edition:
        """The edition after the one in which the walk began; a walk moves to another only once.

        If a walk went through three editions, a reader who takes the largest instant it met as its
        watermark would miss what the edition in the middle changed.
        """
        live = self.live()
        if live.manifest.sequence <= sequence:
            return live
        try:
            later = [row for row in self.ledger().values() if row.sequence > sequence]
        except EditionBroken:
            return live
        if len(later) <= 1:
            return live
        try:
            return self.find(later[0].edition)
        except EditionGone as error:
            raise EditionGone(
                "the walk took longer than editions are kept; start the list again without a cursor"
            ) from error

    def since(self, at: int) -> int:
        # `updated_since` excludes its own instant, so go one microsecond further back.
        late = [published for published, seen in self._late if published <= at <= seen]
        return min([at, *(published - 1 for published in late)])

    def ledger(self) -> dict[str, Published]:
        return self._feed.ledger.read()

    def confirmed(self) -> datetime | None:
        return self._feed.confirmed()

    def search(self) -> SearchIndex | None:
        folder = self._feed.folder / "search"
        state = read_state(folder)
        if state is None:
            return None
        if self._search is None or self._search.state != state:
            try:
                self._search = SearchIndex(folder, state)
            except ValueError as error:
                log.error(  # noqa: TRY400 - the message says it all
                    "search index not read feed=%s error=%s", self.served.name, error
                )
        return self._search

    def kept(self, edition: str) -> bool:
        return (self._feed.editions / edition / "manifest.json").exists()


def _instant(manifest: Manifest) -> int:
    assert manifest.published_at is not None
    return micros(manifest.published_at)
