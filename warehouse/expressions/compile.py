"""Rule expressions: SQL boolean expressions over a fixed set of columns, checked before they run.

sqlglot parses them; only an allow-list of node types, functions and columns passes. So an
expression cannot read a table or a file, call the clock, or grow without bound. An accepted
expression is cut at its AND, OR and NOT into atoms: an error in one atom makes that atom unknown
for that row, and three-valued logic gives the result.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from warehouse.errors import ExpressionRefused
from warehouse.expressions.grammar import AMBIGUOUS, LOGIC, check
from warehouse.expressions.packages import (
    NAME,
    any_sql,
    element,
    inside,
    is_any,
    results_sql,
    sample,
)
from warehouse.rules.columns import COLUMNS, PACKAGE_COLUMNS, SAMPLE
from warehouse.rules.language import PACKAGES, Atom, Predicate
from warehouse.rules.ternary import Tree

_MAX_LENGTH = 2000
_MAX_NODES = 200
_MAX_DEPTH = 40


def compile_predicate(expression: str) -> Predicate:
    """Compile an expression into atoms. Raises ExpressionRefused with the position and a remedy."""
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
            f"it is not an SQL expression: {_plain(place.get('description') or str(error))}",
            expression=expression,
            line=place.get("line") or 1,
            column=place.get("col") or 1,
        ) from error
    if len(parsed) != 1 or parsed[0] is None:
        raise ExpressionRefused("write one boolean expression", expression=expression)
    # sqlglot and DuckDB read ~ differently, and the tree no longer shows it.
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
    _bind(tree, expression)
    return Predicate(shape, tuple(atoms), _nullable(tree))


_LACKS = re.compile(r"Required keyword: '\w+' missing for <class '(?:\w+\.)*(\w+)'>")


def _plain(description: str) -> str:
    """A message of the parser in words of SQL."""
    lacking = _LACKS.match(description)
    return f"a value beside {lacking[1].upper()} is missing" if lacking else description


def _depth(node: exp.Expr) -> int:
    depth, level = 0, [node]
    while level:
        depth, level = depth + 1, [child for parent in level for child in parent.iter_expressions()]
    return depth


def _cut(node: exp.Expr, atoms: list[Atom]) -> Tree:
    """Cut at AND, OR and NOT; drop parentheses around a whole part."""
    while isinstance(node, exp.Paren):
        node = node.this
    kind = LOGIC.get(type(node))
    if kind == "not":
        return "not", (_cut(node.this, atoms),)
    if kind is not None:
        return kind, tuple(_cut(part, atoms) for part in _flat(node, type(node)))
    if isinstance(node, exp.Anonymous) and is_any(node):
        test = node.expressions[0]
        text = f"{NAME}({test.sql(dialect='duckdb', comments=False)})"
        sql, each = f"TRY({any_sql(test)})", results_sql(test)
        return _placed(Atom(text, sql, ("package_identifiers",), each=each), atoms)
    # sqlglot moves the NOT of NOT IN and IS NOT where DuckDB binds it differently: parenthesize.
    safe = node.copy().transform(
        lambda inner: exp.Paren(this=inner) if isinstance(inner, exp.Not) else inner
    )
    sql = safe.sql(dialect="duckdb", comments=False)
    columns = tuple(sorted({column.name for column in node.find_all(exp.Column)}))
    text = node.sql(dialect="duckdb", comments=False)
    return _placed(Atom(text, _open(node, f"TRY({sql})", columns), columns), atoms)


def _placed(atom: Atom, atoms: list[Atom]) -> int:
    if atom not in atoms:
        atoms.append(atom)
    return atoms.index(atom)


def _open(node: exp.Expr, sql: str, columns: Sequence[str]) -> str:
    """Make a test of an open list unknown where packages are unknown.

    Such a list may lack values of unknown packages: a test can find a value in it, but cannot prove
    that a value is absent.
    """
    if not _OPEN & set(columns):
        return sql
    finds = isinstance(node, exp.ArrayContains | exp.ArrayOverlaps | exp.Contains | exp.In)
    positive = f"WHEN {sql} THEN true " if finds else ""
    return f"CASE {positive}WHEN unknown_package_count > 0 THEN NULL ELSE {sql} END"


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
    """Whether a node can be NULL although no error occurs."""
    match node:
        case exp.Column() if inside(node):
            return PACKAGE_COLUMNS[node.name].nullable
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


def _bind(tree: exp.Expr, expression: str) -> None:
    """Let DuckDB check the types and run it on one sample row; it must give a truth value."""
    tests = [node.expressions[0] for node in tree.find_all(exp.Anonymous) if is_any(node)]
    rest = tree.copy().transform(lambda node: exp.true() if is_any(node) else node)
    tried = [(part, part.sql(dialect="duckdb", comments=False)) for part in _parts(rest)]
    # DuckDB must read the text as sqlglot does; only `any_package` it does not know.
    tried += [(test, element(test)) for test in tests] if tests else [(tree, expression)]
    shown = expression
    # Threads share the database, each with a connection of its own.
    connection = _sample().cursor()
    try:
        connection.execute("SET TimeZone='UTC'")
        for node, sql in tried:
            shown = node.sql(dialect="duckdb", comments=False)
            query = f"SELECT ({sql}\n) AS value FROM entry"  # noqa: S608 - it passed `check`
            fields = connection.execute(f"DESCRIBE {query}").fetchall()
            if fields[0][1] != "BOOLEAN":
                raise ExpressionRefused(
                    f"`{shown}` gives {fields[0][1]}, not true or false; compare it with something",
                    expression=expression,
                )
            connection.execute(query)
    except duckdb.ParserException as error:
        raise ExpressionRefused(
            "it is not an SQL expression that DuckDB reads", expression=expression
        ) from error
    except duckdb.Error as error:
        raise ExpressionRefused(_of_types(shown), expression=expression) from error
    finally:
        connection.close()


@cache
def _sample() -> duckdb.DuckDBPyConnection:
    """A database with one sample row; it is made once, since that takes longer than to compile."""
    columns = ", ".join(
        f"{SAMPLE[column.kind]}::{column.kind} AS {name}" for name, column in COLUMNS.items()
    )
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute(f"CREATE TABLE entry AS SELECT {columns}, {sample()} AS {PACKAGES}")
    return connection


def _parts(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The tests of a tree, and the whole."""
    while isinstance(tree, exp.Paren):
        tree = tree.this
    if LOGIC.get(type(tree)) is not None:
        for part in (tree.this, tree.args.get("expression")):
            if part is not None:
                yield from _parts(part)
    yield tree


def _of_types(text: str) -> str:
    """Why DuckDB cannot run a test whose parts are allowed: the types do not fit."""
    known = COLUMNS | PACKAGE_COLUMNS
    used = [name for name in known if re.search(rf"\b{name}\b", text)]
    types = ", ".join(f"{name} is {_WORDS[known[name].kind]}" for name in used)
    remedy = next(
        (
            f"look into a list with list_contains({name}, 'TEXT')"
            for name in used
            if known[name].kind == "VARCHAR[]"
        ),
        "write texts and instants in quotes, numbers without",
    )
    shown = text if len(text) <= 200 else f"{text[:200]}..."
    return f"the types in `{shown}` do not fit: {types or 'no column is read'}; {remedy}"


_WORDS = {
    "VARCHAR": "a text",
    "VARCHAR[]": "a list of texts",
    "BOOLEAN": "true or false",
    "INTEGER": "a number",
    "BIGINT": "a number",
    "TIMESTAMPTZ": "an instant",
}
