"""Where answers find their edition: the protocol, and a shelf that holds one edition.

Following a live feed is `serve.server.live_editions`.
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
        """An edition by ID. Raises EditionUnknown, EditionGone."""
        ...

    def as_of(self, at: int) -> Edition:
        """The edition that was live at an instant. Raises EditionUnknown, EditionGone."""
        ...

    def following(self, sequence: int) -> Edition:
        """Where a walk goes on that began in the edition of a sequence. Raises EditionGone."""
        ...

    def since(self, at: int) -> int:
        """How far a reader must look back who has seen everything up to an instant.

        Further, if this process showed an edition late: what it changed was not to be seen then.
        """
        ...

    def ledger(self) -> dict[str, Published]:
        """Everything that was ever live, oldest first. Raises EditionBroken."""
        ...

    def kept(self, edition: str) -> bool:
        """Whether an edition can still be read."""
        ...

    def confirmed(self) -> datetime | None:
        """As of when the live edition shows what upstream has; None if nobody knows."""
        ...

    def pages(self, edition: Edition) -> Pages | None:
        """The pages that were made of an edition beforehand, if they are there."""
        ...

    def search(self) -> SearchIndex | None:
        """The index for ranked search, if it was made."""
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
