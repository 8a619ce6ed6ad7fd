"""The demonstration as a user runs it."""

import os
import subprocess
import sys


def test_the_demonstration_checks_its_own_feed_with_no_network() -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("SUBREGISTRY_")
    }
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "demo", "--once"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert done.stderr == ""
    for phrase in (
        "is deprecated, all versions at one instant",
        "is deleted",
        "comes back",
        "is edited silently",
        "is removed",
        "is unpublished",
        "is quarantined",
        "vanished=",
        "unreadable=1",
        "exclude:nothing-to-run",
        "2 differences",
    ):
        assert phrase in done.stdout
