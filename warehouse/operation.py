"""What a run notes of the operation itself: accounts, for their history, and the audit log's head.

The files in HOME stay the source: they are written when something happens, also when the warehouse
cannot be. Here is what later runs found in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from warehouse.database.arrow import TEXT, columns, table
from warehouse.database.session import Session

_NOTED = columns(subject=TEXT, account=TEXT)


@dataclass(frozen=True)
class AuditHead:
    """How many lines an audit log had, and the SHA-256 of the last one, in hex."""

    lines: int
    chain: str


def note_operation(
    session: Session, accounts: Mapping[str, str], head: AuditHead, *, now: datetime
) -> None:
    """Store the accounts (JSON by subject) and the head, where they are new."""
    with session.transaction():
        with session.registering(noted=table(list(accounts.items()), _NOTED)):
            session.run("operation/insert_accounts", now=now)
        if head.lines:
            session.run("operation/insert_audit_head", now=now, lines=head.lines, chain=head.chain)


def audit_heads(session: Session) -> list[AuditHead]:
    """Every head that a run found, oldest first."""
    return [AuditHead(**row) for row in session.rows("operation/list_audit_heads")]
