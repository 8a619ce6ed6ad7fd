"""Building a candidate: takes entries with verdicts, writes a directory of flat files.

The build is deterministic in (entries, previous edition, feed identity, instant). An entry that did
not change since the previous edition keeps its body, sequence and instant. Nothing goes live here.
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
from serve.build.entries import ServedEntry, standing
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
    """Write `editions/EDITION` and its segment below the draft's root. The edition is complete
    once its folder has no suffix.

    `entries` are all known entries, or those of the draft's `names`, with their verdicts in (name,
    version) byte order. Entries of the previous edition that are no longer admitted become
    tombstones and stay so. `overlays` are those in force.
    """
    editors = Overlays(overlays)

    def fill(columns: Columns) -> None:
        known = paired_with_previous(entries, draft.previous, draft.names)
        for _, group in groupby(known, key=lambda item: item[0].name):
            judged = [
                judge_entry(entry, before, editors, draft.previous) for entry, before in group
            ]
            _serve(columns, judged, draft)

    return write_edition(draft, fill)


def write_edition(draft: Draft, fill: Callable[[Columns], None]) -> Built:
    """Write an edition; `fill` adds its rows to the columns."""
    root, edition, previous, sequence = draft.root, draft.edition, draft.previous, draft.sequence
    part = root / "editions" / f"{edition}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (root / "segments").mkdir(exist_ok=True)
    path = root / "segments" / edition
    with path.open("wb") as file, TemporaryFile(dir=path.parent) as aside:
        number = len(previous.manifest.segments) if previous else 0
        writer = SegmentWriter(file, number, aside)
        columns = Columns(writer, draft)
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
    part.rename(folder)  # every file is synced by now: the rename completes the edition
    sync(folder.parent)
    return Built(manifest, folder, columns.treatments)


def _serve(columns: Columns, group: list[JudgedEntry], draft: Draft) -> None:
    """Append the served versions of one server: live ones and tombstones, exactly one is latest."""
    shown = [judged for judged in group if judged.shown]
    pool = [judged for judged in shown if judged.runs] or shown
    chosen = [judged for judged in pool if judged.entry.is_latest]
    if pool and len(chosen) != 1:  # upstream's latest version is not served, or not unique
        keys = [(judged.entry.version, judged.entry.published_at) for judged in pool]
        chosen = [pool[choose_latest(keys)]]
    columns.servers += bool(shown) and all(judged.before is None for judged in group)
    for judged in group:
        entry = judged.entry
        if entry.private and not judged.shown:
            # Not even a record: to this edition it is an unknown name. The operator is told.
            columns.treat(entry.key, judged.reason)
            continue
        latest = judged.shown and judged is chosen[0]
        if entry.kept:
            columns.keep(entry.key, judged.before, latest=latest)
            continue
        raw = _raw(judged)
        if judged.shown:
            content = _render(judged, is_latest=latest, namespace=draft.namespace)
            old = standing(draft.previous, judged.before, content) if judged.runs else None
            if old is not None:
                content, raw = old, (_whole(entry), 0)  # the body that stays has other bytes
            columns.add(
                ServedEntry(
                    entry.key,
                    content,
                    judged.reason.state,
                    latest=latest,
                    published_at=entry.published_at,
                    updated_at=entry.updated_at,
                ),
                judged.before,
            )
        columns.know(entry.key, Judged(judged.reason, entry.atoms), *raw, entry.seen)


def _raw(judged: JudgedEntry) -> tuple[bytes, int]:
    """Upstream's bytes to store, and the size of the server.json that the served body shares."""
    entry = judged.entry
    if entry.server is None or entry.meta is None:
        return b"", 0
    if entry.status == "deleted" and not judged.shown:
        return b"", 0  # Records.raw hides deleted entries by their shown state
    if entry.raw is None and judged.server == entry.server:
        return entry.meta, len(entry.server)
    return _whole(entry), 0


def _whole(entry: Candidate) -> bytes:
    """The bytes that upstream sent for an admitted entry."""
    if entry.raw is not None:
        return entry.raw
    assert entry.server is not None
    assert entry.meta is not None
    return b'{"server":%b,"_meta":%b}' % (entry.server, entry.meta)


def _render(judged: JudgedEntry, *, is_latest: bool, namespace: str) -> Content:
    entry, state = judged.entry, judged.reason.state
    if judged.server is not None and entry.meta is not None:
        return live(
            judged.server,
            entry.meta,
            published_at=entry.published_at,
            updated_at=entry.updated_at,
            is_latest=is_latest,
            enrichment=entry.enrichment,
            namespace=namespace,
            without=odd_blocks(entry.meta),
            editorial=judged.editorial,
        )
    message = entry.status_message
    if state != "deleted":
        treated = judged.reason.treatments
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
    "withheld": "This version is withheld from this feed because clients cannot decode or run it.",
}
