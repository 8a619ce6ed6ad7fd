"""Names and versions in a request path, in the spellings that clients send."""

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes


def target(segments: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """(name, kind, version) of a path below /servers; a name alone asks for its latest version."""
    # A server name has a slash, so in servers/NAMESPACE/versions the last word belongs to the name.
    # A version may be called versions, so the longer form comes first.
    if len(segments) >= 3 and segments[-2] == b"versions":
        name = b"/".join(segments[:-2])
        if _has_slash(name):
            return name, b"version", segments[-1]
    if len(segments) >= 2 and segments[-1] == b"versions":
        name = b"/".join(segments[:-1])
        if _has_slash(name):
            return name, b"versions", b""
    return b"/".join(segments), b"version", b"latest"


def explained(segments: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Spellings of the name and of the version (none: all versions) of a path below /explain."""
    # A name is one segment if its slash is encoded, otherwise two.
    length = 1 if _has_slash(segments[0]) else 2
    version = b"/".join(segments[length:])
    return spellings(b"/".join(segments[:length])), spellings(version) if version else []


def _has_slash(name: bytes) -> bool:
    return any(b"/" in spelled for spelled in spellings(name))


def spellings(raw: bytes) -> list[bytes]:
    """A path segment decoded once, and also decoded twice if that differs."""
    once = unquote_to_bytes(raw)
    twice = unquote_to_bytes(once)
    return [once] if once == twice else [once, twice]
