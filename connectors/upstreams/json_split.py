"""Cut a page that a JSON parser refuses, at byte level, so that only the bad record is lost.

Only the frame of the page is read: its keys, the limits of its records, its metadata. Quotes,
brackets and commas are ASCII, so bytes that are not UTF-8 cannot be mistaken for them. A broken
frame raises NotAPage; nothing is guessed.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

# A whole string is one token, so brackets inside it do not count; `*+` never backtracks.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{}:,]', re.DOTALL)


class NotAPage(ValueError):
    """The bytes have no valid frame."""


def split_page(body: bytes) -> tuple[list[bytes], bytes | None]:
    """The records of a list answer and its metadata (None: it has none), as bytes. Raises NotAPage.

    Keys other than `servers` and `metadata` are skipped; either of the two twice is an error.
    """
    values: dict[bytes, bytes] = {}
    for key, value in members(body):
        if key in values and key in (b"servers", b"metadata"):
            raise NotAPage(f"the page has {key.decode()} twice")
        values[key] = value
    if b"servers" not in values:
        raise NotAPage("the page has no servers")
    return list(_parts(values[b"servers"], b"[", b"]")), values.get(b"metadata")


def members(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of an object as bytes, in its order. Raises NotAPage."""
    for part in _parts(body, b"{", b"}"):
        key = _TOKEN.match(part)
        colon = _TOKEN.search(part, key.end()) if key else None
        if key is None or colon is None or key[0][:1] != b'"' or colon[0] != b":":
            raise NotAPage("the page is not an object")
        if part[key.end() : colon.start()].strip():
            raise NotAPage("the page has bytes between a key and its colon")
        yield key[0][1:-1], part[colon.end() :].strip()


def depth(data: bytes) -> int:
    """How deep objects and arrays are nested."""
    deepest = level = 0
    for token in _TOKEN.finditer(data):
        if token[0] in (b"{", b"["):
            level += 1
            deepest = max(deepest, level)
        elif token[0] in (b"}", b"]"):
            level -= 1
    return deepest


def refuse_doubled_keys(data: bytes) -> None:
    """Raise ValueError if any object in valid JSON has a key twice."""
    _unique.decode(data.decode())


def _refuse(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # JSON values
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("an object has a key twice")
    return unique


_unique = json.JSONDecoder(object_pairs_hook=_refuse)


def _parts(value: bytes, opening: bytes, closing: bytes) -> Iterator[bytes]:
    """Yield the text between the commas of one object or array; nested values stay whole."""
    value = value.strip()
    if not value.startswith(opening):
        raise NotAPage("the page is cut off or of another shape")
    stack = []
    start = 1
    for token in _TOKEN.finditer(value):
        char = token[0]
        if char in (b"{", b"["):
            stack.append(b"}" if char == b"{" else b"]")
        elif char in (b"}", b"]"):
            if not stack or stack.pop() != char:
                raise NotAPage("the page has a bracket that closes nothing")
            if not stack:
                if value[token.end() :].strip() or char != closing:
                    raise NotAPage("the page goes on after its end")
                last = value[start : token.start()].strip()
                # `[]` has no part; but after a comma an empty last part is an error.
                if last or start > 1:
                    yield _whole(last)
                return
        elif char == b"," and len(stack) == 1:
            yield _whole(value[start : token.start()].strip())
            start = token.end()
    raise NotAPage("the page is cut off")


def _whole(part: bytes) -> bytes:
    if not part:
        raise NotAPage("the page has a comma too many")
    return part
