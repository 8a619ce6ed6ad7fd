"""Versions of Python releases: their canonical spelling, and the one that a file's name carries."""

from contextlib import suppress

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version


def canonical_version(version: str) -> str:
    """The PEP 440 spelling; what is no such version stays as it is."""
    with suppress(InvalidVersion):
        return str(Version(version))
    return version


def version_of_file(name: str) -> str:
    """The canonical version that a wheel's or an sdist's name carries; of others as far as told."""
    with suppress(InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        if name.endswith(".whl"):
            return str(parse_wheel_filename(name)[1])
        if name.endswith((".tar.gz", ".zip")):
            return str(parse_sdist_filename(name)[1])
    stem = name.rpartition(".")[0].removesuffix(".tar")
    parts = stem.split("-")
    return canonical_version(parts[1] if len(parts) > 1 else "")
