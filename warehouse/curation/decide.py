"""Decide: bring the verdicts of a feed up to date with what changed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from warehouse.curation.ages import turning_ages
from warehouse.curation.derived import derive
from warehouse.curation.parts import scope_size, scoped, temporary
from warehouse.curation.verdicts import Progress, judged, outline_hash, preview_of
from warehouse.database.session import Row, Session
from warehouse.rules.outline import encode_outline
from warehouse.rules.rulebook import RuleBook


@dataclass(frozen=True)
class Curation:
    """`counts` has verdict, rule and count of all entries, the most frequent first. `changed` is
    how many verdicts were written; `drift`, how many servers or verdicts a whole curation found
    other than the incremental ones had left them: it should be 0 (None: nothing was compared)."""

    counts: list[Row]
    changed: int
    drift: int | None


def decide(
    session: Session,
    feed: str,
    book: RuleBook,
    *,
    policy_hash: str,
    now: datetime,
    servers: int | None = None,
    progress: Progress = lambda *_: None,
) -> Curation:
    """Bring the verdicts of a feed up to date; without a change, write nothing.

    What is derived from packages and other servers is brought up to date first, in a transaction of
    its own. Then the servers are judged whose verdict may be another; all of them by another
    policy, and after each full walk. The first rule that matches decides. The work is done in parts
    of about `servers` servers (by default as many as memory is enough for). Raises RulesFailed if
    the rules fail or take too long, WarehouseFull if memory or disk is not enough; then the old
    verdicts stay.
    """
    derivation = derive(session, now=now, servers=servers, done=progress)
    judging = _Judging(session, feed, book, policy_hash, derivation.number, servers, progress)
    before = next(iter(session.rows("curation/read_curation", feed=feed)), None)
    # A clock that goes back must not make a held version wait again.
    now = max(now, before["decided_at"]) if before else now
    if before is None or not judging.alike(before):
        changed = judging.everything(now)
        return Curation(judging.counts, changed, derivation.drift)
    changed, drift = judging.what_is_due(now, before), derivation.drift
    if before["derivation"] < derivation.reviewed:
        drifted = judging.everything(now)
        changed, drift = changed + drifted, max(drifted, drift or 0)
    return Curation(judging.counts or json.loads(before["counts"]), changed, drift)


class _Judging:
    """One curation of a feed. `counts` are known as soon as something was written."""

    def __init__(
        self,
        session: Session,
        feed: str,
        book: RuleBook,
        policy_hash: str,
        derivation: int,
        servers: int | None,
        progress: Progress,
    ) -> None:
        self.session = session
        self.feed = feed
        self.book = book
        self.derivation = derivation
        self.servers = servers
        self.progress = progress
        self.outline = encode_outline(book.outline())
        self.policy = {
            "policy_hash": policy_hash,
            "outline_hash": outline_hash(self.outline),
            "statement_hash": hashlib.sha256(book.statement().encode()).hexdigest(),
        }
        self.counts: list[Row] = []

    def alike(self, before: Row) -> bool:
        """Whether only the servers that are due need to be judged."""
        known = bool(before["derivation"] >= 0)
        return known and all(before[name] == value for name, value in self.policy.items())

    def everything(self, now: datetime) -> int:
        """Judge all servers; return how many verdicts were written."""
        with scoped(self.session, "curation/select_everything"):
            return self._judge(now, everything=True)

    def what_is_due(self, now: datetime, before: Row) -> int:
        """Judge the servers that may have another verdict; return how many were written."""
        with scoped(
            self.session,
            "curation/select_due",
            feed=self.feed,
            derivation=before["derivation"],
            columns=self.book.columns,
            last=before["decided_at"],
            now=now,
            blocked=_blocked_otherwise(json.loads(before["blocks"]), self.book.blocks),
            **turning_ages(self.session, self.book.atoms),
        ):
            if scope_size(self.session):
                return self._judge(now, everything=False)
        if self.derivation > before["derivation"]:
            with self.session.transaction():
                self._note(now, json.loads(before["counts"]))
        return 0

    def _judge(self, now: datetime, *, everything: bool) -> int:
        session, feed = self.session, self.feed
        last = session.rows("curation/read_last_change", feed=feed, at=None)[0]["changed_at"]
        # Readers ask for changes after an instant, so it must rise even if the clock goes back.
        at = max(now, last + timedelta(microseconds=1)) if last else now
        with (
            judged(
                session,
                feed,
                self.book,
                policy_hash=self.policy["policy_hash"],
                now=now,
                changed_at=at,
                servers=self.servers,
                everything=everything,
                progress=self.progress,
            ),
            temporary(session, "changed_verdicts"),
            session.transaction(),
        ):
            session.run("curation/delete_verdicts", feed=preview_of(feed))
            changed = session.run("curation/select_changed_verdicts", feed=feed)
            if changed:
                session.run("curation/insert_verdict_history")
                session.run("curation/insert_lost_verdicts", feed=feed, now=at)
                session.run("curation/delete_changed_verdicts", feed=feed)
                session.run("curation/insert_changed_verdicts")
                session.run("curation/insert_verdict_change", feed=feed, at=at)
            session.run(
                "curation/insert_policy",
                feed=feed,
                policy_hash=self.policy["policy_hash"],
                outline_hash=self.policy["outline_hash"],
                outline=self.outline.decode(),
                now=now,
            )
            self._note(now, session.rows("curation/count_verdicts", feed=feed))
        return changed

    def _note(self, now: datetime, counts: list[Row]) -> None:
        self.counts = counts
        self.session.run("curation/delete_curation", feed=self.feed)
        self.session.run(
            "curation/insert_curation",
            feed=self.feed,
            now=now,
            **self.policy,
            derivation=self.derivation,
            blocks=json.dumps(dict(self.book.blocks)),
            counts=json.dumps(counts),
        )
        self.session.run("curation/delete_rederived", number=self.derivation)


def _blocked_otherwise(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names whose blocks came, went or have another reason."""
    targets = {target for target, _ in before.items() ^ now.items()}
    # A block is a NAME or a NAME@VERSION; a text that names no server does no harm.
    return sorted(targets | {target.rpartition("@")[0] for target in targets})


def is_curated(session: Session, feed: str, policy_hash: str) -> bool:
    """Whether a feed has verdicts, all of them by the policy with this hash."""
    rows = session.rows("curation/read_curation", feed=feed)
    return [row["policy_hash"] for row in rows] == [policy_hash]
