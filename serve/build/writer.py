"""Building a candidate: entries with verdicts in, a directory of flat files out.

Pure in (entries, previous edition, feed identity, instant): the same inputs give the same bytes.
What did not change since the previous edition keeps its body, sequence and instant. Nothing goes
live here.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryFile

import msgspec

from serve.build.candidate import Candidate, paired_with_previous
from serve.build.draft import Draft
from serve.build.entries import ServedEntry
from serve.build.judging import JudgedEntry, judge_entry
from serve.build.rows import Columns
from serve.disk import sync
from serve.edition.bases import described, overlaid_tables, write_tables
from serve.edition.manifests import FORMAT, Manifest
from serve.edition.segments import SegmentWriter
from serve.entry.latest import choose_latest
from serve.entry.reasons import Judged
from serve.entry.render import Content, live, tombstone
from serve.entry.repair import odd_blocks
from serve.policy.documents import Overlay
from serve.policy.overlays import Overlays
from warehouse.rules.outline import encode_outline


@dataclass
class Built:
    """A finished candidate. `treatments` are (name, version, kind, rule, detail)."""

    manifest: Manifest
    folder: Path
    treatments: list[tuple[str, str, str, str, str]]


def write_candidate(
    draft: Draft, entries: Iterable[Candidate], overlays: Sequence[Overlay] = ()
) -> Built:
    """Write `editions/EDITION` and its segment below the draft's root; complete when it stands
    there without a suffix.

    `entries` are all known entries in (name, version) byte order, with their verdicts; or those of
    the draft's `names`. Entries of the previous edition that are no longer admitted become
    tombstones and stay so. `overlays` are those that stand.
    """
    editors = Overlays(overlays)

    def fill(columns: Columns) -> None:
        known = paired_with_previous(entries, draft.previous, draft.names)
        for _, group in groupby(known, key=lambda item: item[0].name):
            judged = [
                judge_entry(entry, before, editors, draft.previous) for entry, before in group
            ]
            _serve(columns, judged, draft.namespace)

    return write_edition(draft, fill)


def write_edition(draft: Draft, fill: Callable[[Columns], None]) -> Built:
    """Write the edition that `fill` makes of its columns."""
    root, edition, previous, sequence = draft.root, draft.edition, draft.previous, draft.sequence
    part = root / "editions" / f"{edition}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (root / "segments").mkdir(exist_ok=True)
    path = root / "segments" / edition
    with path.open("wb") as file, TemporaryFile(dir=path.parent) as aside:
        number = len(previous.manifest.segments) if previous else 0
        writer = SegmentWriter(file, number, aside)
        columns = Columns(
            writer,
            previous,
            edition=edition,
            sequence=sequence,
            namespace=draft.namespace,
            now=draft.now,
            names=draft.names,
        )
        fill(columns)
        totals = columns.finish()
        records = writer.settle(columns.records.layer())
        tables = overlaid_tables(previous, columns.entries.layer(), records)
        stand = write_tables(
            root, tables, previous, writer, part, edition=edition, sequence=sequence
        )
    held = msgspec.json.encode(columns.held())
    for name, data in (("policy.json", encode_outline(draft.outline)), ("held.json", held)):
        (part / name).write_bytes(data)
        sync(part / name)
    manifest = Manifest(
        format=FORMAT,
        feed=draft.feed,
        edition=edition,
        sequence=sequence,
        began=previous.manifest.began if previous else sequence,
        previous=draft.replaces,
        built_at=draft.now,
        published_at=None,
        namespace=draft.namespace,
        policy_hash=draft.policy_hash,
        entries=tables["entries"].count,
        base=stand.base,
        basis=draft.basis,
        segments=stand.segments,
        files=stand.files | described(part, f"editions/{edition}"),
        **totals,
    )
    (part / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    sync(part / "manifest.json")
    folder = root / "editions" / edition
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    sync(folder.parent)
    return Built(manifest, folder, columns.treatments)


def _serve(columns: Columns, group: list[JudgedEntry], namespace: str) -> None:
    """Append what is served of one server: admitted versions, tombstones, one latest."""
    shown = [found for found in group if found.shown]
    pool = [found for found in shown if found.runs] or shown
    chosen = [found for found in pool if found.entry.is_latest]
    if pool and len(chosen) != 1:
        keys = [(found.entry.version, found.entry.published_at) for found in pool]
        chosen = [pool[choose_latest(keys)]]
    columns.servers += bool(shown) and all(found.before is None for found in group)
    for found in group:
        entry = found.entry
        latest = found.shown and found is chosen[0]
        if entry.kept:
            columns.keep(entry.key, found.before, latest=latest)
            continue
        if found.shown:
            columns.add(
                ServedEntry(
                    entry.key,
                    _render(found, is_latest=latest, namespace=namespace),
                    found.reason.state,
                    latest=latest,
                    published_at=entry.published_at,
                    updated_at=entry.updated_at,
                ),
                found.before,
            )
        columns.know(entry.key, Judged(found.reason, entry.atoms), *_raw(found), entry.seen)


def _raw(found: JudgedEntry) -> tuple[bytes, int]:
    """Upstream's copy to store, and how much of it the served body has already."""
    entry = found.entry
    if entry.server is None or entry.meta is None:
        return b"", 0
    if entry.status == "deleted" and not found.shown:
        return b"", 0  # raw=true goes by what is shown
    if entry.raw is not None:
        return entry.raw, 0
    if found.server == entry.server:
        return entry.meta, len(entry.server)
    return b'{"server":%b,"_meta":%b}' % (entry.server, entry.meta), 0


def _render(found: JudgedEntry, *, is_latest: bool, namespace: str) -> Content:
    entry, state = found.entry, found.reason.state
    if found.server is not None and entry.meta is not None:
        return live(
            found.server,
            entry.meta,
            published_at=entry.published_at,
            updated_at=entry.updated_at,
            is_latest=is_latest,
            enrichment=entry.enrichment,
            namespace=namespace,
            without=odd_blocks(entry.meta),
            editorial=found.editorial,
        )
    message = entry.status_message
    if state != "deleted":
        treated = found.reason.treatments
        why = treated[-1].detail if state == "withheld" and treated else entry.reason
        message = f"{state} from this feed" + (f": {why}" if why else "")
    return tombstone(
        name=entry.name,
        version=entry.version,
        schema_uri=entry.schema_uri,
        description=_GONE[state],
        message=message,
        published_at=entry.published_at,
        updated_at=entry.updated_at,
        status_changed_at=entry.status_changed_at,
        is_latest=is_latest,
        namespace=namespace,
    )


_GONE = {
    "deleted": "This version was deleted from the registry.",
    "withdrawn": "This version was withdrawn from this feed.",
    "withheld": "This version is withheld from this feed because clients cannot decode it.",
}
