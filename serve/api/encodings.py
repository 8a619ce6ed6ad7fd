"""Content encodings: choose one for a client, compress bodies and decompress them."""

import threading
import zlib
from functools import lru_cache

import zstandard

from serve.disk import Piece

ENCODINGS = ("zstd", "gzip")
"""The encodings that we support, in our order of preference."""
_GZIP_LEVEL, _ZSTD_LEVEL = 1, 3


@lru_cache(maxsize=256)
def accepted(header: bytes) -> str:
    """The encoding to use for an Accept-Encoding header; empty for none."""
    weights: dict[str, float] = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, parameters = part.strip().partition(";")
        weight = parameters.replace(" ", "").partition("q=")[2]
        try:
            weights[name.strip()] = float(weight) if weight else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    others = weights.get("*", 0.0)
    ours = {name: weights.get(name, others) for name in ENCODINGS}
    # `max` takes the first one of equal weights, so the order of ENCODINGS decides.
    best = max(ENCODINGS, key=lambda name: ours[name])
    return best if ours[best] > 0 and ours[best] >= weights.get("identity", 0.0) else ""


class _Own(threading.local):
    """A compressor per thread: two threads must not share one."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)


_own = _Own()


def compressed(body: bytes, encoding: str, *, level: int = _GZIP_LEVEL) -> bytes:
    """Compress a body; `level` is for gzip only."""
    if encoding == "zstd":
        return _own.zstd.compress(body)
    # 31: a window of 15 bits, plus 16 for the gzip format.
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def unpacked(data: Piece, encoding: str) -> bytes:
    """Decompress a body. Raises ValueError if the data is not in this encoding."""
    try:
        if encoding == "zstd":
            return zstandard.ZstdDecompressor().decompress(data)
        return zlib.decompress(data, 31)
    except (zlib.error, zstandard.ZstdError) as error:
        raise ValueError(f"no {encoding}: {error}") from error
