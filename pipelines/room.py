"""What to say when the disk is full or memory runs out outside of the warehouse."""

import errno
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import OutOfRoom

PER_VERSION = 25_000
"""Bytes of disk that a deployment with the shipped feeds takes per version, spare room included."""


@contextmanager
def shortage_explained(home: Callable[[], Path]) -> Iterator[None]:
    """Turn a full disk, or too little memory, into OutOfRoom, which says what there is."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OutOfRoom(
            f"the disk is full ({error}): {_free(home())} are free at {home()}, and a deployment "
            f"takes {PER_VERSION // 1000} KB per version, {PER_VERSION * 300_000 / 1e9:.0f} GB for "
            "300,000. Make room and run the same command again"
        ) from error
    except MemoryError as error:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        raise OutOfRoom(
            f"there is not enough memory ({str(error) or 'an allocation failed'}): this process "
            f"had {used:.0f} MB. Give it more, or take feeds out of SUBREGISTRY_FEEDS, and run the "
            "same command again"
        ) from error


def _free(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    return f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB"
