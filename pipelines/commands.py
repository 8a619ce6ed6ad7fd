"""The commands behind the command line: settings, one step, its report. No step is written here."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines import feeding, inquiries
from pipelines.console import Teller, print_json, print_report, progress_bar
from pipelines.errors import SomeFailed, StepError, UsageError
from pipelines.opening import find_policies, open_deployment
from pipelines.room import shortage_explained
from pipelines.settings import load_settings

log = logging.getLogger(__name__)


def dispatch(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    run: Callable[[argparse.Namespace], int] = _COMMANDS[arguments.command]
    with shortage_explained(lambda: load_settings().home):
        return run(arguments)


def exit_code(error: Exception) -> int | None:
    """The exit code of an error that a user can act on; None for a defect of ours."""
    from connectors.errors import ConnectorError
    from serve.errors import FeedBusy, PolicyInvalid, ServeError, SwitchRefused
    from warehouse.errors import BrakeEngaged, QueryRefused, WarehouseBusy, WarehouseError

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
        codes = [exit_code(found) or 1 for found in error.errors.values()]
        return 3 if 3 in codes else codes[0]
    if isinstance(error, StepError):
        return error.exit_code
    return next((code for kind, code in known if isinstance(error, kind)), None)


def _run(arguments: argparse.Namespace) -> int:
    from pipelines.steps.refresh import refresh

    tell = Teller(as_json=arguments.json)
    try:
        with progress_bar() as progress:
            refresh(
                open_deployment(),
                full=arguments.full,
                accept_shrink=arguments.accept_shrink,
                profile=arguments.profile,
                tell=tell,
                progress=progress,
            )
    except SomeFailed:
        tell.end()
        raise
    return tell.end()


def _pull(arguments: argparse.Namespace) -> int:
    from pipelines.steps.refresh import pull_all

    tell = Teller(as_json=arguments.json)
    with progress_bar() as progress:
        failed = pull_all(
            open_deployment(),
            upstream=arguments.upstream,
            full=arguments.full,
            accept_shrink=arguments.accept_shrink,
            tell=tell,
            progress=progress,
        )
    tell.end()
    if failed:
        raise failed
    return 0


def _profile(arguments: argparse.Namespace) -> int:
    tell = Teller(as_json=arguments.json)
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
    tell("profile", report)
    return tell.end()


def _block(arguments: argparse.Namespace) -> int:
    import msgspec

    from pipelines.steps.block import known_anywhere
    from pipelines.steps.export import renew_all

    deployment, target, reason = open_deployment(), arguments.target, arguments.reason
    if arguments.list == bool(target):
        raise UsageError("write block NAME[@VERSION] --reason WHY, or block --list")
    rows: list[Any]  # blocks, or reports of blocking
    failed: list[str] = []
    target = target.strip() if target else target
    reason = reason.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if arguments.list:
        rows = [msgspec.structs.asdict(found) for found in deployment.blocks.read()]
    elif arguments.lift:
        rows = [msgspec.structs.asdict(deployment.lift(target, reason=reason))]
    elif not reason:
        raise UsageError("say why: add --reason WHY; readers see it")
    else:
        rows = [asdict(found) for found in deployment.block(target, reason=reason)]
        for renewed in renew_all(deployment):
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


def _export(arguments: argparse.Namespace) -> int:
    from pipelines.steps.export import export

    deployment, form = open_deployment(), arguments.form
    path = arguments.to if form else arguments.static
    if bool(form) == bool(arguments.static) or not path or (form and arguments.key):
        raise UsageError("write export --static DIR [--key FILE], or export --form FORM --to FILE")
    (policy,) = find_policies(deployment, arguments.feed)
    key = Path(arguments.key) if arguments.key else None
    report = export(deployment, policy.served, form or "static", Path(path), key=key)
    if arguments.json:
        print_json(report)
        return 0
    for line in report.left_out:
        log.warning("left out: %s", line)
    if policy.document.access == "key":
        log.warning("feed %s asks readers for a key; these files do not", policy.name)
    print_report("export", {**asdict(report), "left_out": len(report.left_out)})
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from pipelines.server import compiler, listen, run
    from serve.server.served import served_feeds

    settings = load_settings()
    feeds = ", ".join(
        feed.base_path for feed in served_feeds(settings.feed_root, settings.feeds, compiler)
    )
    socket = listen(arguments.host, arguments.port)
    host, port = socket.getsockname()[:2]
    sys.stderr.write(f"serving {feeds} on http://{host}:{port} with {arguments.workers} workers\n")
    return run(settings, socket, workers=arguments.workers)


def _release(arguments: argparse.Namespace) -> int:
    from pipelines.steps.records import release

    if bool(arguments.names) == bool(arguments.of):
        raise UsageError("write names, or --of UPSTREAM for all names of one upstream")
    deployment = open_deployment()
    rows = release(deployment, arguments.names, of=arguments.of)
    for row in rows:
        deployment.audit.add("release", row["name"], reason=arguments.reason)
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        print_report("released", {"name": row["name"], "belongs_to": row["upstream"] or "nobody"})
    return 0


def _preview(arguments: argparse.Namespace) -> int:
    from pipelines.steps.preview import preview

    report = preview(open_deployment(), Path(arguments.policy))
    if arguments.json:
        print_json(report)
        return 0
    for found in report.changes:
        sign = {"add": "+", "withdraw": "-"}.get(found.change, "~")
        facts = {"rule": f"{found.before} → {found.after}", "reason": found.reason}
        facts["details"] = "; ".join(found.details)
        print_report(f"{sign} {found.name}@{found.version}", facts)
    counts = {key: value for key, value in asdict(report).items() if key != "changes"}
    print_report("diff", counts)
    return 0


def _feeds(arguments: argparse.Namespace) -> int:
    if (arguments.action == "diff") != bool(arguments.policy):
        raise UsageError("write feeds, feeds check, or feeds diff FILE")
    if arguments.action == "diff":
        return _preview(arguments)
    deployment = open_deployment()
    documents = deployment.documents()
    for error in documents.broken.values():
        sys.stderr.write(f"subregistry: {error}\n")
    rows = [
        {
            "name": policy.name,
            "base_path": policy.document.base_path,
            "title": policy.document.title,
            "rules": len(policy.rules),
            "live": deployment.feed(policy.name).current_id(),
        }
        for policy in documents.valid
    ]
    if arguments.json:
        print_json(rows)
    else:
        for row in rows:
            print_report("ok" if arguments.action == "check" else "feed", row)
    return 2 if documents.broken else 0


def _keys(arguments: argparse.Namespace) -> int:
    deployment = open_deployment()
    (policy,) = find_policies(deployment, arguments.feed)
    keys, what = deployment.feed(policy.name).keys, arguments.what
    if (arguments.action == "list") == bool(what):
        raise UsageError("write keys list, keys add LABEL or keys revoke ID")
    if arguments.action == "revoke":
        keys.revoke(what)
        print_report("revoked", {"feed": policy.name, "key": what})
        return 0
    if arguments.action == "add":
        token = keys.add(what, now=deployment.clock())
        if policy.document.access != "key":
            log.warning('feed %s lacks access = "key", so everybody may read it', policy.name)
        if arguments.json:
            print_json({"feed": policy.name, "label": what, "token": token})
        else:
            sys.stdout.write(f"{token}\n")
        return 0
    rows = [{"key": k.id, "label": k.label, "created_at": k.created_at} for k in keys.all()]
    if arguments.json:
        print_json(rows)
    else:
        for row in rows:
            print_report("key", row)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from pipelines.demo.play import check_feed, played
    from pipelines.server import listen, run, serving

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    socket = listen("127.0.0.1", 0 if arguments.once else arguments.port)
    with (
        tempfile.TemporaryDirectory(prefix="subregistry-demo-") as folder,
        played(Path(folder), say, print_report) as result,
    ):
        settings = result.deployment.settings
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        if arguments.once:
            with serving(settings, socket):
                return _checked(say, url, *check_feed(f"{url}/feeds/mirror", result.upstream))
        say(f"\nThe feed is served at {url}/v0.1/servers")
        say(f"  the mirror of upstream:   {url}/feeds/mirror/v0.1/servers?version=latest")
        say(f"  one search:               {url}/v0.1/servers?search=postgres")
        say(f"  what the API promises:    {url}/openapi.yaml")
        say("Press Ctrl-C to end.")
        return run(settings, socket, workers=1)


def _checked(say: Callable[[str], None], url: str, met: int, complaints: list[str]) -> int:
    expected = [c for c in complaints if "io.github.oddities/" in c]
    say(f"\nchecked {url}/feeds/mirror: {met} entries walked, {len(complaints)} differences,")
    say(f"of which {len(expected)} are odd entries that clients could not decode:")
    for complaint in complaints:
        say(f"  {complaint}")
    return 1 if len(expected) < len(complaints) or not met else 0


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "pull": _pull,
    "profile": _profile,
    "curate": feeding.curate,
    "build": feeding.build,
    "switch": feeding.switch,
    "index": feeding.index,
    "editions": feeding.editions,
    "block": _block,
    "export": _export,
    "audit": inquiries.audit,
    "serve": _serve,
    "status": inquiries.status,
    "explain": inquiries.explain,
    "changes": inquiries.changes,
    "quarantine": inquiries.quarantine,
    "doctor": inquiries.doctor,
    "release": _release,
    "query": inquiries.query,
    "feeds": _feeds,
    "keys": _keys,
    "demo": _demo,
}
