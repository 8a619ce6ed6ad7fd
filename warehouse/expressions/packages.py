"""Tests of one package: `any_package(...)`, whose columns are those of a package of the entry.

The packages of an entry are a list, and the test a lambda over it. It is true if it is true for one
package, unknown if it is unknown for one and true for none, and else false.
"""

from sqlglot import exp

from warehouse.rules.columns import PACKAGE_COLUMNS, SAMPLE
from warehouse.rules.language import PACKAGES

NAME = "any_package"
_ROW = "p"


def is_any(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() == NAME


def inside(node: exp.Expr) -> bool:
    """Whether a node is part of the test of a package."""
    parent = node.parent
    while parent is not None:
        if is_any(parent):
            return True
        parent = parent.parent
    return False


def results_sql(test: exp.Expr) -> str:
    """SQL of a list with the result of the test for each package of an entry."""
    return f"list_transform(coalesce({PACKAGES}, []), lambda {_ROW}: TRY({_of_row(test)}))"


def any_sql(test: exp.Expr) -> str:
    """SQL of the test over all packages of an entry."""
    results = results_sql(test)
    unknown = f"len(list_filter({results}, lambda r: r IS NULL)) > 0"
    found = f"list_contains({results}, true)"
    return f"CASE WHEN {found} THEN true WHEN {unknown} THEN NULL ELSE false END"


def element(test: exp.Expr) -> str:
    """SQL of the test for the first package of the sample, to see what it gives."""
    return f"list_transform({PACKAGES}, lambda {_ROW}: ({_of_row(test)}))[1]"


def sample() -> str:
    """SQL of a list with one package, to check the types of a test."""
    members = ", ".join(
        f"'{name}': {SAMPLE[column.kind]}::{column.kind}"
        for name, column in PACKAGE_COLUMNS.items()
    )
    return f"[{{{members}}}]"


def wrong_use(node: exp.Anonymous) -> str | None:
    """What is wrong with the place or the form of `any_package`; None if nothing."""
    if not is_any(node):
        return None
    if len(node.expressions) != 1:
        return f"write one test in {NAME}(...), such as {NAME}(registry_type = 'npm' AND yanked)"
    if inside(node):
        return f"{NAME} cannot stand within {NAME}"
    if not isinstance(node.parent, exp.And | exp.Or | exp.Not | exp.Paren | None):
        return f"{NAME}(...) is a test of its own; combine it by AND, OR and NOT"
    return None


def _of_row(test: exp.Expr) -> str:
    """The test with its columns as members of the lambda's row, and NOT in parentheses."""

    row = test.copy()
    for column in list(row.find_all(exp.Column)):
        column.set("table", exp.to_identifier(_ROW))
    # The deepest first, since each is replaced by a copy.
    for negation in reversed(list(row.find_all(exp.Not))):
        if negation.parent is not None:
            negation.replace(exp.Paren(this=negation.copy()))
    return row.sql(dialect="duckdb", comments=False)
