"""What an edition is while it is written: its identity, and the edition it starts from."""

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
    """An edition of a feed that is to be written below `root`, the feed's folder.

    `previous` is the live edition, whose bodies and sequences it takes over; where it is built
    without, `follows` names the live edition. `after` is a sequence that must be passed. `outline`
    describes the rules. `basis` says what decides about its bytes. With `names` only these
    servers may differ from the previous edition; None: all.
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
        """Seconds since 1970, but always rising: a feed that is restored does not fall back."""
        last = max(self.previous.manifest.sequence if self.previous else 0, self.after)
        return max(last + 1, int(self.now.timestamp()))

    @property
    def replaces(self) -> str | None:
        """The edition that must be live when this one goes live."""
        return self.previous.manifest.edition if self.previous else self.follows


def draft_like(shown: Edition, *, live: Edition, edition: str, root: Path, now: datetime) -> Draft:
    """A draft under the policy of an edition that is shown again, to go live after `live`."""
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
