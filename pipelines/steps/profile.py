"""Profile: ask the package registries for what is due, and write down what they say.

One fetch per (origin, package) for all versions that entries claim. Batches are fetched, then
committed; a killed run repeats at most one batch. Trouble never changes a fact.
"""

import fcntl
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, astuple, dataclass, replace
from datetime import datetime
from pathlib import Path

from connectors.errors import GARBAGE
from connectors.outcomes import NEGATIVE, UNDECIDED, WITHDRAWN, Fetched, Known, Outcome, Target
from connectors.pacing import HostState
from connectors.packages import PackageRegistries
from enrich.due import confirmed, next_check
from enrich.ecosystem import PackageRef, Rejected
from enrich.ecosystems import canonicalise, read, rules
from enrich.profiles import PackageFacts, Profile, VersionFacts, text
from pipelines.errors import Busy
from pipelines.steps.pull import Progress
from warehouse import packages as store
from warehouse.staging import Tuple
from warehouse.warehouse import Row, Session, Warehouse

log = logging.getLogger(__name__)

_BATCH = 200
_BELIEVED_AFTER = 3


@dataclass(frozen=True)
class ProfileReport:
    """One profile run. `asked` is packages; `skipped` those of hosts that are let alone for now.

    `out_of_time` says that the time budget ended the run; the next one goes on. `closed` says of a
    host until when it is let alone, and why.
    """

    due: int
    asked: int
    skipped: int
    requests: int
    facts: int
    rejected_refs: int
    outcomes: dict[str, int]
    out_of_time: bool
    closed: dict[str, str]


@dataclass(frozen=True)
class _Answer:
    """What came of one package; `fetched` has lost its documents, which may be large."""

    row: Row
    fetched: Fetched
    found: Profile | None


