"""Turning ages: at which ages, in whole days, the tests of a feed may change their results."""

from collections.abc import Sequence

from warehouse.database.session import Session
from warehouse.rules.columns import AGES
from warehouse.rules.language import Atom

_OLDEST = 36_500
"""Ages are looked at up to here: a hundred years."""


def turning_ages(session: Session, atoms: Sequence[Atom]) -> dict[str, list[int] | None]:
    """By column, the ages at which some test has another result than at the age before.

    None: at every age, since a test reads the age beside another column.
    """
    turning: dict[str, set[int] | None] = {name: set() for name in AGES}
    for atom in atoms:
        for name in set(AGES) & set(atom.columns):
            known = turning[name]
            if known is None:
                continue
            if len(atom.columns) > 1:
                turning[name] = None
            else:
                known |= _turns(session, name, atom)
    return {name: None if ages is None else sorted(ages) for name, ages in turning.items()}


def _turns(session: Session, name: str, atom: Atom) -> set[int]:
    """The ages at which a test of one age has another result than at the age before."""
    rows = session.text(
        f"""
        SELECT {name} AS age
        FROM (
            SELECT {name}, result, lag(result) OVER (ORDER BY {name}) AS before
            FROM (SELECT {name}, ({atom.sql}) AS result FROM range({_OLDEST + 1}) t({name}))
        )
        WHERE {name} > 0 AND result IS DISTINCT FROM before
        """,  # noqa: S608 - the test was checked when it was compiled
        atom.parameters,
    )
    return {row["age"] for row in rows.to_pylist()}
