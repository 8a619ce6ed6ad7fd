"""Printing: reports as lines or JSON, progress bars on a terminal."""

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from pipelines.progress import Progress, in_lines

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey: controls but tab and line feed, and changes of direction."""


def as_json(value: object) -> Any:  # JSON values of a report
    """Convert a report to JSON values: instants as RFC 3339, NaN and infinities as null."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    return json.loads(json.dumps(value, default=_plain), parse_constant=lambda _: None)


def print_json(value: object) -> None:
    text = json.dumps(as_json(value), ensure_ascii=False, indent=2, allow_nan=False)
    # JSON escapes what is below U+0020; the escape of the rest is JSON's too.
    print(escaped(text))


def print_report(step: str, report: object) -> None:
    """Print a report as one line of `key=value`; zero and empty values are left out."""
    facts = as_json(report)
    shown = [f"{key}={_short(value)}" for key, value in facts.items() if value or key == "entries"]
    print_line(f"{step:<8} {' '.join(shown)}")


def print_line(text: str) -> None:
    """Print one line: its line feeds are escaped too."""
    print(escaped(text).replace("\n", "\\n"), flush=True)


def escaped(text: str) -> str:
    """A text from elsewhere, as a terminal may show it."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class EscapingFormatter(logging.Formatter):
    """Log lines, as a terminal may show them."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record))


def print_table(names: list[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as an aligned table; texts are literal, without rich's markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for name in names:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*[Text("" if value is None else escaped(str(value))) for value in row])
    # Without a terminal, rich would fold at 80 columns.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show a bar on a terminal, elsewhere a line from time to time; both on standard error."""
    if not sys.stderr.isatty():
        with in_lines(_to_stderr) as progress:
            yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(
        *columns,
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # piped reports must stay in the pipe
    ) as bar:
        tasks: dict[str, Any] = {}  # rich's task ids

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show


def _to_stderr(line: str) -> None:
    with suppress(OSError):  # the reader is gone; the work goes on
        print(line, file=sys.stderr, flush=True)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}:{item}" for key, item in value.items())
    text = str(value)
    # 64 characters: a SHA-256 in hex, of which the beginning is enough for people.
    return f"{text[:12]}…" if len(text) == 64 else text


class Reporter:
    """Prints reports as they come, or all of them as JSON at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._reports: list[dict[str, object]] = []
        self._as_json = as_json

    def __call__(self, step: str, report: object) -> None:
        self._reports.append({"step": step, "report": report})
        if not self._as_json:
            print_report(step, report)

    def end(self) -> int:
        if self._as_json:
            print_json([{"step": r["step"], **as_json(r["report"])} for r in self._reports])
        return 0
