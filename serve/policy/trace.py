"""The types of an explanation: rules, the values that they read, what would have to change."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct


class RuleResult(Struct, frozen=True):
    """What a rule came to. `unknown` says what it means that it is unknown: match or skip."""

    rule: str
    kind: Literal["block", "overlay", "must", "rule"]
    verdict: Literal["admit", "exclude"]
    reason: str
    when: str
    unknown: Literal["match", "skip"]
    result: str
    decided: bool


class SeenValue(Struct, frozen=True, omit_defaults=True):
    """A value that rules read: whose word it is, and as of when.

    `source` is name, upstream, registries (`places` are their addresses; `as_of` is when the one
    that was asked longest ago was asked) or warehouse, which is computed over all entries.
    """

    value: Any
    source: Literal["name", "upstream", "registries", "warehouse"]
    places: tuple[str, ...] = ()
    as_of: datetime | None = None


class NeededChange(Struct, frozen=True, rename={"now": "is", "wanted": "must_be"}):
    """A test that would have to come out otherwise."""

    test: str
    now: str
    wanted: str


class Trace(Struct, frozen=True, omit_defaults=True):
    """Every rule in order (blocks and overlays only where they apply), the values that they read,
    and the fewest tests that would have to come out otherwise to admit the entry."""

    rules: tuple[RuleResult, ...] = ()
    values: dict[str, SeenValue] = msgspec.field(default_factory=dict)
    nearest: tuple[NeededChange, ...] = ()
