"""A command that is stopped says where the next one goes on, and the next one does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import Reply, Request
from tests.support.deployments import START, server_json, upstream_server


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_pull_says_where_the_next_goes_on(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with upstream_server(FakeClock(START)) as upstream:
        for count in range(30):
            upstream.registry.publish(server_json(f"a.b/s{count:02d}"), START)
        environment = {
            "PATH": os.environ["PATH"],
            "SUBREGISTRY_HOME": str(tmp_path / "home"),
            "SUBREGISTRY_OFFLINE": "1",
            "SUBREGISTRY_UPSTREAM_URL": upstream.url,
            "SUBREGISTRY_UPSTREAM_RATE": "0",
            "SUBREGISTRY_UPSTREAM_PAGE": "10",
        }
        command = [sys.executable, "-m", "pipelines.cli", "pull", "--json"]
        # A shell starts what runs in the background with SIGINT ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        finally:
            signal.signal(signal.SIGINT, before)

        def stop_on_the_second_page(request: Request) -> Reply | None:
            if "cursor=" in request.target:
                running.send_signal(number)
                return Reply(503, b"{}", pause=0.5)
            return None

        try:
            upstream.fault = stop_on_the_second_page
            _, stderr = running.communicate(timeout=60)
        finally:
            running.kill()
        assert running.returncode == code, stderr
        assert f"subregistry: stopped by {number.name}; what is live stays" in stderr
        assert "goes on after its last whole page" in stderr
        upstream.fault = lambda _: None
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
    (report,) = json.loads(done.stdout)
    assert (report["new"], report["resumed_pages"]) == (30, 1)
