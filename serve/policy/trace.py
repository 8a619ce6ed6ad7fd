"""Why a verdict came out as it did: pure functions of a policy's outline and an entry's record.

Rules combine atoms by Kleene's three-valued logic: true, false, unknown. Docstrings of the classes
are public descriptions in the OpenAPI document.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations, islice
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, structs

from serve.entry.reasons import Judged
from warehouse.rules.outline import Outline, OutlinedRule
from warehouse.rules.ternary import value_of

_SIGNS = {"t": True, "f": False, "?": None}
_TOLD = {True: "true", False: "false", None: "unknown"}
# Bounds the search for the nearest changes: 60 choose 3 is about 34,000 combinations, each tried on
# every rule; so many rules are tried at most for one entry.
_SEARCHED, _TRIED = 60, 60_000
Facts = dict[str, Any]  # JSON of what the rules read of an entry


class RuleResult(Struct, frozen=True):
    """The result of a rule. `unknown` says what an unknown result means: `match` or `skip`."""

    rule: str
    kind: Literal["block", "overlay", "must", "rule"]
    verdict: Literal["admit", "exclude"]
    reason: str
    when: str
    unknown: Literal["match", "skip"]
    result: str
    decided: bool


class SeenValue(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A value that the rules read, with its source and its time.

    `source` is name, upstream, registries (`places` are their addresses; `asOf` is the time of the
    oldest lookup) or warehouse, which is computed over all entries.
    """

    value: Any
    source: Literal["name", "upstream", "registries", "warehouse"]
    places: tuple[str, ...] = ()
    as_of: datetime | None = None


class NeededChange(Struct, frozen=True, rename={"now": "is", "wanted": "mustBe"}):
    """A test whose result must change from `is` to `mustBe`."""

    test: str
    now: str
    wanted: str


class Trace(Struct, frozen=True, omit_defaults=True):
    """Every rule in order (blocks and overlays only if they apply), the values that the rules read,
    and in `nearest` the fewest tests whose result must change to admit the entry (none if more than
    three must, or if a bounded search does not find them)."""

    rules: tuple[RuleResult, ...] = ()
    values: dict[str, SeenValue] = msgspec.field(default_factory=dict)
    nearest: tuple[NeededChange, ...] = ()


def trace(outline: Outline, judged: Judged, seen: bytes) -> Trace:
    """The result of each rule and the values it read; empty if no rule was tried on the entry."""
    if judged.reason.rule == "block":
        return Trace(nearest=(NeededChange("its block stands", "true", "false"),))
    if not seen:
        return Trace()
    atoms = [_SIGNS[sign] for sign in judged.atoms.partition("|")[0]]
    facts = msgspec.json.decode(seen)
    return Trace(
        rules=tuple(_results(outline, atoms, judged.reason.rule)),
        values=dict(_values(outline, facts)),
        nearest=tuple(_nearest(outline, atoms, judged, facts.get("release"))),
    )


def _results(outline: Outline, atoms: Sequence[bool | None], deciding: str) -> Iterator[RuleResult]:
    """Every rule in order, but without the blocks and overlays that do not apply to the entry."""
    for rule in outline.rules:
        value = value_of(rule.tree, atoms)
        if value is False and rule.kind in ("block", "overlay"):
            continue
        yield RuleResult(
            rule=rule.name,
            kind=rule.kind,
            verdict=rule.verdict,
            reason=rule.reason,
            when=rule.when,
            unknown=rule.unknown,
            result=_TOLD[value],
            decided=rule.name == deciding and _matches(rule, value),
        )


def _matches(rule: OutlinedRule, value: bool | None) -> bool:
    return value is True or (value is None and rule.unknown == "match")


