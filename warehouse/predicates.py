"""Rule expressions: SQL boolean expressions over a fixed set of columns, checked before they run.

sqlglot parses; only the node types, functions and columns listed here pass, so an expression cannot
read a table or a file, call the clock, or grow without bound.
"""

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from warehouse.errors import ExpressionRefused

COLUMNS: dict[str, tuple[str, str]] = {
    "name": ("VARCHAR", "server name"),
    "version": ("VARCHAR", "version of the server"),
    "namespace": ("VARCHAR", "the name up to its slash"),
    "status": ("VARCHAR", "active, deprecated or deleted (also when vanished upstream)"),
    "is_latest": ("BOOLEAN", "upstream calls it the latest version"),
    "published_at": ("TIMESTAMPTZ", "upstream's publication instant"),
    "updated_at": ("TIMESTAMPTZ", "upstream's instant of the last change"),
    "first_seen": ("TIMESTAMPTZ", "when we first saw it"),
    "title": ("VARCHAR", "display name"),
    "description": ("VARCHAR", "description"),
    "website_url": ("VARCHAR", "website"),
    "repository_url": ("VARCHAR", "source repository; NULL if none is named"),
    "repository_source": ("VARCHAR", "hosting service of the repository"),
    "package_count": ("INTEGER", "packages it claims"),
    "remote_count": ("INTEGER", "remotes it offers"),
    "registry_types": ("VARCHAR[]", "list of the packages' registry types"),
    "transports": ("VARCHAR[]", "list of the remotes' transports"),
    "absent_package_count": ("BIGINT", "packages known to be absent from their registry"),
    "unknown_package_count": ("BIGINT", "packages that nothing is known of (yet)"),
    "deprecated_package_count": (
        "BIGINT",
        "packages whose version is deprecated; NULL without any",
    ),
    "yanked_package_count": ("BIGINT", "packages whose version is yanked; NULL without any"),
    "licenses": ("VARCHAR[]", "list of the packages' SPDX licences"),
    "stale_package_count": ("BIGINT", "packages whose registry answered last with trouble"),
    "install_script_package_count": ("BIGINT", "packages that run a script when installed"),
    "provenance_package_count": ("BIGINT", "packages that come with provenance"),
    "ownerships": ("VARCHAR[]", "list of the verdicts on the packages' ownership"),
    "availabilities": ("VARCHAR[]", "list of available, yanked, unpublished and so on"),
    "signals": ("VARCHAR[]", "list of all reason codes of its packages"),
    "provenance_repositories": (
        "VARCHAR[]",
        "list of repositories that provenance names",
    ),
    "repository_matches": ("BOOLEAN", "the packages name the entry's repository; NULL if untold"),
    "versions_behind": ("BIGINT", "releases of a package that are newer than the claimed one"),
    "days_behind": ("BIGINT", "days from the claimed release to the package's latest"),
    "package_first_published_at": ("TIMESTAMPTZ", "first publication of its oldest package"),
    "package_published_at": ("TIMESTAMPTZ", "publication of the newest claimed release"),
    "digest_moved_at": (
        "TIMESTAMPTZ",
        "when a claimed tag was seen to hold other bytes",
    ),
    "owners_changed_at": ("TIMESTAMPTZ", "when a package was seen to have other owners"),
    "downloads": ("BIGINT", "of its most fetched package: in a week (Docker Hub: ever)"),
    "claimant_count": ("BIGINT", "servers that claim a package of it, itself included"),
}
"""Every column a rule may use, with its type and what it means."""

_NODES = (
    exp.And,
    exp.Or,
    exp.Not,
    exp.Paren,
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.Is,
    exp.In,
    exp.Between,
    exp.Like,
    exp.ILike,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Neg,
    exp.Null,
    exp.Boolean,
    exp.Literal,
    exp.Column,
    exp.Identifier,
    exp.Lower,
    exp.Upper,
    exp.Length,
    exp.Coalesce,
    exp.StartsWith,
    exp.Contains,
    exp.ArrayContains,
)
_FUNCTIONS = "lower, upper, length, coalesce, starts_with, contains, list_contains"
_MAX_LENGTH = 2000
_MAX_NODES = 200


def compile_predicate(expression: str) -> str:
    """DuckDB SQL for a rule expression. Raises ExpressionRefused with the place and what to do."""
    if len(expression) > _MAX_LENGTH:
        raise ExpressionRefused(
            f"the expression is longer than {_MAX_LENGTH} characters; split the rule",
            expression=expression,
        )
    try:
        parsed = sqlglot.parse(expression, read="duckdb")
    except (ParseError, TokenError, RecursionError) as error:
        place = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        raise ExpressionRefused(
            f"it is not an SQL expression: {place.get('description') or error}",
            expression=expression,
            line=place.get("line") or 1,
            column=place.get("col") or 1,
        ) from error
    if len(parsed) != 1 or parsed[0] is None:
        raise ExpressionRefused("write one boolean expression", expression=expression)
    tree = parsed[0]
    nodes = list(tree.walk())
    if len(nodes) > _MAX_NODES:
        raise ExpressionRefused("it is too large; split the rule", expression=expression)
    for node in nodes:
        _check(node, expression)
    # DuckDB binds NOT differently from where sqlglot writes it (NOT IN, IS NOT): say it outright.
    tree = tree.transform(lambda n: exp.Paren(this=n) if isinstance(n, exp.Not) else n, copy=False)
    sql = tree.sql(dialect="duckdb")
    _bind(sql, expression)
    return f"TRY({sql})"


def _bind(sql: str, expression: str) -> None:
    """Let DuckDB find the types on an empty row of all columns; they must come to a truth value."""
    columns = ", ".join(f"NULL::{kind} AS {name}" for name, (kind, _) in COLUMNS.items())
    connection = duckdb.connect(":memory:", config={"threads": 1})
    try:
        connection.execute(f"CREATE TABLE entry AS SELECT {columns} LIMIT 0")
        found = connection.execute(f"DESCRIBE SELECT ({sql}) AS value FROM entry").fetchall()  # noqa: S608 - checked
    except duckdb.Error as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise ExpressionRefused(reason, expression=expression) from error
    finally:
        connection.close()
    if found[0][1] != "BOOLEAN":
        raise ExpressionRefused(
            f"it gives {found[0][1]}, not true or false; compare it with something",
            expression=expression,
        )


def _check(node: exp.Expr, expression: str) -> None:
    line, column = node.meta.get("line", 1), node.meta.get("col", 1)
    if not isinstance(node, _NODES) or type(node) not in _NODES:
        what = node.sql(dialect="duckdb")[:60]
        raise ExpressionRefused(
            f"`{what}` is not allowed in a rule; use comparisons, AND, OR, NOT, IN, LIKE and the "
            f"functions {_FUNCTIONS}",
            expression=expression,
            line=line,
            column=column,
        )
    if isinstance(node, exp.Column) and (node.table or node.name not in COLUMNS):
        raise ExpressionRefused(
            f"there is no column `{node.sql()}`; the columns are {', '.join(sorted(COLUMNS))}",
            expression=expression,
            line=line,
            column=column,
        )
