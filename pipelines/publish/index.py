"""Index: what makes serving fast and needs the whole edition, made apart from build and switch.

It compacts the live edition into a new base if it differs too much from its old one, compresses its
first pages, and updates the index for ranked search. Serving works without all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipelines.progress import Progress, silent
from serve.api.pages import write_pages
from serve.disk import locked
from serve.errors import FeedBusy, NoEdition
from serve.feed.feed import Feed
from serve.search.index import catch_up, read_state
from warehouse.curation.feeds import downloads_by_server
from warehouse.database.warehouse import Warehouse


@dataclass(frozen=True)
class IndexReport:
    """`base` is the new base, if one was made; `pages` is the size of the pages in bytes; `search`
    says whether the search index was updated or rebuilt, with how many `servers`."""

    feed: str
    edition: str
    base: str | None
    pages: int
    search: str
    servers: int


def is_due(feed: Feed) -> bool:
    """Whether pages or search index of the live edition are missing or outdated."""
    live, state = feed.current_id(), read_state(feed.folder / "search")
    if live is None:
        return False
    made = (feed.editions / live / "pages").exists()
    return not made or state is None or state.edition != live


def index(
    warehouse: Warehouse,
    feed: Feed,
    *,
    now: Callable[[], datetime],
    progress: Progress = silent,
) -> IndexReport:
    """Make or update what belongs to the live edition. Raises NoEdition, FeedBusy."""
    busy = FeedBusy(f"feed {feed.name} is being indexed by another process; try again")
    with locked(feed.folder / "index.lock", busy=busy):
        # Only the base needs the feed's own lock: pages and search never delay a switch.
        with feed.held():
            base = feed.rebase(now=now())
        edition = feed.current()
        if edition is None:
            raise NoEdition(f"feed {feed.name} has no edition; run subregistry run first")
        pages = edition.folder / "pages"
        if not pages.exists():
            write_pages(edition)
        size = pages.stat().st_size
        for other in feed.editions.glob("*/pages*"):
            if other.parent != edition.folder:
                other.unlink(missing_ok=True)
        with warehouse.session() as session:
            downloads = downloads_by_server(session)
        done, servers = catch_up(
            feed.folder / "search",
            edition,
            downloads,
            now=now(),
            report=lambda n: progress(f"{feed.name}: servers indexed for search", n, None),
        )
    return IndexReport(feed.name, edition.tag, base.base if base else None, size, done, servers)
