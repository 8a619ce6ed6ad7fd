"""Rule expressions: SQL boolean expressions over a fixed set of columns, checked before they run.

sqlglot parses; only the node types, functions and columns listed here pass, so an expression cannot
read a table or a file, call the clock, or grow without bound. What passes is cut at its AND, OR and
NOT into atoms: an error in one atom makes that atom unknown for that row, and the logic of three
values says what follows.
"""

from collections.abc import Iterator, Sequence

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from warehouse.errors import ExpressionRefused
from warehouse.expressions.grammar import AMBIGUOUS, LOGIC, check
from warehouse.rules.columns import COLUMNS
from warehouse.rules.language import Atom, Predicate
from warehouse.rules.ternary import Tree

_MAX_LENGTH = 2000
_MAX_NODES = 200
_MAX_DEPTH = 40


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
        if AMBIGUOUS in token.text and token.token_type.name != "STRING":
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
        check(node, expression)
    atoms: list[Atom] = []
    shape = _cut(tree, atoms)
    _bind(atoms, expression)
    return Predicate(shape, tuple(atoms), _nullable(tree))


def _depth(node: exp.Expr) -> int:
    depth, level = 0, [node]
    while level:
        depth, level = depth + 1, [child for found in level for child in found.iter_expressions()]
    return depth


def _cut(node: exp.Expr, atoms: list[Atom]) -> Tree:
    """Cut at AND, OR and NOT; parentheses around the whole of a part go."""
    while isinstance(node, exp.Paren):
        node = node.this
    kind = LOGIC.get(type(node))
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
            sql = f"SELECT ({text}\n) AS value FROM entry"  # noqa: S608 - it passed `check`
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
