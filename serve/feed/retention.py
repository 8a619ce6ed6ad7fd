"""What of a feed's files is kept: bases that editions use, or that the next edition may use."""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from serve.edition.manifests import BaseManifest, read_base_manifest
from serve.errors import EditionBroken


@dataclass(frozen=True)
class Retention:
    """Editions that are kept: the newest `editions`, and those that were live within `period`."""

    editions: int
    period: timedelta


def clean_bases(folder: Path, used: set[str], kept: set[str]) -> list[BaseManifest]:
    """The bases that editions use, and the newest one that the next edition may; others go."""
    found: list[BaseManifest] = []
    for place in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []:
        try:
            base = None if place.suffix else read_base_manifest(place)
        except EditionBroken:
            if place.name in used:
                raise
            base = None
        newest = base is not None and not any(other.over == base.over for other in found)
        if base and (place.name in used or (newest and base.edition in kept)):
            found.append(base)
            continue
        _remove(place)
    return found


def _remove(folder: Path) -> None:
    """Remove a base; what a crash leaves of it is no base any more."""
    gone = folder if folder.suffix else folder.with_suffix(".gone")
    if gone != folder:
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
    shutil.rmtree(gone)
