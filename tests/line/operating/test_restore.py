"""A damaged warehouse is named with what to do, and the recipe works."""

import random
import shutil
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from pipelines.refresh import refresh
from tests.line.campaigns.states import states, truth
from tests.line.pulling.test_history import HOUR
from tests.support.deployments import START, Upstream, server_json
from warehouse.errors import WarehouseBroken


def test_the_last_copy_takes_the_place_of_a_damaged_warehouse(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    refresh(deployment, report_step=lambda *_: None)
    clock.move_to(START + HOUR)
    full_of_servers.registry.publish(server_json("io.github.o/late"), clock())
    deployment.pull()  # is not in the copy
    home = deployment.settings.home
    path, copy = home / "warehouse.duckdb", home / "analytics" / "warehouse.duckdb"
    tear(path)
    with pytest.raises(WarehouseBroken) as caught:
        deployment.pull()
    message = str(caught.value)
    assert "Corrupt database file" in message
    assert f"copy {copy} to its place" in message
    assert "Feeds are served on" in message
    path.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    shutil.copyfile(copy, path)
    clock.move_to(START + 2 * HOUR)
    refresh(deployment, full=True, report_step=lambda *_: None)
    assert states(deployment) == truth(full_of_servers)
    live = deployment.feed("mirror").current()
    assert live is not None
    assert live.keys.find(b"io.github.o/late", b"1.0.0") is not None


def tear(path: Path) -> None:
    """Overwrite the middle of every block, as a write that was cut off leaves it."""
    source, size = random.Random(1), 262_144
    with path.open("r+b") as file:
        for start in range(12_288, path.stat().st_size - size, size):
            file.seek(start + size // 2)
            file.write(source.randbytes(4096))