def profile(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    lock: Path,
    budget: int = 1_000_000,
    seconds: float = 900.0,
    only: tuple[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> ProfileReport:
    """Fetch at most `budget` due packages within `seconds`; a repeat goes on from there.

    `lock` is a file that one run holds; raises Busy while another does.
    """
    with _alone(lock):
        end = time.monotonic() + seconds
        asked_before = registries.requests()
        due, rejected = _plan(warehouse, registries, now=now, budget=budget, only=only)
        outcomes: Counter[str] = Counter()
        facts = done = passed = 0
        with ExitStack() as stack:
            pools = {
                origin: stack.enter_context(ThreadPoolExecutor(registries.slots(origin)))
                for origin in {row["origin"] for row in due}
            }
            while passed < len(due) and time.monotonic() < end:
                rows = due[passed : passed + _BATCH]
                passed += len(rows)
                answers = list(_fetch(registries, pools, rows, end))
                at = now()
                batch = _Batch(at)
                for answer in answers:
                    outcomes[batch.add(answer)] += 1
                done += len(answers)
                with warehouse.session() as session:
                    facts += batch.record(session, registries.states())
                progress("packages", done, len(due))
        states = registries.states()
        return ProfileReport(
            due=len(due),
            asked=done,
            skipped=passed - done,
            requests=registries.requests() - asked_before,
            facts=facts,
            rejected_refs=rejected,
            outcomes={str(outcome): count for outcome, count in sorted(outcomes.items())},
            out_of_time=time.monotonic() > end,
            closed={
                origin: f"until {state.closed_until:%Y-%m-%dT%H:%M:%SZ}: {state.reason}"
                for origin, state in states.items()
                if state.closed_until is not None and state.closed_until > now()
            },
        )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two runs at once would ask each host twice as hard."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Busy(f"another profile run is under way ({lock}); try again later") from error
        yield


def _plan(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    budget: int,
    only: tuple[str, str] | None,
) -> tuple[list[Row], int]:
    """Read new references, then say what is due; also how many references were rejected."""
    hosts = registries.origins.hosts
    by = rules(hosts)
    with warehouse.session() as session:
        new = store.list_new_refs(session, by)
    refs: list[Tuple] = []
    rejections = 0
    for row in new:
        found = canonicalise(PackageRef(**row), hosts)
        if isinstance(found, Rejected):
            rejections += 1
            refs.append((*row.values(), None, None, None, None, found.reason, None, by))
        else:
            key = (found.origin, found.package, found.version, found.purl)
            refs.append((*row.values(), *key, None, found.version_kind, by))
    with warehouse.session() as session:
        if refs:
            store.add_refs(session, refs)
        states = {row.pop("origin"): HostState(**row) for row in store.list_hosts(session)}
        registries.remember(states)
        return store.list_due(session, now=now(), budget=budget, only=only), rejections


def _fetch(
    registries: PackageRegistries, pools: dict[str, ThreadPoolExecutor], rows: list[Row], end: float
) -> Iterator[_Answer]:
    """Ask for all rows at once, each host as it bears it; leaves out what was not asked."""

    def ask(row: Row) -> _Answer | None:
        if time.monotonic() > end:
            return None
        fetched = registries.fetch(_target(row))
        if fetched is None:
            return None
        try:
            found = read(row["origin"], fetched, tuple(row["versions"]))
        except GARBAGE:
            log.warning(
                "an answer for %s %s broke us", row["origin"], row["package"], exc_info=True
            )
            found = None
        return _Answer(row, replace(fetched, documents=()), found)

    futures: list[Future[_Answer | None]] = [pools[r["origin"]].submit(ask, r) for r in rows]
    for future in futures:
        if (answer := future.result()) is not None:
            yield answer


def _target(row: Row) -> Target:
    """Conditional only if the same versions were asked for last time, and nothing is left open."""
    open_ends = row["absent_since"] is not None or row["owed"]
    same = row["versions_hash"] == row["checked_versions_hash"] and not open_ends
    known = zip(
        row["known_versions"] or [],
        map(Known, row["known_digests"] or [], row["known_provenances"] or []),
        strict=True,
    )
    return Target(
        origin=row["origin"],
        package=row["package"],
        versions=tuple(row["versions"]),
        known=dict(known),
        etag=(row["etag"] or "") if same else "",
        last_modified=(row["last_modified"] or "") if same else "",
        # An index that stays older is no cache's: the serial is another mirror's.
        serial=row["serial"] if row["failures"] < _BELIEVED_AFTER else None,
        variant=row["variant"] or "",
    )


class _Batch:
    """Rows of one batch of answers, all observed at one instant."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._checks: list[Tuple] = []
        self._packages: list[Tuple] = []
        self._versions: list[Tuple] = []
        self._confirmed: list[Tuple] = []

    def record(self, session: Session, states: dict[str, HostState]) -> int:
        """Store it all in one transaction; return how many facts were new or changed."""
        return store.record(
            session,
            checks=self._checks,
            packages=self._packages,
            versions=self._versions,
            confirmed=self._confirmed,
            hosts=[
                (origin, *astuple(replace(state, reason=text(state.reason) or "")))
                for origin, state in states.items()
            ],
            now=self._now,
        )

    def add(self, answer: _Answer) -> Outcome:
        """Add an answer; return what it came to."""
        row, fetched, found = answer.row, answer.fetched, answer.found
        key = (row["origin"], row["package"])
        outcome = fetched.outcome
        if found is None and outcome == Outcome.OK:
            outcome = Outcome.MALFORMED
        elif found is not None and found.package and found.package.outcome in WITHDRAWN:
            outcome = found.package.outcome
        undecided = outcome in UNDECIDED
        missing, absences, absent_since = self._absence(row, outcome, found)
        known = absent_since is None or confirmed(absences, absent_since, self._now)
        if found is not None:
            self._facts(key, fetched.source, found, known=known)
        elif undecided:
            self._packages.append(self._failed(key, fetched.source, outcome))
        if known and absent_since is not None:
            self._confirmed.append(key)
        failures = row["failures"] + 1 if undecided else 0
        package = found.package if found else None
        published = package.last_published_at if package else row["last_published_at"]
        due_at = next_check(
            row["package"],
            outcome,
            now=self._now,
            failures=failures,
            absences=absences,
            last_published_at=published,
            any_absent=absent_since is not None,
            owed=fetched.owed,
        )
        stale_since = (row["stale_since"] or self._now) if undecided else None
        kept = undecided or outcome == Outcome.NOT_MODIFIED
        etag, modified = (
            (row["etag"], row["last_modified"]) if kept else (fetched.etag, fetched.last_modified)
        )
        self._checks.append(
            (
                *key,
                self._now,
                outcome,
                etag,
                modified,
                row["serial"] if kept else fetched.serial,
                (row["checked_versions_hash"] or "") if undecided else row["versions_hash"],
                absent_since,
                absences,
                missing,
                failures,
                stale_since,
                due_at,
                row["variant"] if kept else fetched.variant,
                row["owed"] if kept else fetched.owed,
                text(fetched.detail, 300),
            )
        )
        return outcome

    def _absence(
        self, row: Row, outcome: Outcome, found: Profile | None
    ) -> tuple[list[str], int, datetime | None]:
        """What is missing, in how many answers, since when; more missing starts the count anew."""
        if outcome in UNDECIDED or outcome == Outcome.NOT_MODIFIED:
            return row["missing"], row["absences"], row["absent_since"]
        versions = found.versions if found else ()
        missing = {facts.version for facts in versions if facts.outcome in NEGATIVE}
        if outcome in NEGATIVE:
            missing.add("")
        if not missing:
            return [], 0, None
        if missing - set(row["missing"]):
            return sorted(missing), 1, self._now
        return sorted(missing), row["absences"] + 1, row["absent_since"]

    def _failed(self, key: tuple[str, str], source: str, outcome: Outcome) -> Tuple:
        """The fact that nothing could be learnt; it never replaces one."""
        nothing = asdict(PackageFacts(outcome))
        return (*key, self._now, source, "failed", *nothing.values())

    def _facts(self, key: tuple[str, str], source: str, found: Profile, *, known: bool) -> None:
        if found.package is not None:
            state = self._state(found.package, known=known)
            values = asdict(found.package)
            self._packages.append((*key, self._now, source, state, *values.values()))
        for facts in found.versions:
            values = asdict(facts)
            version = values.pop("version")
            state = self._state(facts, known=known)
            self._versions.append((*key, version, self._now, source, state, *values.values()))

    @staticmethod
    def _state(facts: PackageFacts | VersionFacts, *, known: bool) -> str:
        return "known" if known or facts.outcome not in NEGATIVE else "unknown"
