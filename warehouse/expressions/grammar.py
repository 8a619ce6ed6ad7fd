"""The allow-list for expressions of rules, and the error for what is not allowed."""

import difflib
import re
from collections.abc import Mapping

from sqlglot import exp

from warehouse.errors import ExpressionRefused
from warehouse.expressions.packages import NAME, inside, wrong_use
from warehouse.rules.columns import COLUMNS, PACKAGE_COLUMNS, Column

LOGIC: dict[type[exp.Expr], str] = {exp.And: "and", exp.Or: "or", exp.Not: "not"}
_NODES = (
    *LOGIC,
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
    exp.ConcatWs,
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
    "contains, concat_ws, regexp_matches, abs, greatest, least, coalesce, nullif, len, "
    f"list_contains, list_has_any, list_has_all, date_diff, {NAME}"
)
_INSTEAD: list[tuple[str, str]] = [
    (r"\b(now|today|current_\w+|get_current_\w+)\b", "use age_days, updated_days"),
    (r"\b(select|exists|from)\b", "name the values in a list of the document"),
    (r"\b(random|uuid|gen_random_uuid)\b", "a rule must come to the same verdict every time"),
    (r"\b(read_\w+|getenv|glob)\b", "a rule reads nothing but its columns; use a list with a file"),
    (r"\bglob\b", "use names = ['io.github.example/*'] instead of `when`"),
]
# Functions that sqlglot parses without a node type of their own.
_PLAIN = ("ends_with", "suffix", "list_has_all")
# Columns of bounded length: looking for them in a text is quick.
_SHORT = ("name", "namespace", "publisher", "version", "upstream", "status", "repository_source")
_PARTS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
AMBIGUOUS = "~"
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?(Z|[+-]\d\d(:\d\d)?)?")


def check(node: exp.Expr, expression: str) -> None:
    reason = _validation_error(node)
    if reason is not None:
        line, column = _place(node, expression)
        raise ExpressionRefused(reason, expression=expression, line=line, column=column)


def _validation_error(node: exp.Expr) -> str | None:
    """What is wrong with one node, and what to write instead; None if it is allowed."""
    if isinstance(node, exp.Column):
        known = PACKAGE_COLUMNS if inside(node) else COLUMNS
        return _no_column(node, known) if node.table or node.name not in known else None
    if isinstance(node, exp.Cast) and _is_date(node):
        return None
    if isinstance(node, exp.DataType) and isinstance(node.parent, exp.Cast):
        return None if _is_date(node.parent) else "write the value as it is, without a cast"
    if isinstance(node, exp.Anonymous) and node.name.lower() in (*_PLAIN, NAME):
        return wrong_use(node)
    if (reason := _slow_pattern(node) or _long_text(node)) is not None:
        return reason
    if isinstance(node, exp.Var) and not (
        isinstance(node.parent, exp.DateDiff) and node.name.upper() in _PARTS
    ):
        return f"`{node.sql()}` is not allowed here; write one of {', '.join(_PARTS).lower()}"
    if type(node) not in _NODES:
        sql = node.sql(dialect="duckdb")[:60]
        for pattern, instead in _INSTEAD:
            if re.search(pattern, sql, re.IGNORECASE):
                return f"`{sql}` is not allowed in a rule: {instead}"
        if isinstance(node, exp.Anonymous):
            called = node.name.lower()
            for near in difflib.get_close_matches(called, _FUNCTIONS.split(", "), n=1):
                return f"there is no function {called}; did you mean `{near}`?"
        return (
            f"`{sql}` is not allowed in a rule; use comparisons, AND, OR, NOT, IN, LIKE, CASE and "
            f"the functions {_FUNCTIONS}"
        )
    return None


def _no_column(node: exp.Column, known: Mapping[str, Column]) -> str:
    if getattr(node.this, "quoted", False):
        return f"{node.sql()} is the name of a column; write a text in single quotes"
    close = difflib.get_close_matches(node.name, known, n=1)
    remedy = f"did you mean `{close[0]}`?" if close and not node.table else ""
    return f"there is no column `{node.sql()}`; " + (
        remedy or f"the columns are {', '.join(sorted(known))}"
    )


def _slow_pattern(node: exp.Expr) -> str | None:
    """What is wrong with a pattern: not a literal, too long, or too slow; None if nothing."""
    pattern = node.args.get("expression")
    text = pattern.name if isinstance(pattern, exp.Literal) else None
    if isinstance(node, exp.RegexpLike) and (text is None or len(text) > 300):
        return "a pattern of regexp_matches must be a text of 300 characters at most"
    if isinstance(node, exp.Contains | exp.StrPosition):
        looked_for = node.args.get("expression") or node.args.get("substr")
        columns = looked_for.find_all(exp.Column) if looked_for else ()
        if long := [column.name for column in columns if column.name not in _SHORT]:
            return f"`{long[0]}` may be long: write the text that is looked for, or use a name"
    if isinstance(node, exp.Like | exp.ILike) and (text is None or text.count("%") > 2):
        return "a pattern of LIKE must be a text with two % at most; use contains for the rest"
    return None


def _long_text(node: exp.Expr) -> str | None:
    """What is wrong with a joined text, which must not grow beyond the columns; None if nothing."""
    if not isinstance(node, exp.ConcatWs):
        return None
    separator, *parts = node.expressions
    names = [part.name for part in parts if isinstance(part, exp.Column)]
    fixed = isinstance(separator, exp.Literal) and len(separator.name) <= 10
    if not fixed or len(set(names)) != len(parts):
        return "write concat_ws with a short text between, and columns, each once"
    return None


def _is_date(node: exp.Cast) -> bool:
    """Whether it is a literal instant: DATE '2026-01-31', TIMESTAMPTZ '2026-01-31T12:00:00Z'."""
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
    """Line and column (from 1) of a node, as far as sqlglot or the text shows."""
    meta = next((child.meta for child in node.walk() if "start" in child.meta), None)
    start = int(meta["start"]) if meta else max(expression.find(node.name), 0)
    before = expression[:start]
    return before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1
