"""Which files of a feed are kept: bases that editions use, or that the next edition may use."""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from serve.edition.manifests import BaseManifest, read_base_manifest
from serve.errors import EditionBroken


@dataclass(frozen=True)
class Retention:
    """Which editions to keep: the newest `editions`, and those that were live within `period`."""

    editions: int
    period: timedelta


def clean_bases(folder: Path, used: set[str], kept: set[str]) -> list[BaseManifest]:
    """Keep bases that editions use and the newest that the next edition may use; remove others."""
    bases: list[BaseManifest] = []
    # Names of bases start with their instant, so reverse order is newest first.
    for place in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []:
        try:
            base = None if place.suffix else read_base_manifest(place)
        except EditionBroken:
            if place.name in used:
                raise
            base = None
        newest = base is not None and not any(other.over == base.over for other in bases)
        if base and (place.name in used or (newest and base.edition in kept)):
            bases.append(base)
            continue
        _remove(place)
    return bases


def _remove(folder: Path) -> None:
    """Remove a base. It is renamed first, so that a crash leaves nothing that looks like a base."""
    gone = folder if folder.suffix else folder.with_suffix(".gone")
    if gone != folder:
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
    shutil.rmtree(gone)
