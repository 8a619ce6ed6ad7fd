"""Predicates of rules: atoms of SQL and how they are joined. Pure; compiling is elsewhere."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from warehouse.errors import ExpressionRefused
from warehouse.rules.ternary import Tree

_SHORT = 100
"""So many names are looked for in a list; more are joined with."""


@dataclass(frozen=True)
class Atom:
    """A test without AND, OR or NOT: as it is shown, as it runs, and the columns that it reads."""

    text: str
    sql: str
    columns: tuple[str, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Predicate:
    """Atoms and how they are joined. `nullable`: it can be unknown although nothing fails."""

    tree: Tree
    atoms: tuple[Atom, ...]
    nullable: bool


Compiler = Callable[[str], Predicate]
"""Makes a checked predicate of an expression. Raises ExpressionRefused, which names the place."""
_MAX_PATTERNS = 200


def name_predicate(patterns: Sequence[str], text: str, key: str) -> Predicate:
    """Whether a server is named by one of NAME, NAME@VERSION or globs of them (`*`, `?`).

    `key` makes the names of its parameters unique. Raises ExpressionRefused for too many globs.
    """
    globs = [found for found in patterns if set("*?") & set(found)]
    if len(globs) > _MAX_PATTERNS:
        raise ExpressionRefused(
            f"more than {_MAX_PATTERNS} patterns with * or ?; write whole names", expression=text
        )
    exact = sorted({found for found in patterns if not set("*?") & set(found)})
    parameters: dict[str, object] = {
        f"{key}_names": "\n".join(found for found in exact if "@" not in found),
        f"{key}_keys": "\n".join(found for found in exact if "@" in found),
    }
    # A join for each rule needs memory for each; a short list is looked through instead.
    # A long one is bound as one text: binding it name by name takes seconds.
    form = "{0} IN (SELECT unnest({1}))" if len(exact) > _SHORT else "list_contains({1}, {0})"
    names = form.format("name", f"string_split(${key}_names, chr(10))")
    keys = form.format("(name || '@' || version)", f"string_split(${key}_keys, chr(10))")
    sql = f"({names} OR {keys}"
    if globs:
        parameters[f"{key}_globs"] = "|".join(pattern_regex(found) for found in sorted(set(globs)))
        sql += f" OR regexp_full_match(name || '@' || version, ${key}_globs)"
    return Predicate(0, (Atom(text, f"{sql})", ("name", "version"), parameters),), nullable=False)


def but_version(predicate: Predicate, version: str) -> Predicate:
    """The same servers, but not one version of them."""
    quoted = version.replace("'", "''")
    other = Atom(f"version <> '{quoted}'", f"TRY(version <> '{quoted}')", ("version",))
    return Predicate(("and", (0, 1)), (*predicate.atoms, other), nullable=False)


def pattern_regex(pattern: str) -> str:
    """A regular expression for NAME@VERSION, of NAME, NAME@VERSION or a glob of them."""
    text = "".join({"*": ".*", "?": "."}.get(sign) or re.escape(sign) for sign in pattern)
    return text if "@" in pattern else f"{text}@.*"


def sql_of(tree: Tree, names: Sequence[str]) -> str:
    """A tree as SQL over its atoms' column names."""
    if isinstance(tree, int):
        return names[tree]
    kind, parts = tree
    found = [sql_of(part, names) for part in parts]
    return f"(NOT {found[0]})" if kind == "not" else f"({f' {kind.upper()} '.join(found)})"
