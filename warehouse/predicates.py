"""Rule expressions: SQL boolean expressions over a fixed set of columns, checked before they run.

sqlglot parses; only the node types, functions and columns listed here pass, so an expression cannot
read a table or a file, call the clock, or grow without bound. What passes is cut at its AND, OR and
NOT into atoms: an error in one atom makes that atom unknown for that row, and the logic of three
values says what follows.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from warehouse.columns import COLUMNS
from warehouse.errors import ExpressionRefused
from warehouse.logic import Tree


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


_LOGIC: dict[type[exp.Expr], str] = {exp.And: "and", exp.Or: "or", exp.Not: "not"}
_NODES = (
    *_LOGIC,
    exp.Paren,
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.Is,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.In,
    exp.Between,
    exp.Like,
    exp.ILike,
    exp.Escape,
    exp.RegexpLike,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.IntDiv,
    exp.Mod,
    exp.Neg,
    exp.Null,
    exp.Boolean,
    exp.Literal,
    exp.Column,
    exp.Identifier,
    exp.Array,
    exp.Case,
    exp.If,
    exp.Lower,
    exp.Upper,
    exp.Trim,
    exp.Length,
    exp.Abs,
    exp.Greatest,
    exp.Least,
    exp.Coalesce,
    exp.Nullif,
    exp.StartsWith,
    exp.EndsWith,
    exp.Contains,
    exp.StrPosition,
    exp.SplitPart,
    exp.Left,
    exp.Right,
    exp.ArrayContains,
    exp.ArrayContainsAll,
    exp.ArrayOverlaps,
    exp.ArraySize,
    exp.DateDiff,
    exp.Var,
)
_FUNCTIONS = (
    "lower, upper, trim, length, left, right, split_part, strpos, starts_with, ends_with, "
    "contains, regexp_matches, abs, greatest, least, coalesce, nullif, len, list_contains, "
    "list_has_any, list_has_all, date_diff"
)
_INSTEAD: list[tuple[str, str]] = [
    (r"\b(now|today|current_\w+|get_current_\w+)\b", "use age_days, updated_days"),
    (r"\b(select|exists|from)\b", "name the values in a list of the document"),
    (r"\b(random|uuid|gen_random_uuid)\b", "a rule must come to the same verdict every time"),
    (r"\b(read_\w+|getenv|glob)\b", "a rule reads nothing but its columns; use a list with a file"),
    (r"\bglob\b", "use names = ['io.github.example/*'] instead of `when`"),
]
_PLAIN = ("ends_with", "suffix", "list_has_all")
_PARTS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_AMBIGUOUS = "~"
_MAX_LENGTH = 2000
_MAX_NODES = 200
_MAX_DEPTH = 40
_MAX_PATTERNS = 200
_SHORT = 100
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?(Z|[+-]\d\d(:\d\d)?)?")


def compile_predicate(expression: str) -> Predicate:
    """The atoms of an expression. Raises ExpressionRefused with the place and what to write."""
    if len(expression) > _MAX_LENGTH:
        raise ExpressionRefused(
            f"the expression is longer than {_MAX_LENGTH} characters; split the rule",
            expression=expression,
        )
    try:
        parsed = sqlglot.parse(expression, read="duckdb")
    except (ParseError, TokenError, RecursionError, AttributeError, ValueError) as error:
        place = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        raise ExpressionRefused(
            f"it is not an SQL expression: {place.get('description') or error}",
            expression=expression,
            line=place.get("line") or 1,
            column=place.get("col") or 1,
        ) from error
    if len(parsed) != 1 or parsed[0] is None:
        raise ExpressionRefused("write one boolean expression", expression=expression)
    for token in sqlglot.tokenize(expression, read="duckdb"):
        if _AMBIGUOUS in token.text and token.token_type.name != "STRING":
            raise ExpressionRefused(
                f"`{token.text}` is not allowed in a rule; write regexp_matches(column, 'pattern')",
                expression=expression,
                line=token.line,
                column=token.col,
            )
    tree = parsed[0]
    if sum(1 for _ in tree.walk()) > _MAX_NODES or _depth(tree) > _MAX_DEPTH:
        raise ExpressionRefused("it is too large; split the rule", expression=expression)
    for node in tree.walk():
        _check(node, expression)
    atoms: list[Atom] = []
    shape = _cut(tree, atoms)
    _bind(atoms, expression)
    return Predicate(shape, tuple(atoms), _nullable(tree))


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


def _depth(node: exp.Expr) -> int:
    depth, level = 0, [node]
    while level:
        depth, level = depth + 1, [child for found in level for child in found.iter_expressions()]
    return depth


def _cut(node: exp.Expr, atoms: list[Atom]) -> Tree:
    """Cut at AND, OR and NOT; parentheses around the whole of a part go."""
    while isinstance(node, exp.Paren):
        node = node.this
    kind = _LOGIC.get(type(node))
    if kind == "not":
        return "not", (_cut(node.this, atoms),)
    if kind is not None:
        return kind, tuple(_cut(part, atoms) for part in _flat(node, type(node)))
    # DuckDB binds NOT differently from where sqlglot writes it (NOT IN, IS NOT): say it outright.
    safe = node.copy().transform(lambda n: exp.Paren(this=n) if isinstance(n, exp.Not) else n)
    sql = safe.sql(dialect="duckdb", comments=False)
    columns = tuple(sorted({found.name for found in node.find_all(exp.Column)}))
    text = node.sql(dialect="duckdb", comments=False)
    atom = Atom(text, _open(node, f"TRY({sql})", columns), columns)
    if atom not in atoms:
        atoms.append(atom)
    return atoms.index(atom)


def _open(node: exp.Expr, sql: str, columns: Sequence[str]) -> str:
    """A test of a list that may lack what unknown packages would add: it can find something, but
    not that something is not there."""
    if not _OPEN & set(columns):
        return sql
    finds = isinstance(node, exp.ArrayContains | exp.ArrayOverlaps | exp.Contains | exp.In)
    found = f"WHEN {sql} THEN true " if finds else ""
    return f"CASE {found}WHEN unknown_package_count > 0 THEN NULL ELSE {sql} END"


_OPEN = {"licenses", "signals", "provenance_repositories"}


def _flat(node: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    """The parts of a chain of one kind, left to right."""
    for part in (node.this, node.expression):
        inner = part
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if type(inner) is kind:
            yield from _flat(inner, kind)
        else:
            yield inner


def _nullable(node: exp.Expr) -> bool:
    """Whether it can be NULL for values that are there, or because one is not."""
    match node:
        case exp.Column():
            return COLUMNS[node.name].nullable
        case exp.Null() | exp.Div() | exp.IntDiv() | exp.Mod() | exp.Nullif():
            return True
        case exp.Is() | exp.NullSafeEQ() | exp.NullSafeNEQ():
            return False
        case exp.Coalesce():
            return all(_nullable(part) for part in (node.this, *node.expressions))
        case exp.Case() if node.args.get("default") is None:
            return True
        case _:
            return any(_nullable(child) for child in node.iter_expressions())


def _bind(atoms: Sequence[Atom], expression: str) -> None:
    """Let DuckDB find the types, and run it on one plain row; it must come to a truth value."""
    columns = ", ".join(
        f"{_SAMPLE[found.kind]}::{found.kind} AS {name}" for name, found in COLUMNS.items()
    )
    connection = duckdb.connect(":memory:", config={"threads": 1})
    try:
        connection.execute("SET TimeZone='UTC'")
        connection.execute(f"CREATE TABLE entry AS SELECT {columns}")
        for text in [*(atom.text for atom in atoms), expression]:
            sql = f"SELECT ({text}\n) AS value FROM entry"  # noqa: S608 - it was checked
            found = connection.execute(f"DESCRIBE {sql}").fetchall()
            if found[0][1] != "BOOLEAN":
                raise ExpressionRefused(
                    f"`{text}` gives {found[0][1]}, not true or false; compare it with something",
                    expression=expression,
                )
            connection.execute(sql)
    except duckdb.Error as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise ExpressionRefused(reason, expression=expression) from error
    finally:
        connection.close()


_SAMPLE = {
    "VARCHAR": "''",
    "VARCHAR[]": "[]",
    "BOOLEAN": "true",
    "INTEGER": "0",
    "BIGINT": "0",
    "TIMESTAMPTZ": "'2026-01-01'",
}


def _check(node: exp.Expr, expression: str) -> None:
    why = _objection(node)
    if why is not None:
        line, column = _place(node, expression)
        raise ExpressionRefused(why, expression=expression, line=line, column=column)


def _objection(node: exp.Expr) -> str | None:
    """What is wrong with one node, and what to write instead."""
    if isinstance(node, exp.Column) and (node.table or node.name not in COLUMNS):
        close = difflib.get_close_matches(node.name, COLUMNS, n=1)
        remedy = f"did you mean `{close[0]}`?" if close and not node.table else ""
        return f"there is no column `{node.sql()}`; " + (
            remedy or f"the columns are {', '.join(sorted(COLUMNS))}"
        )
    if isinstance(node, exp.Cast) and _is_date(node):
        return None
    if isinstance(node, exp.DataType) and isinstance(node.parent, exp.Cast):
        return None if _is_date(node.parent) else "write the value as it is, without a cast"
    if isinstance(node, exp.Anonymous) and node.name.lower() in _PLAIN:
        return None
    if (why := _slow_pattern(node)) is not None:
        return why
    if isinstance(node, exp.Var) and not (
        isinstance(node.parent, exp.DateDiff) and node.name.upper() in _PARTS
    ):
        return f"`{node.sql()}` is not allowed here; write one of {', '.join(_PARTS).lower()}"
    if type(node) not in _NODES:
        what = node.sql(dialect="duckdb")[:60]
        for pattern, instead in _INSTEAD:
            if re.search(pattern, what, re.IGNORECASE):
                return f"`{what}` is not allowed in a rule: {instead}"
        return (
            f"`{what}` is not allowed in a rule; use comparisons, AND, OR, NOT, IN, LIKE, CASE and "
            f"the functions {_FUNCTIONS}"
        )
    return None


def _slow_pattern(node: exp.Expr) -> str | None:
    """What is wrong with a pattern: one that is not fixed, or that could take very long."""
    pattern = node.args.get("expression")
    text = pattern.name if isinstance(pattern, exp.Literal) else None
    if isinstance(node, exp.RegexpLike) and (text is None or len(text) > 300):
        return "a pattern of regexp_matches must be a text of 300 characters at most"
    if isinstance(node, exp.Like | exp.ILike) and (text is None or text.count("%") > 2):
        return "a pattern of LIKE must be a text with two % at most; use contains for the rest"
    return None


def _is_date(node: exp.Cast) -> bool:
    """A literal instant: DATE '2026-01-31', TIMESTAMPTZ '2026-01-31T12:00:00Z'."""
    allowed = (exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMPTZ)
    value = node.this
    return (
        type(node) is exp.Cast
        and node.to.this in allowed
        and isinstance(value, exp.Literal)
        and value.is_string
        and _DATE.fullmatch(value.name) is not None
    )


def _place(node: exp.Expr, expression: str) -> tuple[int, int]:
    """Line and column (from 1) where a node begins, as far as sqlglot or the text tells."""
    found = next((n.meta for n in node.walk() if "start" in n.meta), None)
    start = int(found["start"]) if found else max(expression.find(node.name), 0)
    before = expression[:start]
    return before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1
