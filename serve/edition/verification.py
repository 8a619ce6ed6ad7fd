"""Verifies the files of an edition against its manifest; unchanged files are not hashed again.

feeds/NAME/verified.json   per hashed file: size, modification time, inode, SHA-256
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
"""Seconds. A file may change again within one modification time, so a newer file is not cached."""
_Seen = tuple[int, int, int, str]


def verify(folder: Path, *, trusted: Container[str] = (), whole: bool = False) -> Manifest:
    """Check every file of an edition, except `trusted` ones, against its manifest.

    `whole` also hashes files that did not change since the last check. Raises EditionBroken.
    """
    manifest = read_manifest(folder)
    verify_files(folder.parents[1], manifest.files, trusted=trusted, whole=whole)
    return manifest


def verify_files(
    root: Path, files: Files, *, trusted: Container[str] = (), whole: bool = False
) -> None:
    """Check files below a feed's folder, as `verify` does."""
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
            actual = seen[name][3]
        else:
            actual = file_hash(path)
            known.pop(name, None)
            if time.time() - stat.st_mtime > _FRESH:
                known[name] = (*now, actual)
        if stat.st_size != size or actual != digest:
            raise EditionBroken(f"{path} is not what the manifest says; {REMEDY}")
    if known != seen:
        _write(memory, {name: value for name, value in known.items() if (root / name).exists()})


def _read(path: Path) -> dict[str, _Seen]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _Seen])
    except (OSError, msgspec.DecodeError):
        return {}


def _write(path: Path, known: dict[str, _Seen]) -> None:
    """Store the cache, if this process may write here; otherwise files are hashed each time."""
    with contextlib.suppress(OSError):
        if os.access(path.parent, os.W_OK):
            replace_file(path, msgspec.json.encode(known))
