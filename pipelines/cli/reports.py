"""The commands that only report: status, explain, audit, changes, quarantine, query, doctor."""

import argparse
import json
from dataclasses import asdict

from pipelines.cli.console import print_json, print_line, print_report, print_table
from pipelines.cli.context import find_policies, open_deployment
from pipelines.errors import StepError
from pipelines.settings import load_settings


def status(arguments: argparse.Namespace) -> int:
    report = open_deployment().status()
    code = 1 if report.problems else 0
    if arguments.json:
        print_json(report)
        return code
    for part in ("upstreams", "packages", "feeds", "blocks"):
        for row in getattr(report, part):
            print_report(part, row)
    for problem in report.problems:
        since = f", since {problem.since:%Y-%m-%dT%H:%M:%SZ}" if problem.since else ""
        print_line(f"! {problem.subject}{since}: {problem.message}")
    return code


def explain(arguments: argparse.Namespace) -> int:
    deployment = open_deployment()
    (policy,) = find_policies(deployment, arguments.feed)
    name, at, version = arguments.server.partition("@")
    rows = deployment.explain(policy, name, version if at else None, at=arguments.at)
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        for text in (row.get("summary"), row.get("waits"), row.get("trouble")):
            if text:
                print_line(text)
        if "decision" not in row:
            continue
        print_report(f"{row['name']}@{row['version']}", row["decision"])
        for rule in row.get("rules", ()):
            mark = "decided" if rule["decided"] else rule["result"]
            condition = {"when": " ".join(rule["when"].split())}
            print_report(f"  {mark:<7}", {k: rule[k] for k in ("rule", "verdict")} | condition)
        for column, seen in row.get("values", {}).items():
            value = "unknown" if seen["value"] is None else json.dumps(seen["value"])
            print_report("  saw    ", {column: value, "from": _origin(seen)})
        for change in row.get("nearest", ()):
            print_report("  needs  ", change)
        for treatment in row["treatments"]:
            print_report("  treated", treatment)
        for package in row["packages"]:
            print_report("  package", package)
    return 0


def _origin(value: dict[str, object]) -> str:
    """The source of a value, and the instant as of which it holds."""
    at = value.get("asOf")
    return f"{value['source']} as of {at}" if at else str(value["source"])


def audit(arguments: argparse.Namespace) -> int:
    entries, problems = open_deployment().read_audit()
    rows = [asdict(entry) for entry in entries]
    if arguments.json:
        print_json(rows)
    else:
        shown = ("by", "action", "feed", "target", "reason")
        for row in rows:
            print_report(row["at"], {key: row[key] for key in shown})
    if problems:
        raise StepError("; ".join(problems))
    return 0


def changes(arguments: argparse.Namespace) -> int:
    from pipelines.report.history import changes as list_changes

    rows = list_changes(open_deployment().warehouse, arguments.since)
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        print_report(row["changed_at"].isoformat(), {k: row[k] for k in _CHANGE})
    return 0


_CHANGE = (
    "kind",
    "upstream",
    "name",
    "version",
    "server_hash_before",
    "server_hash_after",
    "status_after",
    "is_latest",
)


def quarantine(arguments: argparse.Namespace) -> int:
    from pipelines.report.history import quarantine as list_quarantine

    rows = list_quarantine(open_deployment().warehouse, released=arguments.all)
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        print_report("released" if row["released_at"] else "open", row)
    return 0


def query(arguments: argparse.Namespace) -> int:
    from warehouse.analytics import query as run_query

    settings = load_settings()
    table = run_query(settings.analytics, arguments.sql, memory_limit=settings.memory_limit)
    if arguments.json:
        print_json(table.to_pylist())
        return 0
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    print_table(table.column_names, rows)
    return 0


def doctor(arguments: argparse.Namespace) -> int:
    findings = open_deployment().doctor(only=arguments.only)
    if arguments.json:
        print_json([asdict(finding) for finding in findings])
    else:
        names = ["source", "state", "requests", "ms", "message", "stripped"]
        print_table(
            names,
            [
                (
                    finding.source,
                    finding.state,
                    finding.requests,
                    finding.milliseconds,
                    finding.message,
                    ", ".join(finding.stripped),
                )
                for finding in findings
            ],
        )
    return 1 if any(finding.state == "fails" for finding in findings) else 0
