"""Why an entry is in an edition or not: every rule in order, what it read, what would admit it.

This reads the edition's own records. `pipelines.report.explain` shows the same, and beside it what
the last curation says in the warehouse.
"""

from collections.abc import Sequence

import msgspec

from serve.api import models
from serve.api.answers import Answer, document, problem
from serve.edition.edition import Edition
from serve.entry.meta import EnrichmentBlock, PackageFacts
from serve.entry.reasons import sentence
from serve.policy.trace import trace


def explain(names: Sequence[bytes], versions: Sequence[bytes], edition: Edition) -> Answer:
    """Explain one version of a server, or all of them; 404 if the edition knows none of them."""
    answer = explanation(names, versions, edition)
    if answer is None:
        return problem(
            404, "Never seen upstream: check the spelling, or ask again after the next pull"
        )
    return document(answer, edition)


def explanation(
    names: Sequence[bytes], versions: Sequence[bytes], edition: Edition
) -> models.ServerExplanation | None:
    """One version of a server, or all of them, the latest publication first.

    `names` are spellings of one name, `versions` spellings of one version (none: all versions).
    None if upstream never showed such an entry, as far as the edition knows.
    """
    records = edition.records
    for name in names:
        indexes = [
            index
            for index in records.keys.of(name)
            if not versions or records.keys[index].partition(b"\0")[2] in versions
        ]
        if indexes:
            dated = [_told(edition, index) for index in indexes]
            dated.sort(key=lambda pair: -pair[0])
            return models.ServerExplanation(
                records.keys.pair(indexes[0])[0],
                edition.manifest.edition,
                edition.manifest.published_at,
                [explained for _, explained in dated],
            )
    return None


def _told(edition: Edition, index: int) -> tuple[int, models.Explanation]:
    """Explain one record; comes with the publication instant to sort by (0: it is not served)."""
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
    explained = models.Explanation(
        summary=sentence(version, judged.reason),
        **msgspec.structs.asdict(judged.reason),
        **msgspec.structs.asdict(trace(records.outline, judged, seen)),
        version=version,
        packages=packages,
    )
    return int(edition.arrays["published"][shown]) if shown is not None else 0, explained


class _Body(msgspec.Struct):
    meta: dict[str, msgspec.Raw] = msgspec.field(name="_meta")
