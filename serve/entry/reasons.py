"""Types that say why an entry is in a feed or not, as an edition stores them."""

from datetime import datetime
from typing import Literal

import msgspec

EntryState = Literal["admitted", "held", "excluded", "withheld", "withdrawn", "deleted"]
EntryVerdict = Literal["admit", "exclude", "hold"]


class Treatment(msgspec.Struct, frozen=True):
    """What was done to an entry. `kind` is `repaired`, `overlaid`, `dropped` or `withheld`; `rule`
    names the repair, overlay or rule; `detail` says what it found or did."""

    kind: str
    rule: str
    detail: str


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an entry is in the feed or not: the rule that decided, and what was done to it.

    `state` is admitted, held, excluded, withheld, withdrawn or deleted. `unknown` are the evaluated
    rules whose result was unknown. A held entry is released at `held_until`; without that, once its
    age is known.
    """

    state: EntryState
    verdict: EntryVerdict
    rule: str
    reason: str
    unknown: tuple[str, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    held_until: datetime | None = None


FORGOTTEN = Reason("excluded", "exclude", "unknown", "it is no longer known upstream")
"""The reason of an entry that was known once and is not any more."""


def sentence(version: str, reason: Reason) -> str:
    """What a reason says of a version, for people who do not know the rules."""
    by = "" if reason.rule == "default" else f" (rule {reason.rule})"
    match reason.state:
        case "admitted" if reason.rule == "default":
            return f"Version {version} is in this feed: no rule is against it."
        case "admitted":
            return f"Version {version} is in this feed: {reason.reason}{by}."
        case "held" if reason.held_until:
            until = f"{reason.held_until:%Y-%m-%d %H:%M} UTC"
            return f"Version {version} waits until {until}, when it is old enough for this feed."
        case "held":
            return f"Version {version} waits: {reason.reason}."
        case "excluded" if reason.rule == "default":
            return f"Version {version} is not in this feed: no rule admits it."
        case "excluded":
            return f"Version {version} is not in this feed: {reason.reason}{by}."
        case "withheld":
            causes = [t.detail for t in reason.treatments if t.kind == "withheld"]
            return (
                f"Version {version} is meant for this feed, but cannot be shown: "
                f"{'; '.join(causes) or reason.reason}."
            )
        case "withdrawn":
            return f"Version {version} was withdrawn from this feed: {reason.reason}{by}."
        case "deleted":
            return f"Version {version} was deleted upstream, so this feed shows it as deleted."


class Judged(msgspec.Struct, frozen=True):
    """A reason as an edition stores it, with one character (t, f or ?) per atom of its policy, and
    behind a bar one (t or f) for each package that a rule may drop."""

    reason: Reason
    atoms: str


class Held(msgspec.Struct, frozen=True):
    """A version held by a cooldown: since the edition `sequence`, until `until` (None: not known).

    `announced_at` is the instant of that edition; None: it is the edition that stores this row.
    """

    name: str
    version: str
    sequence: int
    announced_at: datetime | None
    until: datetime | None
