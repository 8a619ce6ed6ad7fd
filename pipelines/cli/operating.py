"""The commands that operate the line: open the deployment, run one step, print its report.

No step is implemented here.
"""

import argparse
import logging
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.cli.console import Reporter, print_json, print_report, progress_bar
from pipelines.cli.context import find_policies, open_deployment
from pipelines.errors import SomeFailed, UsageError
from pipelines.settings import load_settings

log = logging.getLogger(__name__)

_SURROGATE = re.compile("[\ud800-\udfff]")


def run(arguments: argparse.Namespace) -> int:
    from pipelines.refresh import refresh

    reporter = Reporter(as_json=arguments.json)
    try:
        with progress_bar() as progress:
            refresh(
                open_deployment(),
                full=arguments.full,
                profile=arguments.profile,
                report_step=reporter,
                progress=progress,
            )
    except SomeFailed:  # the reports of what succeeded come before the error
        reporter.end()
        raise
    return reporter.end()


def pull(arguments: argparse.Namespace) -> int:
    from pipelines.refresh import pull_all

    reporter = Reporter(as_json=arguments.json)
    with progress_bar() as progress:
        failed = pull_all(
            open_deployment(),
            upstream=arguments.upstream,
            full=arguments.full,
            accept_shrink=arguments.accept_shrink,
            reason=arguments.reason,
            report_step=reporter,
            progress=progress,
        )
    reporter.end()
    if failed:
        raise failed
    return 0


def profile(arguments: argparse.Namespace) -> int:
    reporter = Reporter(as_json=arguments.json)
    only = None
    if arguments.only:
        origin, _, name = arguments.only.rpartition(":")
        if not origin or not name:
            raise UsageError(
                f"--only {arguments.only!r}: write npm:NAME, pypi:NAME or oci:HOST:NAME"
            )
        only = (origin, name)
    with progress_bar() as progress:
        report = open_deployment().profile(
            budget=arguments.budget or 1_000_000, only=only, progress=progress
        )
    if only and not report.due:
        raise UsageError(f"no entry claims a package {arguments.only}; see subregistry query")
    reporter("profile", report)
    return reporter.end()


def block(arguments: argparse.Namespace) -> int:
    import msgspec

    from pipelines.operate.block import known_anywhere

    deployment, target, reason = open_deployment(), arguments.target, arguments.reason
    if arguments.list == bool(target):
        raise UsageError("write block NAME[@VERSION] --reason WHY, or block --list")
    rows: list[Any]  # blocks, or reports of blocking
    failed: list[str] = []
    target = target.strip() if target else target
    # Argument bytes that are not UTF-8 become lone surrogates, which no JSON file can hold.
    if target and _SURROGATE.search(target):
        raise UsageError(f"{target!r} is not UTF-8; write the name as upstream shows it")
    reason = reason.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if arguments.list:
        rows = [msgspec.structs.asdict(blocked) for blocked in deployment.blocks.read()]
    elif arguments.lift:
        rows = [msgspec.structs.asdict(deployment.lift(target, reason=reason))]
    elif not reason:
        raise UsageError("say why: add --reason WHY; readers see it")
    else:
        rows = [asdict(report) for report in deployment.block(target, reason=reason)]
        # Exported files are copies: without a renewal they would still show the target.
        for renewed in deployment.renew_exports():
            if isinstance(renewed, str):
                failed.append(renewed)
            else:
                rows.append(asdict(renewed))
        if not known_anywhere(deployment.settings.feed_root, target):
            log.warning("no feed knows %s: is it spelt right? It is blocked all the same", target)
    if arguments.json:
        print_json(rows)
        return _unfinished(failed)
    for row in rows:
        print_report("lifted" if arguments.lift else "blocked", row)
    return _unfinished(failed)


def _unfinished(failed: list[str]) -> int:
    for text in failed:
        log.error(text)
    return 1 if failed else 0


def export(arguments: argparse.Namespace) -> int:
    deployment, form = open_deployment(), arguments.form
    path = arguments.to if form else arguments.static
    # Exactly one of --form and --static; a key signs a static tree only.
    if bool(form) == bool(arguments.static) or not path or (form and arguments.key):
        raise UsageError("write export --static DIR [--key FILE], or export --form FORM --to FILE")
    (policy,) = find_policies(deployment, arguments.feed)
    key = Path(arguments.key) if arguments.key else None
    report = deployment.export(policy, form or "static", Path(path), key=key)
    if arguments.json:
        print_json(report)
        return 0
    for line in report.left_out:
        log.warning("left out: %s", line)
    if policy.document.access == "key":
        log.warning("feed %s asks readers for a key; these files do not", policy.name)
    print_report("export", {**asdict(report), "left_out": len(report.left_out)})
    return 0


def serve(arguments: argparse.Namespace) -> int:
    from pipelines.server import compiler, listen
    from pipelines.server import run as run_server
    from serve.server.feed_identities import served_feeds

    settings = load_settings()
    feeds = ", ".join(
        feed.base_path for feed in served_feeds(settings.feed_root, settings.feeds, compiler)
    )
    socket = listen(arguments.host, arguments.port)
    host, port = socket.getsockname()[:2]
    sys.stderr.write(f"serving {feeds} on http://{host}:{port} with {arguments.workers} workers\n")
    return run_server(settings, socket, workers=arguments.workers)


def release(arguments: argparse.Namespace) -> int:
    if bool(arguments.names) == bool(arguments.of):
        raise UsageError("write names, or --of UPSTREAM for all names of one upstream")
    deployment = open_deployment()
    rows = deployment.release(arguments.names, of=arguments.of)
    for row in rows:
        deployment.audit.add("release", row["name"], reason=arguments.reason)
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        print_report("released", {"name": row["name"], "belongs_to": row["upstream"] or "nobody"})
    return 0
