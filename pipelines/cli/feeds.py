"""The commands about feeds: list, check and compare documents; manage the keys of readers."""

import argparse
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.console import print_json, print_line, print_report, print_table
from pipelines.cli.context import find_policies, open_deployment
from pipelines.errors import UsageError
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from pipelines.line import Line
    from serve.policy.policy import Policy

log = logging.getLogger(__name__)


def list_feeds(arguments: argparse.Namespace) -> int:
    if arguments.action == "columns":
        return _columns(arguments)
    # FILE belongs to diff, and to nothing else.
    if (arguments.action == "diff") != bool(arguments.what):
        raise UsageError("write feeds, feeds check, feeds diff FILE, or feeds columns [NAME]")
    if arguments.action == "diff":
        return _preview(arguments)
    deployment = open_deployment()
    documents = deployment.documents()
    for error in documents.broken.values():
        sys.stderr.write(f"subregistry: {error}\n")
    rows: list[dict[str, Any]] = []  # what is printed of each feed
    for policy in documents.valid:
        row: dict[str, Any] = {
            "name": policy.name,
            "base_path": policy.document.base_path,
            "title": policy.document.title,
            "rules": len(policy.rules),
            "live": deployment.feed(policy.name).current_id(),
        }
        if arguments.action == "check":
            row |= _checked(deployment, policy)
        rows.append(row)
    if arguments.json:
        print_json(rows)
    else:
        for row in rows:
            matches: dict[str, int] = row.pop("matches", {})
            warnings: tuple[str, ...] = row.pop("warnings", ())
            print_report("ok" if arguments.action == "check" else "feed", row)
            for rule, count in matches.items():
                print_report("  rule" if count else "! rule", {"name": rule, "matches": str(count)})
            for warning in warnings:
                print_line(f"! {warning}")
    return 2 if documents.broken else 0


def _checked(deployment: "Line", policy: "Policy") -> dict[str, Any]:
    """What each rule matches now, and warnings; a document is checked without a warehouse too."""
    try:
        return asdict(deployment.check(policy))
    except WarehouseError as error:
        log.warning("not known what the rules of feed %s match: %s", policy.name, error)
        return {}


def _columns(arguments: argparse.Namespace) -> int:
    rows = open_deployment().columns(arguments.what)
    if arguments.json:
        print_json(rows)
        return 0
    names = ["column", "type", "said by", "meaning"] if not arguments.what else ["column", "value"]
    print_table(names, [list(row.values()) for row in rows])
    return 0


def _preview(arguments: argparse.Namespace) -> int:
    report = open_deployment().preview(Path(arguments.what))
    if arguments.json:
        print_json(report)
        return 0
    for change in report.changes:
        sign = {"add": "+", "withdraw": "-"}.get(change.change, "~")
        facts = {"rule": f"{change.before} → {change.after}", "reason": change.reason}
        facts["details"] = "; ".join(change.details)
        print_report(f"{sign} {change.name}@{change.version}", facts)
    apart = ("changes", "gate", "warnings")
    counts = {key: value for key, value in asdict(report).items() if key not in apart}
    print_report("diff", counts)
    if not report.shown:
        print_line("! nothing would be admitted")
    for warning in report.warnings:
        print_line(f"! {warning}")
    for problem in report.gate:
        print_line(f"! the gate would refuse it: {problem}")
    return 0


def keys(arguments: argparse.Namespace) -> int:
    deployment = open_deployment()
    (policy,) = find_policies(deployment, arguments.feed)
    store, target = deployment.feed(policy.name).keys, arguments.what
    # list takes no argument; add and revoke need one.
    if (arguments.action == "list") == bool(target):
        raise UsageError("write keys list, keys add LABEL or keys revoke ID")
    if arguments.action == "revoke":
        store.revoke(target)
        deployment.audit.add("revoke key", target, feed=policy.name, reason="")
        print_report("revoked", {"feed": policy.name, "key": target})
        return 0
    if arguments.action == "add":
        token = store.add(target, now=deployment.clock())
        if policy.document.access != "key":
            log.warning('feed %s lacks access = "key", so everybody may read it', policy.name)
        if arguments.json:
            print_json({"feed": policy.name, "label": target, "token": token})
        else:
            sys.stdout.write(f"{token}\n")
        sys.stdout.flush()
        deployment.audit.add("add key", target, feed=policy.name, reason="")
        return 0
    rows = [{"key": k.id, "label": k.label, "created_at": k.created_at} for k in store.all()]
    if arguments.json:
        print_json(rows)
    else:
        for row in rows:
            print_report("key", row)
    return 0
