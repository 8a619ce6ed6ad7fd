"""Whether the files of an edition are what its manifest says, each read again only if it changed.

feeds/NAME/verified.json   of each file that was read: size, instant of its last change, inode, hash
"""

import contextlib
import os
import time
from collections.abc import Container
from pathlib import Path

import msgspec

from serve.disk import REMEDY, file_hash, replace_file
from serve.edition.manifests import Files, Manifest, read_manifest
from serve.errors import EditionBroken

_FRESH = 2.0
"""Seconds in which a file may change again without another instant: it is not remembered."""
_Seen = tuple[int, int, int, str]


def verify(folder: Path, *, trusted: Container[str] = (), whole: bool = False) -> Manifest:
    """Check every file of an edition against its manifest, but for `trusted` ones.

    With `whole` also those which are as they were when they were read last. Raises EditionBroken.
    """
    manifest = read_manifest(folder)
    verify_files(folder.parents[1], manifest.files, trusted=trusted, whole=whole)
    return manifest


def verify_files(
    root: Path, files: Files, *, trusted: Container[str] = (), whole: bool = False
) -> None:
    """The same of some files below a feed's folder."""
    memory = root / "verified.json"
    seen = {} if whole else _read(memory)
    known = dict(seen)
    for name, (size, digest) in files.items():
        if name in trusted:
            continue
        path = root / name
        try:
            stat = path.stat()
        except OSError as error:
            raise EditionBroken(f"{path} is missing; {REMEDY}") from error
        now = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        if seen.get(name, ())[:3] == now:
            found = seen[name][3]
        else:
            found = file_hash(path)
            known.pop(name, None)
            if time.time() - stat.st_mtime > _FRESH:
                known[name] = (*now, found)
        if stat.st_size != size or found != digest:
            raise EditionBroken(f"{path} is not what the manifest says; {REMEDY}")
    if known != seen:
        _write(memory, {name: value for name, value in known.items() if (root / name).exists()})


def _read(path: Path) -> dict[str, _Seen]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _Seen])
    except (OSError, msgspec.DecodeError):
        return {}


def _write(path: Path, known: dict[str, _Seen]) -> None:
    """Remember it, if this process may write here; whoever may not reads the files each time."""
    with contextlib.suppress(OSError):
        if os.access(path.parent, os.W_OK):
            replace_file(path, msgspec.json.encode(known))
