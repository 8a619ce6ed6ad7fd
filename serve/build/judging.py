"""What becomes of one entry: shown, repaired, withheld or left out, and why."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from serve.build.candidate import Candidate
from serve.edition.edition import Edition
from serve.entry.reasons import Reason, Treatment
from serve.entry.repair import META_DROPPED, odd_blocks, repair
from serve.entry.strict import SCHEMA, validation_error
from serve.policy.overlays import Overlays


@dataclass(frozen=True)
class JudgedEntry:
    """An entry with what becomes of it. `server` is what is served of it, if anything; of one that
    is kept it is not told. `runs` if it is served as a version that runs."""

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
    """Decide the state of an entry: verdict, status, then whether clients can decode it."""
    if entry.kept:
        runs = before is not None and previous is not None and not previous.deleted(before)
        return JudgedEntry(entry, before, KEPT, None, shown=before is not None, runs=runs)
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
    overlaid = editors.apply(entry.name, entry.version, entry.server)
    repaired = repair(overlaid.server)
    treatments = [*overlaid.treatments]
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
"""Stands for the reason that the previous edition has."""


def _nameplate(entry: Candidate) -> bytes:
    """The least server.json of an entry, to see whether clients can decode a tombstone of it."""
    plate = {
        "$schema": entry.schema_uri or SCHEMA,
        "name": entry.name,
        "description": "deleted",
        "version": entry.version,
    }
    return msgspec.json.encode(plate)
