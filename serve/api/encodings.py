"""Content encodings: which one a client wants, and bodies in them."""

import threading
import zlib
from functools import lru_cache

import zstandard

from serve.disk import Piece

ENCODINGS = ("zstd", "gzip")
"""Those that we have, the one we like best first."""
_GZIP_LEVEL, _ZSTD_LEVEL = 1, 3


@lru_cache(maxsize=256)
def accepted(header: bytes) -> str:
    """The encoding to use for Accept-Encoding; empty for none."""
    weights: dict[str, float] = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, parameters = part.strip().partition(";")
        weight = parameters.replace(" ", "").partition("q=")[2]
        try:
            weights[name.strip()] = float(weight) if weight else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    others = weights.get("*", 0.0)
    found = {name: weights.get(name, others) for name in ENCODINGS}
    best = max(ENCODINGS, key=lambda name: found[name])
    return best if found[best] > 0 and found[best] >= weights.get("identity", 0.0) else ""


class _Own(threading.local):
    """What no two threads may share."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)


_own = _Own()


def compressed(body: bytes, encoding: str, *, level: int = _GZIP_LEVEL) -> bytes:
    """A body in an encoding."""
    if encoding == "zstd":
        return _own.zstd.compress(body)
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def unpacked(data: Piece, encoding: str) -> bytes:
    """The body that an encoding holds. Raises ValueError if it is none."""
    try:
        if encoding == "zstd":
            return zstandard.ZstdDecompressor().decompress(data)
        return zlib.decompress(data, 31)
    except (zlib.error, zstandard.ZstdError) as error:
        raise ValueError(f"no {encoding}: {error}") from error
