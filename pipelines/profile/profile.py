"""Profile: ask the package registries for what is due, and store what they say.

One fetch per (origin, package) covers all versions that entries claim. Answers are committed in
batches; a killed run repeats at most 200 packages. A failure never changes a fact.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from connectors.http.pacing import HostState
from connectors.registries.clients import PackageRegistries
from connectors.registries.lookup import NEGATIVE, UNDECIDED, WITHDRAWN, Outcome
from enrich.ecosystem import PackageRef, Rejected
from enrich.ecosystems import canonicalise, rules
from enrich.profiles import PackageFact, Profile, text
from enrich.recheck import confirmed, next_check
from pipelines.errors import Busy
from pipelines.profile.advisories import advisories
from pipelines.profile.downloads import popularity
from pipelines.profile.fetches import Profiled, fetched_batches
from pipelines.profile.hosts import host_rows
from pipelines.progress import Progress, silent
from serve.disk import locked
from warehouse.database.arrow import Tuple
from warehouse.database.session import Row, Session
from warehouse.database.warehouse import Warehouse
from warehouse.packages import facts as store
from warehouse.packages import references
from warehouse.packages.hosts import list_hosts

Absences = dict[str, tuple[int, datetime]]
"""Missing versions ("" is the package): in how many answers they were missing, and since when."""


@dataclass(frozen=True)
class ProfileReport:
    """One profile run. `asked` counts packages; `skipped` those left for later runs.

    `out_of_time`: the time budget ended the run; the next one continues. `counts` is the number of
    download counts that came, `checked` of versions whose advisories were asked for. `closed` says
    for each paused host until when, and why.
    """

    due: int
    asked: int
    skipped: int
    requests: int
    facts: int
    rejected_refs: int
    outcomes: dict[str, int]
    out_of_time: bool
    counts: int
    checked: int
    closed: dict[str, str]


def profile(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    lock: Path,
    budget: int = 1_000_000,
    seconds: float = 900.0,
    only: tuple[str, str] | None = None,
    advised: bool = False,
    progress: Progress = silent,
) -> ProfileReport:
    """Fetch at most `budget` due packages within `seconds`; a repeat continues from there.

    `advised` asks for advisories too. `lock` is a file that one run holds; raises Busy while
    another run holds it.
    """
    busy = Busy(f"another profile run is under way ({lock}); try again later")
    with locked(lock, busy=busy):  # two runs would double the rate at each host
        end = time.monotonic() + seconds
        asked_before = registries.requests()
        due, rejected = _plan(warehouse, registries, now=now, budget=budget, only=only)
        outcomes: Counter[str] = Counter()
        facts = done = 0
        for answers in fetched_batches(registries, due, today=now().toordinal(), end=end):
            batch = _Batch(now())
            for answer in answers:
                outcomes[batch.add(answer)] += 1
            done += len(answers)
            with warehouse.session() as session:
                facts += batch.record(session, registries.states())
            progress("packages", done, len(due))
        checked = 0
        if advised and not only:
            checked = advisories(warehouse, registries, now=now, end=end)
        counts = popularity(warehouse, registries, now=now, end=end, budget=0 if only else budget)
        if states := registries.states():
            # A host that refused everything is in no batch; store its state here.
            with warehouse.session() as session:
                _Batch(now()).record(session, states)
        return ProfileReport(
            due=len(due),
            asked=done,
            skipped=len(due) - done,
            requests=registries.requests() - asked_before,
            facts=facts,
            rejected_refs=rejected,
            outcomes={str(outcome): count for outcome, count in sorted(outcomes.items())},
            out_of_time=time.monotonic() > end,
            counts=counts,
            checked=checked,
            closed={
                origin: f"until {state.closed_until:%Y-%m-%dT%H:%M:%SZ}: {state.reason}"
                for origin, state in states.items()
                if state.closed_until is not None and state.closed_until > now()
            },
        )


def _plan(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    budget: int,
    only: tuple[str, str] | None,
) -> tuple[list[Row], int]:
    """Resolve new references, then list what is due; also count the references rejected."""
    hosts = registries.origins.hosts
    generation = rules(hosts)
    with warehouse.session() as session:
        new = references.list_new_refs(session, generation)
    # Between the sessions, the warehouse is free for other processes.
    refs: list[Row] = []
    rejections = 0
    for row in new:
        key = canonicalise(PackageRef(**row), hosts)
        if isinstance(key, Rejected):
            rejections += 1
            refs.append({**row, "rejected": key.reason, "rules": generation})
        else:
            refs.append(
                {
                    **row,
                    "origin": key.origin,
                    "package": key.package,
                    "package_version": key.version,
                    "purl": key.purl,
                    "version_kind": key.version_kind,
                    "rules": generation,
                }
            )
    with warehouse.session() as session:
        if refs:
            references.add_refs(session, refs)
        states = {row.pop("origin"): HostState(**row) for row in list_hosts(session)}
        registries.remember(states)
        return store.list_due(session, now=now(), budget=budget, only=only), rejections


class _Batch:
    """Rows of one batch of answers, all observed at one instant."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._checks: list[Row] = []
        self._packages: list[Row] = []
        self._versions: list[Row] = []
        self._confirmed: list[Tuple] = []

    def record(self, session: Session, states: dict[str, HostState]) -> int:
        """Store it all in one transaction; return how many facts were new or changed."""
        return store.record(
            session,
            checks=self._checks,
            packages=self._packages,
            versions=self._versions,
            confirmed=self._confirmed,
            hosts=host_rows(states),
            now=self._now,
        )

    def add(self, answer: Profiled) -> Outcome:
        """Add an answer; return its outcome."""
        row, fetched, profile = answer.row, answer.fetched, answer.profile
        key = (row["origin"], row["package"])
        outcome = fetched.outcome
        if profile is None and outcome == Outcome.OK:
            outcome = Outcome.MALFORMED
        elif profile is not None and profile.package and profile.package.outcome in WITHDRAWN:
            outcome = profile.package.outcome
        undecided = outcome in UNDECIDED
        definite = not undecided and outcome != Outcome.NOT_MODIFIED
        missing = self._missing(outcome, profile, row) if definite else _missing_before(row)
        # An absence is believed only after several answers over at least a day.
        sure = {version for version, absence in missing.items() if confirmed(*absence, self._now)}
        if profile is not None:
            self._facts(key, fetched.source, profile, unsure=missing.keys() - sure)
        elif undecided:
            # Nothing was learned, and that never replaces a fact.
            nothing = asdict(PackageFact(outcome))
            self._packages.append(self._fact(key, fetched.source, "failed", nothing))
        if definite:
            self._confirmed += [(*key, version) for version in sure]
        # Versions that stay deferred without progress count as a failure, so that pauses grow.
        stuck = fetched.deferred and fetched.deferred >= row["deferred"] > 0
        failures = row["failures"] + 1 if undecided or stuck else 0
        package = profile.package if profile else None
        due_at = next_check(
            row["package"],
            outcome,
            now=self._now,
            failures=failures,
            absences=min((count for count, _ in missing.values()), default=0),
            last_published_at=package.last_published_at if package else row["last_published_at"],
            deferred=fetched.deferred,
        )
        stale_since = (row["stale_since"] or self._now) if undecided else None
        names = sorted(missing)
        self._checks.append(
            {
                "origin": row["origin"],
                "package": row["package"],
                "checked_at": self._now,
                "outcome": outcome,
                "etag": fetched.etag if definite else row["etag"],
                "last_modified": fetched.last_modified if definite else row["last_modified"],
                "serial": fetched.serial if definite else row["serial"],
                "versions_hash": row["versions_hash" if definite else "checked_versions_hash"]
                or "",
                "absent_since": min((since for _, since in missing.values()), default=None),
                "absences": max((count for count, _ in missing.values()), default=0),
                "missing": names,
                "failures": failures,
                "stale_since": stale_since,
                "due_at": due_at,
                "source": fetched.source if definite else row["source"],
                "variant": fetched.variant if definite else row["variant"],
                "deferred": fetched.deferred if definite else row["deferred"],
                "detail": text(fetched.detail, 300),
                "missing_since": [missing[name][1] for name in names],
                "missing_counts": [missing[name][0] for name in names],
            }
        )
        return outcome

    def _missing(self, outcome: Outcome, profile: Profile | None, row: Row) -> Absences:
        """What is missing ("" is the package itself), each with its own count and instant.

        A version that was not asked for this time keeps both.
        """
        versions = profile.versions if profile else ()
        names = {facts.version for facts in versions if facts.outcome in NEGATIVE}
        names |= {""} if outcome in NEGATIVE else set()
        before = _missing_before(row)
        answered = {facts.version for facts in versions} | {""}
        kept = {
            version: before[version]
            for version in before.keys() - answered
            if version in row["versions"]
        }
        counts = {name: before.get(name, (0, self._now)) for name in names}
        return kept | {name: (count + 1, since) for name, (count, since) in counts.items()}

    def _facts(
        self, key: tuple[str, str], source: str, profile: Profile, *, unsure: set[str]
    ) -> None:
        if profile.package is not None:
            state = "unknown" if "" in unsure else "known"
            self._packages.append(self._fact(key, source, state, asdict(profile.package)))
        for facts in profile.versions:
            state = "unknown" if facts.version in unsure else "known"
            self._versions.append(self._fact(key, source, state, asdict(facts)))

    def _fact(self, key: tuple[str, str], source: str, state: str, facts: Row) -> Row:
        origin, package = key
        observed = {"observed_at": self._now, "source": source, "state": state}
        return {"origin": origin, "package": package, **observed, **facts}


def _missing_before(row: Row) -> Absences:
    counts, since = row["missing_counts"] or [], row["missing_since"] or []
    return dict(zip(row["missing"], zip(counts, since, strict=True), strict=False))
