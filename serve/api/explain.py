"""Why an entry is in an edition or not: every rule in order, what it read, what would admit it.

This reads the edition's own records. `pipelines.report.explain` shows the same, and beside it what
the last curation says in the warehouse.
"""

from collections.abc import Sequence

import msgspec

from serve.api import models
from serve.api.answers import Answer, document, problem
from serve.api.cursor import seal, unseal
from serve.api.editions import EditionStore
from serve.api.params import read_limit
from serve.edition.edition import Edition
from serve.entry.meta import EnrichmentBlock, PackageFacts
from serve.entry.reasons import FORGOTTEN, sentence
from serve.policy.trace import Trace, trace

PAGE = 10
"""Versions on one page: the nearest changes of each are searched for, which takes its time."""
Query = dict[str, bytes]


class _Place(msgspec.Struct, array_like=True):
    """How many versions came before, and the edition, whose order they are in."""

    start: int
    edition: str


def explain(
    names: Sequence[bytes],
    versions: Sequence[bytes],
    query: Query,
    edition: Edition,
    store: EditionStore,
) -> Answer:
    """Explain one version of a server, or all of them, by pages; 404 if the edition knows none.

    All pages of a list are of the edition of the first. A feed may tell less: see `ServedFeed`.
    """
    level = store.served.explain
    if level == "none":
        return problem(404, "This feed gives no reasons.")
    limit, start = read_limit(query), 0
    if query.get("cursor"):
        place = unseal(query["cursor"], _Place)
        start, edition = place.start, store.find(place.edition)
    limit = min(limit, PAGE)
    answer = explanation(
        names,
        versions,
        edition,
        start=start,
        limit=limit,
        live=store.live(),
        traced=level == "full",
    )
    if answer is None:
        return problem(
            404, "Never seen upstream: check the spelling, or ask again after the next pull"
        )
    return document(answer, edition)


def explanation(
    names: Sequence[bytes],
    versions: Sequence[bytes],
    edition: Edition,
    *,
    start: int = 0,
    limit: int | None = None,
    live: Edition | None = None,
    traced: bool = True,
) -> models.ServerExplanation | None:
    """One version of a server, or all of them, the latest publication first; at most `limit` of
    them from `start` on.

    `names` are spellings of one name, `versions` spellings of one version (none: all versions).
    None if upstream never showed such an entry, as far as the edition knows; of what an earlier
    edition did not show, only what the `live` one knows too. Unless `traced`, without the results
    of rules and the values that they read.
    """
    records = edition.records
    for name in names:
        indexes = [
            index
            for index in records.keys.of(name)
            if (not versions or records.keys[index].partition(b"\0")[2] in versions)
            and not _is_forgotten(edition, records.keys[index], live)
        ]
        if indexes:
            indexes.sort(key=lambda index: -_published(edition, index))
            end = len(indexes) if limit is None else start + limit
            shown = [_explain(edition, index, traced=traced) for index in indexes[start:end]]
            metadata = models.PageMetadata(len(shown))
            if end < len(indexes):
                metadata.next_cursor = seal(_Place(end, edition.manifest.edition))
            return models.ServerExplanation(
                records.keys.pair(indexes[0])[0],
                edition.manifest.edition,
                edition.manifest.published_at,
                shown,
                metadata,
            )
    return None


def _is_forgotten(edition: Edition, key: bytes, live: Edition | None) -> bool:
    """Whether an entry that the edition does not show is forgotten, by it or by the live one."""
    parts = key.split(b"\0", 1)
    if edition.keys.find(*parts) is not None:
        return False
    for records in (edition.records, (live or edition).records):
        index = records.keys.find(*parts)
        if index is None or records.judged(index).reason == FORGOTTEN:
            return True
    return False


def _published(edition: Edition, index: int) -> int:
    """When the entry of a record was published, in microseconds; 0: it is not served."""
    shown = edition.keys.find(*edition.records.keys[index].split(b"\0", 1))
    return int(edition.arrays["published"][shown]) if shown is not None else 0


def _explain(edition: Edition, index: int, *, traced: bool) -> models.Explanation:
    """Explain one record."""
    records = edition.records
    name, version = records.keys.pair(index)
    # `index` numbers the records, which cover all known entries; `shown` numbers served entries.
    shown = edition.keys.find(name.encode(), version.encode())
    packages: tuple[PackageFacts, ...] = ()
    if shown is not None and not edition.deleted(shown):
        blocks = msgspec.json.decode(edition.body(shown), type=_Body).meta
        block = blocks.get(f"{edition.manifest.namespace}/enrichment")
        if block is not None:
            packages = msgspec.json.decode(block, type=EnrichmentBlock).packages
    judged, seen = records.judged(index), records.seen(index)
    results = trace(records.outline, judged, seen) if traced else Trace()
    return models.Explanation(
        summary=sentence(version, judged.reason),
        **msgspec.structs.asdict(judged.reason),
        **msgspec.structs.asdict(results),
        version=version,
        packages=packages,
    )


class _Body(msgspec.Struct):
    meta: dict[str, msgspec.Raw] = msgspec.field(name="_meta")
