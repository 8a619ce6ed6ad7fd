"""Reference tables of the documents, made of the code; `make docs` writes them, a test compares.

cog runs these functions where a document names them. A text is written once: at the setting, the
column, the command or the relation.
"""

import argparse
from collections.abc import Iterable, Sequence

from pipelines.cli.parser import parser
from pipelines.settings import Settings
from serve.api.openapi import openapi
from serve.policy.served_feed import ServedFeed
from warehouse.database.schema import relations
from warehouse.rules.columns import COLUMNS, PACKAGE_COLUMNS, Column

_LOOSE = {
    "feeds": "the shipped ones",
    "upstream_url": "the official registry",
    "contact": "the project",
}
"""Defaults that are long, or that are no value."""


def settings() -> str:
    """Every environment variable with its default."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, (bool, float)):
            default = f"{default:g}"
        shown = f"`{default}`" if default not in (None, "") else ""
        variable = f"`SUBREGISTRY_{name.upper()}`"
        rows.append((variable, _LOOSE.get(name, shown), field.description))
    return _table(("variable", "default", "meaning"), rows)


def columns() -> str:
    """Every column that a rule may use."""
    return _columns(COLUMNS)


def package_columns() -> str:
    """Every column that a test of one package may use."""
    return _columns(PACKAGE_COLUMNS)


def _columns(known: dict[str, Column]) -> str:
    source = {
        "name": "the entry",
        "upstream": "upstream",
        "registries": "package registries",
        "warehouse": "computed",
    }
    return _table(
        ("column", "type", "said by", "meaning"),
        [
            (
                f"`{name}`",
                f"{column.kind}{' or NULL' if column.nullable else ''}",
                source[column.source],
                column.meaning,
            )
            for name, column in known.items()
        ],
    )


def commands() -> str:
    """Every command with its options."""
    # argparse has no public list of what was added, hence the two private ones below.
    (commands,) = [a for a in parser()._actions if a.dest == "command"]  # noqa: SLF001
    assert isinstance(commands.choices, dict)
    rows = []
    for name, command in commands.choices.items():
        assert isinstance(command, argparse.ArgumentParser)
        own = [a for a in command._actions if a.dest not in ("help", "json")]  # noqa: SLF001
        options = [_option(action) for action in own]
        rows.append(
            (
                f"`subregistry {name}`",
                " ".join((command.description or "").split()),
                "; ".join(options),
            )
        )
    return _table(("command", "what it does", "arguments"), rows)


def _option(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(action.choices) if action.choices else "")
    words = [*action.option_strings[:1], str(value) if action.nargs != 0 else ""]
    text = (action.help or "") % vars(action)
    return f"`{' '.join(word for word in words if word)}`" + (f" {text}" if text else "")


def tables() -> str:
    """Every table, view and macro of the warehouse."""
    rows = sorted(relations(), key=lambda relation: relation[0])
    return _table(
        ("relation", "kind", "what it holds"),
        [(f"`{name}`", kind, text) for name, kind, text in rows],
    )


def routes() -> str:
    """Every route of a feed with its parameters."""
    rows = []
    for path, methods in openapi(ServedFeed("default", "Default", "/"))["paths"].items():
        route = next(iter(methods.values()))
        names = [f"`{p['name']}`" for p in route.get("parameters", []) if p["in"] == "query"]
        rows.append((f"`{path}`", route["summary"], ", ".join(names)))
    return _table(("route", "answers", "parameters"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join((cell or "").replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )
