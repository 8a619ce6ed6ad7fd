"""The logic of three values by which tests make up rules."""

from collections.abc import Sequence
from typing import TypeAlias

Tree: TypeAlias = "int | tuple[str, tuple[Tree, ...]]"
"""The number of an atom, or `and`, `or`, `not` with what it joins."""


def value_of(tree: Tree, values: Sequence[bool | None]) -> bool | None:
    """A tree's value by the logic of three values; None is unknown."""
    if isinstance(tree, int):
        return values[tree]
    kind, parts = tree
    found = [value_of(part, values) for part in parts]
    if kind == "not":
        return None if found[0] is None else not found[0]
    decisive = kind == "or"
    if decisive in found:
        return decisive
    return None if None in found else not decisive
