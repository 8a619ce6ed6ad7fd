"""Reading a body: capped while it streams, with a bound on how far gzip may expand."""

import zlib
from collections.abc import Iterator

import httpx

from connectors.errors import BodyRefused, Unreachable

MIB = 1024 * 1024
_CHUNK = 65536
_MAX_RATIO = 200


def read_beginning(response: httpx.Response, url: str) -> bytes:
    """The start of an unexpected answer, for the error message; empty if it cannot be read."""
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
    """Yield the decoded body, and never hold more than one chunk over the cap.

    A Content-Length over the cap fails before anything is read; a smaller one is not trusted.
    Without `whole` (a HEAD request) the length describes a body that was not requested.
    """
    length = response.headers.get("content-length", "")
    # Cutting the digits keeps int() fast and below its limit on long numbers.
    if whole and length.isascii() and length.isdigit() and int(length[:18]) > cap:
        raise BodyRefused(f"{url} announces more than {cap} bytes", url=url)
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", ""):
        raise BodyRefused(f"{url} answered with the encoding {encoding}, not gzip", url=url)
    # 31 = 16 + 15: gzip format with the largest window.
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
            # The output limit leaves unconsumed_tail; the next gzip member is in unused_data.
            pending = (unzip.unconsumed_tail or unzip.unused_data) if unzip else b""
            size += len(data)
            # Small bodies may have any ratio; raw has a cap too, as members may be empty.
            bomb = size > 4 * MIB and size > raw * _MAX_RATIO
            if size > cap or raw > cap + MIB or (unzip and bomb):
                raise BodyRefused(f"{url} sent more than {cap} bytes or a gzip bomb", url=url)
            yield data
    if unzip and raw and not unzip.eof:
        raise Unreachable(f"{url} sent gzip that ends too early", url=url)
