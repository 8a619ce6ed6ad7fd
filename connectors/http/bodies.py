"""Reading a body: capped while it streams, unpacked with a bound on how much it may grow."""

import zlib
from collections.abc import Iterator

import httpx

from connectors.errors import BodyRefused, Unreachable

MIB = 1024 * 1024
_CHUNK = 65536
_MAX_RATIO = 200


def read_beginning(response: httpx.Response, url: str) -> bytes:
    """What an answer of no use says, for its message; nothing where that cannot be read."""
    try:
        return next(_decoded(response, MIB, url, whole=False), b"")[:500]
    except (BodyRefused, Unreachable):
        return b""


def read_body(response: httpx.Response, cap: int, url: str, *, whole: bool) -> bytes:
    body = bytearray()
    for data in _decoded(response, cap, url, whole=whole):
        body += data
    return bytes(body)


def _decoded(
    response: httpx.Response, cap: int, url: str, *, whole: bool = True
) -> Iterator[bytes]:
    """Yield the body decoded, never holding more than a chunk over the cap.

    A length that is announced over the cap ends it before anything is read; it is not trusted
    otherwise. Without `whole` the length is of a body that was not asked for.
    """
    length = response.headers.get("content-length", "")
    if whole and length.isascii() and length.isdigit() and int(length[:18]) > cap:
        raise BodyRefused(f"{url} announces more than {cap} bytes", url=url)
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", ""):
        raise BodyRefused(f"{url} answered with the encoding {encoding}, not gzip", url=url)
    unzip = zlib.decompressobj(31) if encoding == "gzip" else None
    raw = size = 0
    for chunk in response.iter_raw():
        raw += len(chunk)
        pending = chunk
        while pending:
            try:
                if unzip and unzip.eof:
                    unzip = zlib.decompressobj(31)  # gzip may have several members
                data = unzip.decompress(pending, _CHUNK) if unzip else pending
            except zlib.error as error:
                raise Unreachable(f"{url} sent broken gzip: {error}", url=url) from error
            pending = (unzip.unconsumed_tail or unzip.unused_data) if unzip else b""
            size += len(data)
            bomb = size > 4 * MIB and size > raw * _MAX_RATIO
            if size > cap or raw > cap + MIB or (unzip and bomb):
                raise BodyRefused(f"{url} sent more than {cap} bytes or a gzip bomb", url=url)
            yield data
    if unzip and raw and not unzip.eof:
        raise Unreachable(f"{url} sent gzip that ends too early", url=url)
