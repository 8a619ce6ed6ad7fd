"""Kleene's three-valued logic, by which tests combine into rules."""

from collections.abc import Sequence
from typing import TypeAlias

Tree: TypeAlias = "int | tuple[str, tuple[Tree, ...]]"
"""The number of an atom, or `and`, `or`, `not` with its operands."""


def value_of(tree: Tree, values: Sequence[bool | None]) -> bool | None:
    """A tree's value by three-valued logic; None is unknown."""
    if isinstance(tree, int):
        return values[tree]
    kind, parts = tree
    operands = [value_of(part, values) for part in parts]
    if kind == "not":
        return None if operands[0] is None else not operands[0]
    # One true operand decides `or`, one false decides `and`, whatever is unknown.
    decisive = kind == "or"
    if decisive in operands:
        return decisive
    return None if None in operands else not decisive
