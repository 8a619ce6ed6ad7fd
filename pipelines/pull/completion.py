"""Complete: give entries the official block that their upstream leaves out, wholly or in part.

By the rules of the official service: published when first seen, updated when the content or the
status changes, the greatest version latest. What an upstream states is kept. What is observed by us
is named in a block of its own, so that nobody takes it for the publisher's word.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from connectors.upstreams.contract import (
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
        self.unknown_statuses: Counter[str] = Counter()

    def survey(self, name: str, version: str, claims: Claims) -> None:
        """Note a version that competes for the latest flag of its name."""
        self._versions.setdefault(name, {})[version] = claims

    def survey_pages(self, pages: Iterable[SpooledPage]) -> None:
        for page in pages:
            for raw in page.entries:
                record = read_stated(raw)
                if not isinstance(record, Unreadable):
                    self.survey(record.name, record.version, record.claims)

    def records(self, page: SpooledPage) -> Iterator[Record]:
        """The records of a page, completed."""
        for raw in page.entries:
            record = read_stated(raw)
            yield record if isinstance(record, Unreadable) else self.complete(record)

    def complete(self, stated: Stated) -> Record:
        """The entry with a whole official block. Entries of one content get equal bytes."""
        claims, known = stated.claims, self.known.get((stated.name, stated.version))
        status, message = self._status(claims)
        published = self._published(stated.name, stated.version, claims)
        updated = claims.updated_at
        changed = claims.status_changed_at
        if known is None:
            updated = updated or self._at
            changed = changed or published
        else:
            same_status = (known["status"], known["status_message"]) == (status, message)
            same = known["server_hash"] == content_hash(stated.server) and same_status
            if updated is None:
                # A changed entry needs a later instant, or who follows changes would miss it.
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
        theirs = {key for key, value in msgspec.to_builtins(claims).items() if value is not None}
        ours = [key for key in official if key not in {*theirs, "statusMessage"}]
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
        self.unknown_statuses[word[:50]] += 1
        said = f"Its registry says: {claims.status}"
        return "active", f"{said}. {claims.status_message or ''}".rstrip(". ")[:_LONGEST]

    def _published(self, name: str, version: str, claims: Claims) -> datetime:
        known = self.known.get((name, version))
        return (
            claims.published_at
            or (known["published_at"] if known else None)
            or claims.updated_at
            or self._at
        )

    def _elect(self, name: str) -> str:
        """The latest version of a name: the one that upstream calls so, else the greatest.

        Deleted versions count only if all are.
        """
        versions = self._versions[name]
        flagged = [version for version, claims in versions.items() if claims.is_latest]
        if len(flagged) == 1:
            return flagged[0]
        standing = {
            version: claims
            for version, claims in versions.items()
            if (claims.status or "").lower() != "deleted"
        } or versions
        dated = [
            (version, self._published(name, version, claims))
            for version, claims in standing.items()
        ]
        return dated[choose_latest(dated)][0]


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
