"""An edition while it is being written: its identity, and the edition it starts from."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from serve.edition.edition import Edition
from serve.edition.manifests import Basis
from warehouse.rules.outline import Outline

NO_OUTLINE = Outline()


@dataclass(frozen=True)
class Draft:
    """An edition of a feed, to be written below `root`, the feed's folder.

    `previous` is the live edition; its bodies and sequences are reused. A build from scratch has
    none; then `follows` names the live edition. The sequence must be greater than `after`.
    `outline` describes the rules. `basis` identifies the inputs that determine the bytes. Only the
    servers in `names` may differ from the previous edition; None: all servers may.
    """

    feed: str
    edition: str
    namespace: str
    policy_hash: str
    previous: Edition | None
    root: Path
    now: datetime
    follows: str | None = None
    after: int = 0
    outline: Outline = NO_OUTLINE
    basis: Basis | None = None
    names: Collection[bytes] | None = None

    @property
    def sequence(self) -> int:
        """Seconds since 1970, but always rising, so that a restored feed does not go backwards."""
        last = max(self.previous.manifest.sequence if self.previous else 0, self.after)
        return max(last + 1, int(self.now.timestamp()))

    @property
    def replaces(self) -> str | None:
        """The edition that must be live when this one goes live."""
        return self.previous.manifest.edition if self.previous else self.follows


def draft_like(shown: Edition, *, live: Edition, edition: str, root: Path, now: datetime) -> Draft:
    """A draft that repeats the policy of the edition `shown` and goes live after `live`."""
    return Draft(
        feed=shown.manifest.feed,
        edition=edition,
        namespace=shown.manifest.namespace,
        policy_hash=shown.manifest.policy_hash,
        previous=live,
        root=root,
        now=now,
        outline=shown.records.outline,
    )
