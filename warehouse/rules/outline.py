"""The outline of a rule book: the part that is stored, so that verdicts can be explained later.

Written with the verdicts and into each edition (`policy.json`); read by explanations.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from warehouse.rules.columns import Source

Verdict = Literal["admit", "exclude"]
RuleKind = Literal["block", "overlay", "must", "rule"]
WhenUnknown = Literal["match", "skip"]


class OutlinedRule(Struct, frozen=True):
    """A rule; `tree` is a `ternary.Tree` over the numbers of the outline's atoms."""

    name: str
    kind: RuleKind
    verdict: Verdict
    reason: str
    when: str
    unknown: WhenUnknown
    tree: Any  # a recursive type, which msgspec cannot express


class OutlinedAtom(Struct, frozen=True):
    """The text of a test, and the columns that it reads."""

    text: str
    columns: tuple[str, ...]


class Outline(Struct, frozen=True):
    """Rules in evaluation order, and the source of each column that they read.

    `cooldown` is in seconds; `bypass` is a tree: an entry that matches it does not wait. `pulled`
    says when each upstream was pulled, `decided_at` when the verdicts were made; a rule book knows
    neither.
    """

    rules: tuple[OutlinedRule, ...] = ()
    default: Verdict = "admit"
    atoms: tuple[OutlinedAtom, ...] = ()
    sources: dict[str, Source] = {}
    cooldown: float | UnsetType = UNSET
    bypass: Any = UNSET  # a tree, or None
    pulled: dict[str, datetime] = {}
    decided_at: datetime | None = None


def encode_outline(outline: Outline) -> bytes:
    return msgspec.json.encode(outline)


def decode_outline(data: bytes | str) -> Outline:
    """Raises msgspec.DecodeError for data that is no outline."""
    return msgspec.json.decode(data, type=Outline)
