"""Error messages for a full disk or too little memory outside of the warehouse."""

import errno
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import OutOfResources
from warehouse.database.sizes import format_size

_PER_VERSION = 25_000
"""Bytes of disk per version in a deployment with the shipped feeds, including spare room."""


@contextmanager
def shortage_explained(home: Path) -> Iterator[None]:
    """Turn a full disk or too little memory into OutOfResources; it says how much there is."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OutOfResources(
            f"the disk is full ({error}): {_free(home)} are free at {home}, and a deployment "
            f"takes {_PER_VERSION // 1000} KB per version, {format_size(_PER_VERSION * 300_000)} "
            "for 300,000. Make room and run the same command again"
        ) from error
    except MemoryError as error:
        # Linux reports ru_maxrss in KiB.
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        raise OutOfResources(
            f"there is not enough memory ({str(error) or 'an allocation failed'}): this process "
            f"had {format_size(used)}. Give it more, or take feeds out of SUBREGISTRY_FEEDS, and "
            "run the same command again"
        ) from error


def _free(folder: Path) -> str:
    # The home folder may not exist yet; its nearest parent is on the same disk.
    while not folder.exists():
        folder = folder.parent
    return format_size(shutil.disk_usage(folder).free)
