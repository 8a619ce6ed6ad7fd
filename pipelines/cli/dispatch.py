"""Dispatch: the function of each command."""

import argparse
import logging
from collections.abc import Callable

from pipelines.cli import publishing, reports
from pipelines.cli.console import EscapingFormatter
from pipelines.cli.demonstration import demo
from pipelines.cli.feeds import keys, list_feeds
from pipelines.cli.operating import block, export, profile, pull, release, run, serve
from pipelines.settings import load_settings
from pipelines.shortage import shortage_explained


def dispatch(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    handler = logging.StreamHandler()
    handler.setFormatter(EscapingFormatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    command = _COMMANDS[arguments.command]
    with shortage_explained(load_settings().home):
        return command(arguments)


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
