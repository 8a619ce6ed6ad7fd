"""Seeded samples of the long campaigns; `make campaign` runs them whole.

`SUBREGISTRY_CAMPAIGN=N` plays N random histories and kills N/20 processes.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.demo.clock import PlayedClock
from tests.conftest import START, make_deployment, upstream_server
from tests.line.campaign import run_campaign, stored, visible
from tests.shared import base_dump, recorded_row

HISTORIES = int(os.environ.get("SUBREGISTRY_CAMPAIGN", "40"))
PARTS = 4


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_history_ends_equal_to_upstream(tmp_path: Path, part: int) -> None:
    tally = run_campaign(tmp_path, range(part, HISTORIES, PARTS))
    print(f"\n{tally}")
    assert tally.histories == len(range(part, HISTORIES, PARTS))
    assert tally.faults > 0


@pytest.mark.timeout(0)
def test_a_pull_that_is_killed_at_any_instant_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """SIGKILL real processes while upstream goes on changing; then let one finish."""
    source = random.Random(3)
    clock = PlayedClock(START)
    dump = base_dump()
    kills = 0
    with upstream_server(clock) as upstream:
        deployment = make_deployment(tmp_path / "home", upstream, clock)
        environment = {
            "PATH": os.environ["PATH"],
            "SUBREGISTRY_HOME": str(tmp_path / "home"),
            "SUBREGISTRY_OFFLINE": "1",
            "SUBREGISTRY_UPSTREAM_URL": upstream.url,
            "SUBREGISTRY_UPSTREAM_RATE": "0",
        }
        upstream.registry.page_cap = 20
        fed = 0
        for number in range(max(HISTORIES // 4, 10)):
            for entry in dump[fed : fed + 40]:
                upstream.registry.put(recorded_row(entry))
            fed += 40
            command = [sys.executable, "-m", "pipelines.cli", "pull"]
            process = subprocess.Popen(
                command + ["--full"] * (number % 2),
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(source.uniform(0.3, 1.6))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        deployment.pull(accept_shrink=True)
        deployment.pull(full=True)
        truth = {key: visible(row) for key, row in upstream.registry.rows().items()}
    with deployment.warehouse.session() as session:
        rows = session.text(
            "SELECT e.*, b.body FROM entries e JOIN bodies b ON b.hash = e.server_hash"
        ).to_pylist()
    print(f"\n{kills} kills")
    assert kills >= HISTORIES // 16
    assert len(rows) == len(truth)
    assert {(row["name"], row["version"]): stored(row) for row in rows} == truth
