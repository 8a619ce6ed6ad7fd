"""Cutting a page that a JSON parser refuses, at byte level, so that a bad record costs only itself.

Only the frame of the page is read: its keys, the borders of its records, its metadata. Quotes,
brackets and commas are ASCII, so bytes that are not UTF-8 cannot be mistaken for them. A frame that
is not sound is no page at all; nothing is guessed.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{}:,]', re.DOTALL)


class NotAPage(ValueError):
    """The bytes have no sound frame."""


def split_page(body: bytes) -> tuple[list[bytes], bytes]:
    """The records of a list answer and its metadata, as bytes. Raises NotAPage.

    Keys beside `servers` and `metadata` are passed over; either of the two twice is not sound.
    """
    found: dict[bytes, bytes] = {}
    for key, value in members(body):
        if key in found and key in (b"servers", b"metadata"):
            raise NotAPage(f"the page has {key.decode()} twice")
        found[key] = value
    try:
        records, metadata = found[b"servers"], found[b"metadata"]
    except KeyError as error:
        raise NotAPage(f"the page has no {error.args[0].decode()}") from None
    return list(_parts(records, b"[", b"]")), metadata


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
    """Raise ValueError if an object anywhere in valid JSON names a key twice."""
    _unique.decode(data.decode())


def _refuse(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # JSON values
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


_unique = json.JSONDecoder(object_pairs_hook=_refuse)


def _parts(value: bytes, opening: bytes, closing: bytes) -> Iterator[bytes]:
    """What stands between the commas of one object or array; nested ones stay whole."""
    value = value.strip()
    if not value.startswith(opening):
        raise NotAPage("the page is cut off or of another shape")
    stack = []
    start = 1
    for token in _TOKEN.finditer(value):
        sign = token[0]
        if sign in (b"{", b"["):
            stack.append(b"}" if sign == b"{" else b"]")
        elif sign in (b"}", b"]"):
            if not stack or stack.pop() != sign:
                raise NotAPage("the page has a bracket that closes nothing")
            if not stack:
                if value[token.end() :].strip() or sign != closing:
                    raise NotAPage("the page goes on after its end")
                last = value[start : token.start()].strip()
                if last or start > 1:
                    yield _whole(last)
                return
        elif sign == b"," and len(stack) == 1:
            yield _whole(value[start : token.start()].strip())
            start = token.end()
    raise NotAPage("the page is cut off")


def _whole(part: bytes) -> bytes:
    if not part:
        raise NotAPage("the page has a comma too many")
    return part
