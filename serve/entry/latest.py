"""Which of a server's served versions is the latest, where upstream's choice is not served."""

from collections.abc import Sequence
from datetime import datetime
from functools import cmp_to_key

from semver import Version


def choose_latest(versions: Sequence[tuple[str, datetime]]) -> int:
    """The index of the latest of (version, published_at): upstream's rule of precedence.

    Semantic versions by precedence, build metadata ignored; they win over others; others go by
    publication. Of equals the one published last wins.
    """

    def compare(a: int, b: int) -> int:
        (first, at), (second, then) = versions[a], versions[b]
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
