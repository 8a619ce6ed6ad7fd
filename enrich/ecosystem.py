"""What an ecosystem is: how its references are read and asked for, how its answers are read.

A new one needs a connector file, a profile file that ends with its `Ecosystem`, a line in
`enrich.ecosystems`, and a row in the warehouse's view `ecosystems`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from connectors.registries.clients import Connector
from connectors.registries.lookup import PackageResponse
from enrich.profiles import Profile

# Excludes what could change the URL of a request, and lone surrogates.
VERSION = re.compile(r"[^\s/\\?#%\x00-\x1f\x7f\ud800-\udfff]{1,255}")


class VersionKind(StrEnum):
    """The kind of a claimed version. Exact versions, digests, tags and aliases are asked for."""

    EXACT = "exact"
    ALIAS = "alias"
    RANGE = "range"
    TAG = "tag"
    DIGEST = "digest"
    MISSING = "missing"
    INVALID = "invalid"


@dataclass(frozen=True)
class PackageRef:
    """A package as a server.json claims it; untrusted. Empty strings stand for absent fields."""

    registry_type: str
    registry_base_url: str
    identifier: str
    version: str


@dataclass(frozen=True)
class PackageKey:
    """What to ask for: origin id, package name there, version there ("" if none is claimed)."""

    origin: str
    package: str
    version: str
    purl: str
    version_kind: VersionKind


@dataclass(frozen=True)
class Rejected:
    reason: str


@dataclass(frozen=True)
class Ecosystem:
    """One registry type; the warehouse reads the flags in its view `ecosystems`.

    `canonicalise` gets the hosts that the operator added. `parse` gets the claimed versions and
    returns None if nothing can be read. Neither raises. `usual` are the registries that most
    packages come from. The flags: `advisories`: OSV covers it; `publication`: it says when a
    version was published; `marker_in_text`: the server is named inside a long text, such as a
    README; `fixed_digest`: a version's content has one digest that should never change.
    """

    kind: str
    connector: Connector
    usual: tuple[str, ...]
    canonicalise: Callable[[PackageRef, frozenset[str]], PackageKey | Rejected]
    parse: Callable[[PackageResponse, tuple[str, ...]], Profile | None]
    advisories: bool
    publication: bool
    marker_in_text: bool
    fixed_digest: bool
