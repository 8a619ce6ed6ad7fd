"""Complete: give entries the official block that their upstream leaves out, wholly or in part.

By the rules of the official service: published when first seen, updated when the content or the
status changes, the greatest version latest. What an upstream states is kept. What is observed by us
is named in a block of its own, so that nobody takes it for the publisher's word.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from connectors.upstreams.contract import (
    KEPT,
    OFFICIAL,
    STATUSES,
    Unreadable,
    compose,
    read_entry,
)
from connectors.upstreams.stated import Claims, Stated, read_stated
from pipelines.pull.readings import Record
from pipelines.pull.spool import SpooledPage
from serve.entry.latest import choose_latest
from warehouse.database.session import Row
from warehouse.walk.staging import content_hash
from warehouse.walk.state import State
from warehouse.walk.types import Key

OBSERVED = "local.subregistry.upstream/observed"
"""The block of `_meta` that names the members of the official block that are not upstream's."""
TICK = timedelta(microseconds=1)
_LONGEST = 500  # characters of a status message, by the OpenAPI document


class Completion:
    """Completes the entries of one upstream at the instant `at`; `known` are its stored entries.

    First `survey` every entry that is or stays there, then `complete` each.
    """

    def __init__(self, known: Mapping[Key, Row], at: datetime) -> None:
        self.known = known
        self._at = at
        self._versions: dict[str, dict[str, Claims]] = {}
        self._elected: dict[str, str] = {}
        self._met: dict[Key, str] = {}
        self._unknown: Counter[str] = Counter()

    @property
    def unknown_statuses(self) -> dict[str, int]:
        """How many entries have a status word that is not known, of the ten most frequent words."""
        return dict(self._unknown.most_common(10))

    def survey(self, name: str, version: str, claims: Claims) -> None:
        """Note a version that competes for the latest flag of its name."""
        self._versions.setdefault(name, {}).setdefault(version, claims)

    def survey_pages(self, pages: Iterable[SpooledPage]) -> None:
        for page in pages:
            for raw in page.entries:
                record = read_stated(raw)
                if not isinstance(record, Unreadable):
                    self.survey(record.name, record.version, record.claims)

    def survey_kept(self, kept: Callable[[Key], bool] = lambda _: True) -> None:
        """Note the known versions that were not met: they stay for now, and compete too."""
        for key, row in self.known.items():
            if not row["vanished_at"] and kept(key):
                self.survey(*key, Claims(status=row["status"]))

    def records(self, page: SpooledPage) -> Iterator[Record]:
        """The records of a page, completed. Of several with one key the first of a walk counts."""
        for raw in page.entries:
            stated = read_stated(raw)
            if isinstance(stated, Unreadable):
                yield stated
                continue
            key, digest = (stated.name, stated.version), content_hash(raw)
            if self._met.setdefault(key, digest) != digest:
                yield Unreadable(raw[:KEPT], "another record of the list has the same key", *key)
                continue
            record = self.complete(stated)
            if isinstance(record, Unreadable):  # its bytes are those of upstream, not ours
                record = Unreadable(raw[:KEPT], record.reason, *key)
            yield record

    def complete(self, stated: Stated) -> Record:
        """The entry with a whole official block; what is stated is kept, unless it cannot be."""
        claims, known = stated.claims, self.known.get((stated.name, stated.version))
        status, message = self._status(claims)
        published = self._published(stated.name, stated.version, claims)
        updated, changed = _real(claims.updated_at), _real(claims.status_changed_at)
        if known is None:
            updated = updated or self._at
            changed = changed or published
        else:
            same_status = (known["status"], known["status_message"]) == (status, message)
            same = known["server_hash"] == content_hash(stated.server) and same_status
            # An instant before the one that we hold would hide the entry from who follows changes.
            if updated is None or updated < known["updated_at"]:
                stays = same and not known["vanished_at"]
                later = max(self._at, known["updated_at"] + TICK)
                updated = known["updated_at"] if stays else later
            if changed is None:
                before = known["status_changed_at"] or known["published_at"]
                changed = before if same_status else updated
        if stated.name not in self._elected:
            self._elected[stated.name] = self._elect(stated.name)
        official = {
            "status": status,
            "statusMessage": message,
            "statusChangedAt": _instant(changed),
            "publishedAt": _instant(published),
            "updatedAt": _instant(updated),
            "isLatest": self._elected[stated.name] == stated.version,
        }
        theirs = {
            "status": claims.status and claims.status.lower(),
            "statusMessage": claims.status_message,
            "statusChangedAt": _stated_instant(claims.status_changed_at),
            "publishedAt": _stated_instant(claims.published_at),
            "updatedAt": _stated_instant(claims.updated_at),
            "isLatest": claims.is_latest,
        }
        ours = [key for key, value in official.items() if value != theirs[key]]
        blocks: dict[str, object] = {
            OFFICIAL: {key: value for key, value in official.items() if value is not None}
        }
        blocks |= {key: block for key, block in stated.blocks.items() if key != OBSERVED}
        if ours:
            blocks[OBSERVED] = {"members": ours}
        return read_entry(compose(stated.server, msgspec.json.encode(blocks)))

    def _status(self, claims: Claims) -> tuple[str, str | None]:
        """Status and message. Words differ in case only; an entry with an unknown one stays."""
        word = (claims.status or "active").lower()
        if word in STATUSES:
            return word, claims.status_message
        self._unknown[word[:50]] += 1
        said = f"Its registry says: {claims.status}"
        return "active", f"{said}. {claims.status_message or ''}".rstrip(". ")[:_LONGEST]

    def _published(self, name: str, version: str, claims: Claims) -> datetime:
        known = self.known.get((name, version))
        return (
            _real(claims.published_at)
            or (known["published_at"] if known else None)
            or _real(claims.updated_at)
            or self._at
        )

    def _elect(self, name: str) -> str:
        """The latest version of a name: one that upstream calls so, the greatest if there are
        several or none. Deleted versions count only if all are."""
        versions = self._versions[name]
        standing = {
            version: claims
            for version, claims in versions.items()
            if (claims.status or "").lower() != "deleted"
        } or versions
        flagged = {version for version, claims in versions.items() if claims.is_latest}
        dated = [
            (version, self._published(name, version, versions[version]))
            # Between equal ones the first wins, so the order must not depend on upstream's.
            for version in sorted(flagged or standing, key=_natural, reverse=True)
        ]
        return dated[choose_latest(dated)][0]


def next_instant(state: State | None, now: datetime) -> datetime:
    """The instant of the next commit; commits rise even if the clock went back."""
    return max(now, state.committed_at + TICK) if state else now


def _natural(version: str) -> list[tuple[int, int, str]]:
    """A sort key that takes digits as numbers."""
    parts = re.findall(r"\d+|\D+", version)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _real(at: datetime | None) -> datetime | None:
    """An instant that means one: the zero of some languages is none."""
    return at.astimezone(UTC) if at is not None and at.year > 1 else None


def _stated_instant(at: datetime | None) -> str | None:
    real = _real(at)
    return _instant(real) if real else None


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
