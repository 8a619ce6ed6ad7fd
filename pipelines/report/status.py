"""Status: what is live, where each pull stands, what failed last, and what somebody must do.

It reads the accounts and the editions, never the warehouse: also on a machine that only serves,
beside a pull, and when the disk is full.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from pipelines.accounts import Account, Accounts
from serve.edition.manifests import read_manifest
from serve.errors import EditionBroken
from serve.feed.feed import Feed
from serve.policy.blocks import BlockList
from serve.policy.policy import Policy
from serve.policy.reader import Policies

Row = dict[str, Any]  # facts of one subject, as printed
_WARNED = timedelta(days=7)


@dataclass(frozen=True)
class Problem:
    """What somebody must look at: the upstream or feed, since when, and what to do."""

    subject: str
    since: datetime | None
    message: str


@dataclass(frozen=True)
class StatusReport:
    """Rows by subject; empty where nothing has run yet."""

    upstreams: list[Row]
    packages: list[Row]  # as the last profile run left them
    feeds: list[Row]
    blocks: list[Row]
    problems: list[Problem]


def status(
    accounts: Accounts,
    documents: Policies,
    blocks: BlockList,
    feeds: Mapping[str, Feed],
    *,
    sources: Mapping[str, str],
    uncounted: Sequence[str],
    objective: timedelta,
    now: datetime,
) -> StatusReport:
    """Read everything. `sources` are the places of the upstreams by name, `feeds` those with a
    valid document.

    `uncounted` are the services for download counts that this deployment does not ask; `objective`
    is the age of a pull at which a feed is stale (0: never).
    """
    pulls = {name: accounts.upstream(name).read() for name in sources}
    works = {name: accounts.feed(name).read() for name in feeds}
    profiled = accounts.packages.read()
    problems: list[Problem] = []
    for name, account in pulls.items():
        problems += _of_account(f"upstream {name}", account)
        if account.figures.get("stale"):
            problems.append(
                Problem(
                    f"upstream {name}",
                    None,
                    "its last walk confirms nothing (a document or record that cannot be read, or "
                    "an old copy of a cache): see subregistry quarantine",
                )
            )
        if not account.steps and account.stop is None:
            problems.append(Problem(f"upstream {name}", None, "never pulled: run subregistry run"))
    rows: list[Row] = []
    for policy in documents.valid:
        feed = feeds[policy.name]
        row = _feed(feed, policy, works[policy.name], now)
        rows.append(row)
        problems += _of_account(f"feed {policy.name}", works[policy.name])
        if drift := works[policy.name].figures.get("drift"):
            problems.append(Problem(f"feed {policy.name}", None, drifted(drift)))
        problems += _of_feed(feed, row, objective, now)
    for name, error in documents.broken.items():
        rows.append({"feed": name, "broken": str(error)})
        problems.append(Problem(f"feed {name}", None, str(error)))
    problems += _of_account("packages", profiled)
    return StatusReport(
        upstreams=[_upstream(sources[name], account) for name, account in pulls.items()],
        packages=[
            *profiled.figures.get("origins", ()),
            *({"origin": name, "off": True} for name in uncounted),
        ],
        feeds=rows,
        blocks=[msgspec.structs.asdict(block) for block in blocks.read()],
        problems=problems,
    )


def drifted(count: int) -> str:
    """What a drift means."""
    return (
        f"the last curation of everything found {count} servers or verdicts other than the "
        "curations of changes had left them. They are right now, but a change was missed: please "
        "report it, with the log of the runs before"
    )


def _of_account(subject: str, account: Account) -> Iterator[Problem]:
    """A brake or a refusal, and the steps that failed last."""
    if account.stop is not None:
        yield Problem(subject, account.stop.since, "; ".join(account.stop.reasons))
    for step, attempt in account.failed.items():
        # A refusal says the same as its stop, and a hold is reported as such.
        if attempt.outcome == "failed":
            yield Problem(subject, attempt.at, f"{step} failed: {attempt.message}")


def _of_feed(feed: Feed, row: Row, objective: timedelta, now: datetime) -> Iterator[Problem]:
    subject = f"feed {feed.name}"
    if "broken" in row:
        yield Problem(subject, None, row["broken"])
        return
    if row["edition"] is None:
        yield Problem(subject, None, "nothing is live yet: run subregistry run")
        return
    if held := row["held"]:
        remedy = f"when the cause is mended, run subregistry switch --feed {feed.name} --resume"
        yield Problem(subject, None, f"{held}; {remedy}")
    confirmed = row["confirmed_at"]
    if objective and (confirmed is None or now - confirmed > objective):
        shown = f"{confirmed:%Y-%m-%dT%H:%M:%SZ}" if confirmed else "an unknown instant"
        yield Problem(
            subject, confirmed, f"stale: it shows upstream as of {shown}; run subregistry run"
        )


def _upstream(place: str, account: Account) -> Row:
    figures = account.figures
    pull = account.steps.get("pull")
    return {
        "upstream": account.name,
        "url": place,
        **figures.get("totals", {}),
        "watermark": figures.get("watermark"),
        "last_kind": figures.get("kind"),
        "reads_as": figures.get("reads_as"),
        # Words for a status that are not known, and how many entries have them: they stay.
        "unknown_statuses": figures.get("unknown_statuses") or None,
        "pulled_at": pull and pull.done_at,
        "tried_at": pull and pull.last.at,
        "outcome": pull and pull.last.outcome,
        **_override(account),
    }


def _override(account: Account) -> Row:
    override = account.override
    if override is None:
        return {}
    done = f"{override.action} {override.target} by {override.by} at {override.at:%Y-%m-%dT%H:%MZ}"
    return {"override": f"{done}: {override.reason}" if override.reason else done}


def _expiring(policy: Policy, now: datetime) -> list[str]:
    """Overlays that end within a week or have ended."""
    return [
        f"{overlay.name} of {overlay.owner} {'ends' if overlay.active(now) else 'ended'} "
        f"{overlay.until:%Y-%m-%dT%H:%M:%SZ}"
        for overlay in policy.document.overlays
        if overlay.until is not None and overlay.until < now + _WARNED
    ]


def _feed(feed: Feed, policy: Policy, account: Account, now: datetime) -> Row:
    """What is live, what waits, what was refused."""
    try:
        live = feed.current_id()
        if live is None:
            return {"feed": feed.name, "edition": None}
        manifest = read_manifest(feed.editions / live)
        candidate, held = feed.candidate_id(), feed.hold()
    except EditionBroken as error:
        return {"feed": feed.name, "broken": str(error)}
    stop = account.stop
    return {
        "feed": feed.name,
        "edition": live,
        "sequence": manifest.sequence,
        "published_at": manifest.published_at,
        "confirmed_at": feed.confirmed(),
        "entries": manifest.running,
        "tombstones": manifest.tombstones,
        "withheld": manifest.withheld,
        "waiting": manifest.held,
        "overlays": _expiring(policy, now),
        "candidate": candidate if candidate != live else None,
        "refused": stop and stop.edition,
        "held": held,
        **_override(account),
    }
