"""Schemas of the rows that a walk stages, as Arrow tables for set-based statements.

Tuples in the order of a schema below become one Arrow table; nothing is inserted row by row.
"""

import hashlib
from dataclasses import dataclass, field

import pyarrow as pa

from warehouse.database.arrow import COUNT, FLAG, INSTANT, TEXT, Tuple, columns, table

KEY = columns(name=TEXT, version=TEXT)
READING = columns(
    name=TEXT,
    version=TEXT,
    server_hash=TEXT,
    meta_hash=TEXT,
    raw_hash=TEXT,
    status=TEXT,
    status_message=TEXT,
    is_latest=FLAG,
    published_at=INSTANT,
    updated_at=INSTANT,
    status_changed_at=INSTANT,
    ordinal=COUNT,
    after_commit=COUNT,
    stale=FLAG,
    authoritative=FLAG,
    direct=FLAG,
)
BODY = columns(hash=TEXT, body=TEXT)
CONTENT = columns(
    server_hash=TEXT,
    readable=FLAG,
    schema_uri=TEXT,
    title=TEXT,
    description=TEXT,
    website_url=TEXT,
    repository_url=TEXT,
    repository_source=TEXT,
    repository_subfolder=TEXT,
    package_count=COUNT,
    remote_count=COUNT,
)
PACKAGE = columns(
    server_hash=TEXT,
    ordinal=COUNT,
    registry_type=TEXT,
    registry_base_url=TEXT,
    identifier=TEXT,
    version=TEXT,
    file_sha256=TEXT,
)
REMOTE = columns(server_hash=TEXT, ordinal=COUNT, type=TEXT, url=TEXT)
UNREADABLE = columns(raw_hash=TEXT, name=TEXT, version=TEXT, reason=TEXT, raw=pa.binary())


@dataclass
class Readings:
    """One batch of a walk, as rows of the schemas above (bodies and contents by hash)."""

    readings: list[Tuple] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    contents: dict[str, Tuple] = field(default_factory=dict)
    packages: list[Tuple] = field(default_factory=list)
    remotes: list[Tuple] = field(default_factory=list)
    unreadable: list[Tuple] = field(default_factory=list)

    def tables(self) -> dict[str, pa.Table]:
        """The batch as Arrow tables, under the names that statements use."""
        return {
            "batch_readings": table(self.readings, READING),
            "batch_unreadable": table(self.unreadable, UNREADABLE),
            "batch_bodies": table(list(self.bodies.items()), BODY),
            "batch_contents": table(list(self.contents.values()), CONTENT),
            "batch_packages": table(self.packages, PACKAGE),
            "batch_remotes": table(self.remotes, REMOTE),
        }


def content_hash(data: bytes) -> str:
    """The key of a body: sha256, hex."""
    return hashlib.sha256(data).hexdigest()
