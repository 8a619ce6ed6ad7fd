"""Chooses a server's latest version if the one that upstream chose is not served."""

from collections.abc import Sequence
from datetime import datetime
from functools import cmp_to_key

from semver import Version


def choose_latest(versions: Sequence[tuple[str, datetime]]) -> int:
    """The index of the latest of (version, published_at), by upstream's rule of precedence.

    Semantic versions are ordered by precedence, without build metadata, and win over all others;
    those are ordered by publication. Between equal versions the one published last wins.
    """

    def compare(left: int, right: int) -> int:
        (first, at), (second, then) = versions[left], versions[right]
        mine, theirs = _semver(first), _semver(second)
        if mine is not None and theirs is not None:
            order = mine.compare(theirs)
            if order:
                return order
        elif (mine is None) != (theirs is None):
            return 1 if mine is not None else -1
        return (at > then) - (at < then)

    return max(range(len(versions)), key=cmp_to_key(compare))


def _semver(version: str) -> Version | None:
    try:
        return Version.parse(version.removeprefix("v")).replace(build=None)
    except ValueError:
        return None
