"""The ecosystems that are asked for, and the one way into them for references and answers.

Grammar first, then the origin table, then a purl: a purl alone validates nothing. Total and pure.
"""

import hashlib
from collections.abc import Callable

from connectors.registries.lookup import UNDECIDED, Outcome, PackageResponse
from enrich import npm, oci, pypi
from enrich.ecosystem import VERSION, Ecosystem, PackageKey, PackageRef, Rejected
from enrich.profiles import Profile, absent

ECOSYSTEMS: dict[str, Ecosystem] = {
    found.kind: found for found in (npm.ECOSYSTEM, pypi.ECOSYSTEM, oci.ECOSYSTEM)
}
USUAL = tuple(origin for found in ECOSYSTEMS.values() for origin in found.usual)
"""The registries that most packages come from."""
_GENERATION = 2
"""Rises when references are read differently, so that known ones are read again."""

Hosts = Callable[[str], frozenset[str]]
"""The hosts that an operator added to a kind of registry."""


def no_hosts(_: str) -> frozenset[str]:
    return frozenset()


def canonicalise(ref: PackageRef, hosts: Hosts = no_hosts) -> PackageKey | Rejected:
    """The identity of a claimed package. Never raises."""
    ecosystem = ECOSYSTEMS.get(ref.registry_type)
    if ecosystem is None:
        return Rejected(f"unsupported_type:{ref.registry_type[:40]}")
    if ref.version in (".", "..") or (ref.version and not VERSION.fullmatch(ref.version)):
        return Rejected("version_grammar")
    return ecosystem.canonicalise(ref, hosts(ref.registry_type))


def rules(hosts: Hosts = no_hosts) -> str:
    """A name for the present way to read references: another one reads all of them again."""
    parts = [f"{kind}:{','.join(sorted(hosts(kind)))}" for kind in sorted(ECOSYSTEMS)]
    return f"{_GENERATION}-{hashlib.sha256(';'.join(parts).encode()).hexdigest()[:12]}"


def read(origin: str, fetched: PackageResponse, versions: tuple[str, ...]) -> Profile | None:
    """The profile in an answer; None where it tells nothing new or cannot be read."""
    if fetched.outcome in UNDECIDED or fetched.outcome == Outcome.NOT_MODIFIED:
        return None
    told = ECOSYSTEMS[origin.partition(":")[0]].parse(fetched, versions)
    if fetched.outcome == Outcome.OK:
        return told
    return told or absent(fetched.outcome, versions)
