"""Request and response of a package lookup: one vocabulary for all registries."""

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    OK = "ok"
    NOT_MODIFIED = "not_modified"
    PACKAGE_ABSENT = "package_absent"
    VERSION_ABSENT = "version_absent"
    ABSENT_OR_PRIVATE = "absent_or_private"
    UNPUBLISHED = "unpublished"
    SECURITY_HOLD = "security_hold"
    QUARANTINED = "quarantined"
    BLOCKED_LEGAL = "blocked_legal"
    GONE = "gone"
    OLD_FORMAT = "old_format"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    UPSTREAM_ERROR = "upstream_error"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"


NEGATIVE = frozenset({Outcome.PACKAGE_ABSENT, Outcome.VERSION_ABSENT, Outcome.ABSENT_OR_PRIVATE})
"""Answers that something is absent; believed only after confirmation."""

WITHDRAWN = frozenset(
    {
        Outcome.UNPUBLISHED,
        Outcome.SECURITY_HOLD,
        Outcome.QUARANTINED,
        Outcome.BLOCKED_LEGAL,
        Outcome.GONE,
    }
)
"""Answers that somebody took the package away; believed at once."""

UNDECIDED = frozenset(
    {
        Outcome.FORBIDDEN,
        Outcome.RATE_LIMITED,
        Outcome.UPSTREAM_ERROR,
        Outcome.TOO_LARGE,
        Outcome.MALFORMED,
    }
)
"""Trouble on the way: no fact follows from these."""


MAX_EXTRAS = 50
"""Requests for single versions that one fetch sends at most; the rest waits for the next fetch."""


@dataclass(frozen=True)
class KnownVersion:
    """A version that needs no more requests: its digest, and whether its provenance was read."""

    digest: str = ""
    provenance: bool = False


@dataclass(frozen=True)
class PackageRequest:
    """One package to ask for: all its claimed versions, and what earlier answers said.

    `absent_before` are versions that the last answer lacked. `etag` and `last_modified` are empty
    if the whole answer is wanted; `variant` is the form of the document that they belong to.
    """

    origin: str
    package: str
    versions: tuple[str, ...]
    known: dict[str, KnownVersion] = field(default_factory=dict)
    absent_before: frozenset[str] = frozenset()
    etag: str = ""
    last_modified: str = ""
    serial: int | None = None
    variant: str = ""


@dataclass(frozen=True)
class Document:
    """A body as the registry sent it; `kind` names the endpoint, `version` the version."""

    kind: str
    body: bytes
    version: str = ""
    digest: str = ""


@dataclass(frozen=True)
class PackageResponse:
    """The answer to a request; `versions` has outcomes that no document shows.

    `deferred` counts requests for single versions that were put off or failed: ask again soon.
    """

    outcome: Outcome
    source: str
    documents: tuple[Document, ...] = ()
    versions: dict[str, Outcome] = field(default_factory=dict)
    etag: str = ""
    last_modified: str = ""
    serial: int | None = None
    variant: str = ""
    deferred: int = 0
    detail: str = ""
