"""Check: what the rules of a feed match now, what would surprise, and what values they see."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipelines.errors import StepError
from serve.edition.edition import Edition
from serve.policy.blocks import Block
from serve.policy.policy import Policy
from warehouse.curation.verdicts import (
    column_values,
    count_drops,
    count_matches,
    held_entries,
    provisional,
    unknown_names,
)
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.rules.columns import COLUMNS, PACKAGE_COLUMNS

_SHOWN = 10


@dataclass(frozen=True)
class Check:
    """What a feed document does now: how many entries each rule matches, in order (one that comes
    later counts what it matches even if an earlier one decides), and what its editor should know.

    Before the first pull no rule has a count.
    """

    matches: dict[str, int]
    warnings: tuple[str, ...]


def check(
    warehouse: Warehouse,
    policy: Policy,
    blocks: Sequence[Block],
    *,
    live: Edition | None,
    now: datetime,
) -> Check:
    """Look at the entries as of now; `live` is the edition that the feed shows."""
    warnings = [*_of_latest(policy)]
    if not warehouse.path.exists():
        return Check({}, tuple(warnings))
    book = policy.rule_book(now, blocks)
    with (
        warehouse.session() as session,
        provisional(session, policy.name, book, now=now) as key,
    ):
        counts = count_matches(session, key, book)
        counts |= count_drops(session, key, book)
        held = held_entries(session, key)
        unknown = unknown_names(session, sorted(policy.named()))
    if live is not None:
        warnings += cooldown_losses(live, held)
    warnings += [
        f"{name} is no server that was ever seen; check the spelling" for name in unknown[:_SHOWN]
    ]
    if len(unknown) > _SHOWN:
        warnings.append(f"{len(unknown) - _SHOWN} more names belong to no server")
    return Check(counts, tuple(warnings))


def cooldown_losses(live: Edition, held: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A sentence if running entries of an edition would go because a cooldown holds them."""
    keys = (
        (name, live.keys.find(name.encode(), version.encode()), version) for name, version in held
    )
    going = [
        f"{name}@{version}"
        for name, index, version in keys
        if index is not None and not live.deleted(index)
    ]
    if going:
        yield (
            f"the cooldown takes out {len(going)} entries that the feed shows now, until they are "
            f"old enough ({going[0]} is one); bypass lists servers that need not wait"
        )


def _of_latest(policy: Policy) -> Iterator[str]:
    if policy.cooldown is None or policy.document.latest:
        return
    for rule in policy.rules:
        if any("is_latest" in atom.columns for atom in rule.predicate.atoms):
            yield (
                f"rule {rule.name} reads is_latest, which is upstream's, so with the cooldown a "
                'server is gone for days whenever it publishes; write latest = "admitted" instead'
            )


def columns(warehouse: Warehouse, name: str | None, *, now: datetime) -> list[Row]:
    """Every column with its type, source and meaning; with `name`, the values of the latest version
    of a server. Raises StepError for a server that was never seen."""
    if name is None:
        return [
            {
                "column": column,
                "type": f"{facts.kind}{' or NULL' if facts.nullable else ''}",
                "source": facts.source,
                "meaning": facts.meaning,
            }
            for column, facts in (
                *COLUMNS.items(),
                *((f"any_package: {part}", facts) for part, facts in PACKAGE_COLUMNS.items()),
            )
        ]
    values = {}
    if warehouse.path.exists():
        with warehouse.session() as session:
            values = column_values(session, name, now=now)
    if not values:
        raise StepError(f"{name} was never seen upstream; check the spelling")
    return [{"column": column, "value": values[column]} for column in COLUMNS]
