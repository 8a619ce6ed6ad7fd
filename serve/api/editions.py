"""Where answers find their edition: the protocol, and a store that holds one fixed edition.

`serve.server.live_editions` follows a live feed.
"""

from datetime import datetime
from typing import Protocol

from serve.api.pages import Pages
from serve.edition.edition import Edition
from serve.errors import EditionUnknown
from serve.feed.ledger import Published
from serve.policy.served_feed import ServedFeed
from serve.search.index import SearchIndex


class EditionStore(Protocol):
    """Where answers find their edition."""

    served: ServedFeed

    def live(self) -> Edition:
        """The live edition. Raises NoEdition."""
        ...

    def find(self, edition: str) -> Edition:
        """Find an edition by ID. Raises EditionUnknown, EditionGone."""
        ...

    def as_of(self, at: int) -> Edition:
        """The edition that was live at an instant (microseconds since 1970).

        Raises EditionUnknown, EditionGone.
        """
        ...

    def following(self, sequence: int) -> Edition:
        """The edition in which a walk continues that began at a sequence. Raises EditionGone."""
        ...

    def since(self, at: int) -> int:
        """How far back a reader who has seen everything up to an instant must look.

        Further back if this process showed an edition late: its changes were not visible yet.
        Both instants are microseconds since 1970.
        """
        ...

    def ledger(self) -> dict[str, Published]:
        """Every edition that was ever live, oldest first. Raises EditionBroken."""
        ...

    def kept(self, edition: str) -> bool:
        """Whether an edition can still be read."""
        ...

    def confirmed(self) -> datetime | None:
        """As of when the live edition shows what upstream has; None if that is unknown."""
        ...

    def pages(self, edition: Edition) -> Pages | None:
        """The precompressed pages of an edition, if they exist."""
        ...

    def search(self) -> SearchIndex | None:
        """The index for ranked search, if it exists."""
        ...


class FixedEditions:
    """One edition, live or not."""

    def __init__(self, served: ServedFeed, edition: Edition) -> None:
        self.served = served
        self._edition = edition

    def live(self) -> Edition:
        return self._edition

    def find(self, edition: str) -> Edition:
        if edition != self._edition.manifest.edition:
            raise EditionUnknown(f"there is no edition {edition}")
        return self._edition

    def as_of(self, at: int) -> Edition:
        return self._edition

    def following(self, sequence: int) -> Edition:
        return self._edition

    def since(self, at: int) -> int:
        return at

    def ledger(self) -> dict[str, Published]:
        return {}

    def kept(self, edition: str) -> bool:
        return edition == self._edition.manifest.edition

    def confirmed(self) -> datetime | None:
        return self._edition.manifest.built_at

    def pages(self, edition: Edition) -> Pages | None:
        return None

    def search(self) -> SearchIndex | None:
        return None
