"""Predicates of rules: SQL atoms, and a tree that combines them. Pure; compiles nothing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from warehouse.errors import ExpressionRefused
from warehouse.rules.ternary import Tree

_SHORT = 100
"""Up to so many names are searched in a list; more are joined."""


PACKAGES = "packages_of_entry"
"""The column that holds the packages of an entry, for tests of one package."""


@dataclass(frozen=True)
class Atom:
    """A test without AND, OR or NOT: its text, the SQL that runs, and the columns that it reads.

    `each`: of a test of single packages, SQL of its results as a list in the order of the packages.
    """

    text: str
    sql: str
    columns: tuple[str, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)
    each: str = ""


@dataclass(frozen=True)
class Predicate:
    """Atoms and the tree that combines them.

    `nullable`: the predicate can be unknown although no atom fails.
    """

    tree: Tree
    atoms: tuple[Atom, ...]
    nullable: bool


Compiler = Callable[[str], Predicate]
"""Compiles and checks an expression. Raises ExpressionRefused, which names the position."""
_MAX_PATTERNS = 200


def name_predicate(patterns: Sequence[str], text: str, key: str) -> Predicate:
    """Whether a server matches one of NAME, NAME@VERSION or globs of them (`*`, `?`).

    `key` makes the names of its parameters unique. Raises ExpressionRefused for too many globs.
    """
    globs = [pattern for pattern in patterns if set("*?") & set(pattern)]
    if len(globs) > _MAX_PATTERNS:
        raise ExpressionRefused(
            f"more than {_MAX_PATTERNS} patterns with * or ?; write whole names", expression=text
        )
    exact = sorted({pattern for pattern in patterns if not set("*?") & set(pattern)})
    parameters: dict[str, object] = {
        f"{key}_names": "\n".join(pattern for pattern in exact if "@" not in pattern),
        f"{key}_keys": "\n".join(pattern for pattern in exact if "@" in pattern),
    }
    # A join per rule needs memory for each, so a short list is searched instead. A long list is
    # bound as one text, because binding it name by name takes seconds.
    form = "{0} IN (SELECT unnest({1}))" if len(exact) > _SHORT else "list_contains({1}, {0})"
    names = form.format("name", f"string_split(${key}_names, chr(10))")
    keys = form.format("(name || '@' || version)", f"string_split(${key}_keys, chr(10))")
    sql = f"({names} OR {keys}"
    if globs:
        parameters[f"{key}_globs"] = "|".join(
            pattern_regex(pattern) for pattern in sorted(set(globs))
        )
        sql += f" OR regexp_full_match(name || '@' || version, ${key}_globs)"
    return Predicate(0, (Atom(text, f"{sql})", ("name", "version"), parameters),), nullable=False)


def but_version(predicate: Predicate, version: str) -> Predicate:
    """The same servers, except for one version of them."""
    quoted = version.replace("'", "''")
    other = Atom(f"version <> '{quoted}'", f"TRY(version <> '{quoted}')", ("version",))
    return Predicate(("and", (0, 1)), (*predicate.atoms, other), nullable=False)


def pattern_regex(pattern: str) -> str:
    """A regular expression for NAME@VERSION, made from NAME, NAME@VERSION or a glob of them."""
    text = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in pattern)
    return text if "@" in pattern else f"{text}@.*"


def sql_of(tree: Tree, names: Sequence[str]) -> str:
    """A tree as SQL; `names` are the SQL names of its atoms by number."""
    if isinstance(tree, int):
        return names[tree]
    kind, parts = tree
    operands = [sql_of(part, names) for part in parts]
    return f"(NOT {operands[0]})" if kind == "not" else f"({f' {kind.upper()} '.join(operands)})"