def _values(outline: Outline, facts: Facts) -> Iterator[tuple[str, SeenValue]]:
    """The values that the rules read, each with its source and when it was last asked for."""
    asked: dict[str, tuple[tuple[str, ...], datetime | None]] = {
        "name": ((), None),
        "upstream": ((facts["upstream"],), outline.pulled.get(facts["upstream"])),
        "registries": (tuple(facts["sources"] or ()), _instant(facts["asked_at"])),
        "warehouse": ((), outline.decided_at),
    }
    for column, source in outline.sources.items():
        places, at = asked[source]
        yield (
            column,
            SeenValue(
                value=facts["values"].get(column),
                source=source,
                places=places,
                as_of=at,
            ),
        )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _nearest(
    outline: Outline, atoms: Sequence[bool | None], judged: Judged, release: str | None
) -> Iterator[NeededChange]:
    """The fewest tests whose result must change to make the rules admit the entry, and a cooldown
    that would hold it then. Among equally few, tests that share no column with another come first.
    """
    reason = judged.reason
    if reason.verdict == "hold":
        until = reason.held_until
        what = f"the clock passes {until:%Y-%m-%dT%H:%M:%SZ}" if until else reason.reason
        yield NeededChange(what, "false", "true")
        return
    if reason.verdict == "admit":
        return
    if reason.rule == "latest":
        yield NeededChange("a newer version is admitted", "true", "false")
        return
    kind = next((r.kind for r in outline.rules if r.name == reason.rule), "rule")
    if kind == "overlay":
        yield NeededChange(f"the overlay {reason.rule} stands", "true", "false")
        # The overlay must go first; the remaining rules may need changes besides.
        rules = [rule for rule in outline.rules if rule.name != reason.rule]
        outline = structs.replace(outline, rules=tuple(rules))
    for flips in islice(_flips(outline, atoms), _TRIED // (len(outline.rules) + 1)):
        changed = list(atoms)
        for number, wanted in flips:
            changed[number] = wanted
        if _verdict(outline, changed) == "admit":
            for number, wanted in flips:
                text = outline.atoms[number].text
                yield NeededChange(text, _TOLD[atoms[number]], _TOLD[wanted])
            yield from _waiting(outline, changed, release)
            return


def _waiting(
    outline: Outline, atoms: Sequence[bool | None], release: str | None
) -> Iterator[NeededChange]:
    """What a cooldown would still wait for if the rules admitted the entry."""
    bypass = outline.bypass
    exempt = bypass not in (None, UNSET) and value_of(bypass, atoms) is True
    if release is None or exempt or _decides(outline, atoms) == "overlay":
        return
    if release == "unknown":
        yield NeededChange("the publication of its packages is known", "false", "true")
    # Both are ISO 8601 in UTC, so the order of the texts is the order of the instants.
    elif release > f"{outline.decided_at:%Y-%m-%dT%H:%M:%SZ}":
        yield NeededChange(f"the clock passes {release}", "false", "true")


def _flips(
    outline: Outline, atoms: Sequence[bool | None]
) -> Iterator[tuple[tuple[int, bool], ...]]:
    """Changes of no atom, of one, of two, of three; tests on the name alone come last."""
    columns = [set(atom.columns) for atom in outline.atoms]

    def place(number: int) -> tuple[bool, bool, int]:
        # Nobody can change a name; and tests that share a column rarely change alone.
        mine = columns[number]
        fixed = all(outline.sources.get(column) == "name" for column in mine)
        shared = any(mine & other for index, other in enumerate(columns) if index != number)
        return fixed, shared, number

    order = sorted(range(len(atoms)), key=place)[:_SEARCHED]
    single = [
        (number, wanted)
        for number in order
        for wanted in (True, False)
        if atoms[number] is not wanted
    ]
    # With an unknown atom both values are tried, so there can be twice as many; then no triples.
    for count in (0, 1, 2, 3) if len(single) <= _SEARCHED else (0, 1, 2):
        yield from combinations(single, count)


def _verdict(outline: Outline, atoms: Sequence[bool | None]) -> str:
    rule = _first(outline, atoms)
    return str(rule.verdict if rule else outline.default)


def _decides(outline: Outline, atoms: Sequence[bool | None]) -> str | None:
    rule = _first(outline, atoms)
    return str(rule.kind) if rule else None


def _first(outline: Outline, atoms: Sequence[bool | None]) -> OutlinedRule | None:
    return next(
        (rule for rule in outline.rules if _matches(rule, value_of(rule.tree, atoms))), None
    )
