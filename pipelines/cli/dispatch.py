"""Dispatch: the function of each command, and the exit code of each error."""

import argparse
import logging
from collections.abc import Callable

from pipelines.cli import publishing, reports
from pipelines.cli.demonstration import demo
from pipelines.cli.feeds import keys, list_feeds
from pipelines.cli.operating import block, export, profile, pull, release, run, serve
from pipelines.errors import SomeFailed, StepError
from pipelines.settings import load_settings
from pipelines.shortage import shortage_explained


def dispatch(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    command = _COMMANDS[arguments.command]
    with shortage_explained(load_settings().home):
        return command(arguments)


def exit_code(error: Exception) -> int | None:
    """The exit code of an error that a user can act on; None for a bug of ours."""
    from connectors.errors import ConnectorError
    from serve.errors import FeedBusy, PolicyInvalid, ServeError, SwitchRefused
    from warehouse.errors import BrakeEngaged, QueryRefused, WarehouseBusy, WarehouseError

    # The first match counts, so subclasses come before their base class.
    known: list[tuple[type[Exception], int]] = [
        (BrakeEngaged, 3),
        (SwitchRefused, 3),
        (FeedBusy, 4),
        (WarehouseBusy, 4),
        (PolicyInvalid, 2),
        (QueryRefused, 2),
        (WarehouseError, 1),
        (ConnectorError, 1),
        (ServeError, 1),
        (OSError, 1),
    ]
    if isinstance(error, SomeFailed):
        codes = [exit_code(cause) or 1 for cause in error.errors.values()]
        return 3 if 3 in codes else codes[0]
    if isinstance(error, StepError):
        return error.exit_code
    return next((code for kind, code in known if isinstance(error, kind)), None)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "pull": pull,
    "profile": profile,
    "curate": publishing.curate,
    "build": publishing.build,
    "switch": publishing.switch,
    "index": publishing.index,
    "editions": publishing.editions,
    "block": block,
    "export": export,
    "audit": reports.audit,
    "serve": serve,
    "status": reports.status,
    "explain": reports.explain,
    "changes": reports.changes,
    "quarantine": reports.quarantine,
    "doctor": reports.doctor,
    "release": release,
    "query": reports.query,
    "feeds": list_feeds,
    "keys": keys,
    "demo": demo,
}
