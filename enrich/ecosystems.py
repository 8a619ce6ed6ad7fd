"""All ecosystems, and the one way into them for references and answers. Never raises.

References pass the grammar first, then the origin table, and only then get a purl: a purl alone
validates nothing. Pure.
"""

import hashlib
from collections.abc import Callable

from connectors.registries.lookup import UNDECIDED, Outcome, PackageResponse
from enrich import npm, oci, pypi
from enrich.ecosystem import VERSION, Ecosystem, PackageKey, PackageRef, Rejected
from enrich.profiles import Profile, absent

ECOSYSTEMS: dict[str, Ecosystem] = {
    ecosystem.kind: ecosystem for ecosystem in (npm.ECOSYSTEM, pypi.ECOSYSTEM, oci.ECOSYSTEM)
}
USUAL = tuple(origin for ecosystem in ECOSYSTEMS.values() for origin in ecosystem.usual)
"""The registries that most packages come from."""
_GENERATION = 3
"""Increase it when references are read differently, so that known ones are read again."""

Hosts = Callable[[str], frozenset[str]]
"""Returns the hosts that an operator added to a kind of registry."""


def no_hosts(_: str) -> frozenset[str]:
    return frozenset()


def canonicalise(ref: PackageRef, hosts: Hosts = no_hosts) -> PackageKey | Rejected:
    """The identity of a claimed package, or why it is rejected. Never raises."""
    ecosystem = ECOSYSTEMS.get(ref.registry_type)
    if ecosystem is None:
        return Rejected(f"unsupported_type:{ref.registry_type[:40]}")
    # Dots would change the path of a request.
    if ref.version in (".", "..") or (ref.version and not VERSION.fullmatch(ref.version)):
        return Rejected("version_grammar")
    return ecosystem.canonicalise(ref, hosts(ref.registry_type))


def rules(hosts: Hosts = no_hosts) -> str:
    """A name for the present way to read references; another name means that all are read again."""
    parts = [f"{kind}:{','.join(sorted(hosts(kind)))}" for kind in sorted(ECOSYSTEMS)]
    return f"{_GENERATION}-{hashlib.sha256(';'.join(parts).encode()).hexdigest()[:12]}"


def read(origin: str, fetched: PackageResponse, versions: tuple[str, ...]) -> Profile | None:
    """The profile in an answer; None if it is unreadable or says nothing new."""
    if fetched.outcome in UNDECIDED or fetched.outcome == Outcome.NOT_MODIFIED:
        return None
    profile = ECOSYSTEMS[origin.partition(":")[0]].parse(fetched, versions)
    if fetched.outcome == Outcome.OK:
        return profile
    # A negative answer may have a body that says more, such as npm's `unpublished`.
    return profile or absent(fetched.outcome, versions)
