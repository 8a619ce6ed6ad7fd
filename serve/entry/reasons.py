"""Why an entry is in a feed or not, as an edition keeps it."""

from datetime import datetime
from typing import Literal

import msgspec

EntryState = Literal["admitted", "held", "excluded", "withheld", "withdrawn", "deleted"]
EntryVerdict = Literal["admit", "exclude", "hold"]


class Treatment(msgspec.Struct, frozen=True):
    """What was done to an entry: `repaired`, `overlaid` or `withheld`; `rule` is the repair's or
    overlay's name, `detail` what it met or did."""

    kind: str
    rule: str
    detail: str


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an entry is in the feed or not: the rule that decided, and what was done to it.

    `state` is admitted, held, excluded, withheld, withdrawn or deleted; `unknown` are rules that
    could not tell, of those that were looked at. An entry that is held goes on at `held_until`;
    without that, when its age is known.
    """

    state: EntryState
    verdict: EntryVerdict
    rule: str
    reason: str
    unknown: tuple[str, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    held_until: datetime | None = None


class Judged(msgspec.Struct, frozen=True):
    """A reason as an edition keeps it: with one sign (t, f, ?) for each atom of its policy."""

    reason: Reason
    atoms: str


class Held(msgspec.Struct, frozen=True):
    """A version that a cooldown holds: since which edition, and until when (None: not known).

    `announced_at` is the instant of that edition; None: it is this very one.
    """

    name: str
    version: str
    sequence: int
    announced_at: datetime | None
    until: datetime | None
