"""Profile: ask the package registries for what is due, and write down what they say.

One fetch per (origin, package) for all versions that entries claim. Batches are fetched, then
committed; a killed run repeats at most one batch. Trouble never changes a fact.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime

from connectors.errors import GARBAGE
from connectors.outcomes import NEGATIVE, UNDECIDED, Fetched, Outcome, Target
from connectors.packages import PackageRegistries
from enrich import npm, oci, pypi
from enrich.due import confirmed, next_check
from enrich.profiles import PackageFacts, Profile, VersionFacts, absent
from enrich.purls import PackageRef, Rejected, canonicalise
from pipelines.steps.pull import Progress
from warehouse import packages as store
from warehouse.staging import Tuple
from warehouse.warehouse import Row, Warehouse

log = logging.getLogger(__name__)

_BATCH = 200
_WORKERS = 4
_GIVE_UP_AFTER = 5
_TROUBLE = frozenset({Outcome.RATE_LIMITED, Outcome.UPSTREAM_ERROR, Outcome.FORBIDDEN})
"""What tells of the host and not of one package."""


@dataclass(frozen=True)
class ProfileReport:
    """One profile run. `asked` is packages; `skipped` those of hosts that kept failing.

    `out_of_time` says that the time budget ended the run; the next one goes on.
    """

    due: int
    asked: int
    skipped: int
    requests: int
    facts: int
    rejected_refs: int
    outcomes: dict[str, int]
    out_of_time: bool


def profile(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    budget: int = 1_000_000,
    seconds: float = 900.0,
    only: tuple[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> ProfileReport:
    """Fetch at most `budget` due packages within `seconds`; a repeat goes on from there."""
    end = time.monotonic() + seconds
    asked_before = registries.requests()
    with warehouse.session() as session:
        refs, rejected = _canonicalise(store.list_new_refs(session))
        if refs:
            store.add_refs(session, refs)
        due = store.list_due(session, now=now(), budget=budget, only=only)
    outcomes: Counter[str] = Counter()
    failing: Counter[str] = Counter()
    facts = skipped = done = 0
    for first in range(0, len(due), _BATCH):
        if time.monotonic() > end:
            break
        wanted = [r for r in due[first : first + _BATCH] if failing[r["origin"]] < _GIVE_UP_AFTER]
        skipped += len(due[first : first + _BATCH]) - len(wanted)
        answers = _fetch(registries, wanted, failing, end)
        at = now()
        batch = _Batch(at)
        for row, fetched in answers:
            if fetched is None:
                skipped += 1
                continue
            outcomes[fetched.outcome] += 1
            batch.add(row, fetched)
            done += 1
        with warehouse.session() as session:
            facts += store.record(
                session,
                checks=batch.checks,
                packages=batch.packages,
                versions=batch.versions,
                confirmed=batch.confirmed,
                now=at,
            )
        progress("packages", done, len(due))
    return ProfileReport(
        due=len(due),
        asked=done,
        skipped=skipped,
        requests=registries.requests() - asked_before,
        facts=facts,
        rejected_refs=rejected,
        outcomes={str(outcome): count for outcome, count in sorted(outcomes.items())},
        out_of_time=time.monotonic() > end,
    )


def _canonicalise(rows: list[Row]) -> tuple[list[Tuple], int]:
    refs: list[Tuple] = []
    rejections = 0
    for row in rows:
        ref = PackageRef(**row)
        found = canonicalise(ref)
        key = (ref.registry_type, ref.registry_base_url, ref.identifier, ref.version)
        if isinstance(found, Rejected):
            rejections += 1
            refs.append((*key, None, None, None, None, found.reason))
        else:
            refs.append((*key, found.origin, found.package, found.version, found.purl, None))
    return refs, rejections


def _fetch(
    registries: PackageRegistries, rows: list[Row], failing: Counter[str], end: float
) -> list[tuple[Row, Fetched | None]]:
    """Ask for all rows, a few at a time per origin; None for an origin given up, or out of time."""

    def ask(row: Row) -> Fetched | None:
        origin = row["origin"]
        if failing[origin] >= _GIVE_UP_AFTER or time.monotonic() > end:
            return None
        fetched = registries.fetch(_target(row))
        failing[origin] = failing[origin] + 1 if fetched.outcome in _TROUBLE else 0
        return fetched

    pools = {row["origin"]: ThreadPoolExecutor(_WORKERS) for row in rows}
    try:
        futures: list[tuple[Row, Future[Fetched | None]]] = [
            (row, pools[row["origin"]].submit(ask, row)) for row in rows
        ]
        return [(row, future.result()) for row, future in futures]
    finally:
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)


def _target(row: Row) -> Target:
    """Conditional only if the same versions were asked for last time, and nothing was missing."""
    same = row["versions_hash"] == row["checked_versions_hash"] and row["absent_since"] is None
    known = zip(row["known_versions"] or [], row["known_digests"] or [], strict=True)
    return Target(
        origin=row["origin"],
        package=row["package"],
        versions=tuple(row["versions"]),
        known=dict(known),
        etag=(row["etag"] or "") if same else "",
        last_modified=(row["last_modified"] or "") if same else "",
        serial=row["serial"],
    )


class _Batch:
    """Rows of one batch of answers, all observed at one instant."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.checks: list[Tuple] = []
        self.packages: list[Tuple] = []
        self.versions: list[Tuple] = []
        self.confirmed: list[Tuple] = []

    def add(self, row: Row, fetched: Fetched) -> None:
        key = (row["origin"], row["package"])
        outcome = fetched.outcome
        try:
            found = _read(row, fetched)
        except GARBAGE:
            found = None
        if found is None and outcome == Outcome.OK:
            outcome = Outcome.MALFORMED
        undecided = outcome in UNDECIDED
        missing, absences, absent_since = self._absence(row, outcome, found)
        known = absent_since is None or confirmed(absences, absent_since, self._now)
        if found is not None:
            self._facts(key, fetched.source, found, known=known)
        elif undecided:
            self.packages.append((*key, self._now, fetched.source, "failed", outcome, *[None] * 8))
        if known and absent_since is not None:
            self.confirmed.append(key)
        failures = row["failures"] + 1 if undecided else 0
        package = found.package if found else None
        due_at = next_check(
            row["package"],
            outcome,
            now=self._now,
            failures=failures,
            absences=absences,
            last_published_at=package.last_published_at if package else None,
            any_absent=absent_since is not None,
        )
        stale_since = (row["stale_since"] or self._now) if undecided else None
        validators = (
            (row["etag"], row["last_modified"], row["serial"])
            if undecided or outcome == Outcome.NOT_MODIFIED
            else (fetched.etag, fetched.last_modified, fetched.serial)
        )
        versions_hash = row["checked_versions_hash"] or "" if undecided else row["versions_hash"]
        self.checks.append(
            (
                *key,
                self._now,
                outcome,
                *validators,
                versions_hash,
                absent_since,
                absences,
                missing,
                failures,
                stale_since,
                due_at,
            )
        )

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

    def _facts(self, key: tuple[str, str], source: str, found: Profile, *, known: bool) -> None:
        if found.package is not None:
            state = self._state(found.package, known=known)
            values = asdict(found.package)
            self.packages.append((*key, self._now, source, state, *values.values()))
        for facts in found.versions:
            values = asdict(facts)
            version = values.pop("version")
            state = self._state(facts, known=known)
            self.versions.append((*key, version, self._now, source, state, *values.values()))

    @staticmethod
    def _state(facts: PackageFacts | VersionFacts, *, known: bool) -> str:
        return "known" if known or facts.outcome not in NEGATIVE else "unknown"


def _read(row: Row, fetched: Fetched) -> Profile | None:
    """The profile in an answer; None where it tells nothing new or cannot be read."""
    versions = tuple(row["versions"])
    kind = row["origin"].partition(":")[0]
    if fetched.outcome in NEGATIVE or fetched.outcome == Outcome.BLOCKED_LEGAL:
        told = npm.parse(fetched.documents, versions) if kind == "npm" else None
        return told or absent(fetched.outcome, versions)
    if fetched.outcome != Outcome.OK:
        return None
    if kind == "npm":
        return npm.parse(fetched.documents, versions)
    if kind == "pypi":
        return pypi.parse(fetched.documents, versions)
    return oci.parse(fetched.documents, fetched.versions)
