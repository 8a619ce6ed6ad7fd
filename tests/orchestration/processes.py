"""Dagster's own programs, and the environment that they run in."""

import os
import sys
from pathlib import Path

from tests.support.deployments import Upstream


def environment(folder: Path, upstream: Upstream, *, home: Path, state: Path) -> dict[str, str]:
    """All that a program of Dagster gets: `home` has dagster.yaml, `state` what it stores."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DAGSTER_HOME": str(home),
        "SUBREGISTRY_DAGSTER_DIR": str(state),
        "SUBREGISTRY_HOME": str(folder / "home"),
        "SUBREGISTRY_OFFLINE": "1",
        "SUBREGISTRY_UPSTREAM_URL": upstream.url,
        "SUBREGISTRY_UPSTREAM_RATE": "0",
        "SUBREGISTRY_ORIGINS__NPM__URL": f"{upstream.packages_url}/npm",
    }


def program(name: str) -> str:
    """A program of this virtual environment."""
    return str(Path(sys.executable).parent / name)
