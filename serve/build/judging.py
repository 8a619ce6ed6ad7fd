"""Decides what happens to one entry: shown, repaired, withheld or left out, and why."""

import json
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from serve.build.candidate import Candidate
from serve.build.dropping import PackagesDiffer, without_packages
from serve.edition.edition import Edition
from serve.entry.reasons import Reason, Treatment
from serve.entry.repair import META_DROPPED, odd_blocks, repair
from serve.entry.strict import SCHEMA, validation_error
from serve.policy.overlays import Overlays


@dataclass(frozen=True)
class JudgedEntry:
    """An entry with the decision about it. `before` is its number in the previous edition.
    `server` is the server.json to serve, if any; it is not set if the entry is kept. `runs`: the
    entry is served as a live version, not as a tombstone."""

    entry: Candidate
    before: int | None
    reason: Reason
    server: bytes | None
    shown: bool
    editorial: bytes | None = None
    runs: bool = False


def judge_entry(
    entry: Candidate, before: int | None, editors: Overlays, previous: Edition | None
) -> JudgedEntry:
    """Decide the state of an entry by verdict, by status, then by whether clients can decode it."""
    if entry.kept:
        runs = before is not None and previous is not None and not previous.deleted(before)
        return JudgedEntry(entry, before, KEPT, None, shown=before is not None, runs=runs)
    # Clients may have seen it, so it must leave as a tombstone instead of disappearing.
    known = before is not None or entry.served
    reason = Reason(
        "admitted",
        "admit" if entry.admitted else "hold" if entry.held else "exclude",
        entry.rule,
        entry.reason,
        entry.unknown,
        held_until=entry.held_until,
    )
    if entry.admitted and entry.status == "deleted":
        why = validation_error(_nameplate(entry))
        if why is not None:
            withheld = Treatment("withheld", "not-decodable", why)
            state = msgspec.structs.replace(reason, state="withheld", treatments=(withheld,))
            return JudgedEntry(entry, before, state, None, shown=False)
        state = msgspec.structs.replace(reason, state="deleted")
        return JudgedEntry(entry, before, state, None, shown=True)
    if not entry.admitted or entry.server is None:
        out: Literal["held", "excluded"] = "held" if entry.held else "excluded"
        state = msgspec.structs.replace(reason, state="withdrawn" if known else out)
        return JudgedEntry(entry, before, state, None, shown=known)
    # The verdict counts the packages of the entry as upstream has it.
    why = ""
    try:
        server, enrichment, treatments = without_packages(
            entry.server, entry.enrichment, entry.seen
        )
        if treatments and not _runs(server):
            why = "every package of it is dropped, and it has no remote"
    except PackagesDiffer:
        why, treatments = "its packages cannot be told one from the other", []
    if why:
        gone = (*treatments, Treatment("withheld", "nothing-left", why))
        state = msgspec.structs.replace(reason, state="withheld", treatments=gone)
        return JudgedEntry(entry, before, state, None, shown=known)
    if treatments:
        entry = replace(entry, enrichment=enrichment)
    overlaid = editors.apply(entry.name, entry.version, server)
    repaired = repair(overlaid.server)
    treatments += overlaid.treatments
    treatments += [Treatment("repaired", rule, detail) for rule, detail in repaired.repairs]
    if entry.meta is not None:
        dropped = [Treatment("repaired", META_DROPPED, key) for key in odd_blocks(entry.meta)]
        treatments = dropped + treatments
    if repaired.withheld:
        treatments.append(Treatment("withheld", "not-decodable", repaired.withheld))
    state = msgspec.structs.replace(
        reason,
        state="admitted" if repaired.server is not None else "withheld",
        treatments=tuple(treatments),
    )
    shown = repaired.server is not None or known
    runs = repaired.server is not None
    return JudgedEntry(entry, before, state, repaired.server, shown, overlaid.editorial, runs)


KEPT = Reason("admitted", "admit", "", "")
"""A placeholder: the entry keeps the reason that the previous edition has for it."""


def _runs(server: bytes) -> bool:
    document = json.loads(server)
    return bool(document.get("packages") or document.get("remotes"))


def _nameplate(entry: Candidate) -> bytes:
    """A minimal server.json of an entry, to check that clients can decode its tombstone."""
    plate = {
        "$schema": entry.schema_uri or SCHEMA,
        "name": entry.name,
        "description": "deleted",
        "version": entry.version,
    }
    return msgspec.json.encode(plate)
