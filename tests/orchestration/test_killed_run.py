"""A run that is killed costs one run: the daemon frees its place in the pool, and the next runs."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines.demo.loopback import Request
from tests.orchestration.processes import environment, program
from tests.support.deployments import START, Upstream, server_json
from warehouse.database.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]
LOCATION = """
import dagster as dg
from pipelines.orchestration.assets import registry
from pipelines.orchestration.definitions import DeploymentResource

pull = dg.define_asset_job("pull", selection=dg.AssetSelection.assets(registry))
defs = dg.Definitions([registry], jobs=[pull], resources={"deployment": DeploymentResource()})
"""


def test_a_killed_run_gives_its_place_in_the_pool_to_the_next(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.registry.publish(server_json("a.b/c"), START)
    asked, go_on = threading.Event(), threading.Event()

    def stall(_: Request) -> None:  # until the run is killed
        asked.set()
        go_on.wait(120)

    upstream.fault = stall
    home = dagster_home(tmp_path / "dagster")
    monkeypatch.setenv("SUBREGISTRY_DAGSTER_DIR", str(home))
    variables = environment(tmp_path, upstream, home=home, state=home)
    location = tmp_path / "location.py"
    location.write_text(LOCATION)

    def dagster(*arguments: str) -> None:
        command = [program("dagster"), *arguments]
        subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, check=True)

    dagster("instance", "info")  # makes the tables, before two processes would at once
    with (
        daemon(location, variables, tmp_path / "daemon.log"),
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        dagster("job", "launch", "-f", str(location), "-j", "pull")
        assert asked.wait(120), (tmp_path / "daemon.log").read_text()
        assert pool(instance) == 1
        killed = worker(instance)
        # Its step runs in a process of its own, which a kill of the machine would take too.
        for pid in (killed, *children(killed)):
            os.kill(pid, signal.SIGKILL)
        go_on.set()
        # The daemon starts it again by itself: `run_retries` in dagster.yaml.
        until(lambda: len(ended(instance)) == 2)
        assert set(ended(instance)) == {
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.SUCCESS,
        }
        until(lambda: pool(instance) == 0)
    with Warehouse(tmp_path / "home" / "warehouse.duckdb").session() as session:
        assert session.text("SELECT DISTINCT name FROM entries").num_rows == 1


def dagster_home(folder: Path) -> Path:
    """A folder with our dagster.yaml, but for the waits, which are short."""
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    assert settings["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
    settings["run_monitoring"] |= {
        "poll_interval_seconds": 1,
        "free_slots_after_run_end_seconds": 1,
    }
    folder.mkdir()
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
    return folder


@contextmanager
def daemon(location: Path, variables: dict[str, str], log: Path) -> Iterator[None]:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [program("dagster-daemon"), "run", "-f", str(location)],
            cwd=ROOT,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def worker(instance: dg.DagsterInstance) -> int:
    """The process of the first run, as Dagster's own log names it."""
    (run,) = instance.get_runs()
    text = "\n".join(event.user_message or event.message for event in instance.all_logs(run.run_id))
    started = re.search(r"Started process for run \(pid: (\d+)\)", text)
    assert started, text
    return int(started[1])


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def pool(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info("walk").active_slot_count


def ended(instance: dg.DagsterInstance) -> list[dg.DagsterRunStatus]:
    return [run.status for run in instance.get_runs() if run.is_finished]


def until(condition: Callable[[], bool], *, seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)  # Dagster's state is in its database, which nobody can wait on
