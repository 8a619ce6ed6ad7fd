"""The line under Dagster: loadable, materialized, checked, launched headless."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import Reply
from pipelines.line import Line
from pipelines.orchestration.definitions import build_defs
from tests.orchestration.processes import environment, program
from tests.support.deployments import START, Upstream, make_deployment, server_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def deployment(deployment: Line, upstream: Upstream) -> Line:
    for number in range(3):
        upstream.registry.publish(server_json(f"a.b/s{number}"), START)
    return deployment


def execute(
    deployment: Line, job: str = "refresh", **config: bool | str
) -> dg.ExecuteInProcessResult:
    """Run a job; keywords are the run config of the pull."""
    with dg.DagsterInstance.ephemeral() as instance:
        definition = build_defs(deployment=deployment).resolve_job_def(job)
        return definition.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"ops": {"registry": {"config": config}}} if config else None,
        )


def test_the_code_location_loads_and_is_wired_as_meant() -> None:
    definitions = build_defs()
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    parents = {
        key.to_user_string(): sorted(
            parent.to_user_string() for parent in graph.get(key).parent_keys
        )
        for key in graph.get_all_asset_keys()
    }
    assert parents == {
        "raw_registry__entries": [],
        "core_registry__versions": ["raw_registry__entries"],
        "raw_packages__facts": ["core_registry__versions"],
        "core_default__verdicts": ["core_registry__versions", "raw_packages__facts"],
        "out_default__candidate": ["core_default__verdicts"],
        "out_default__edition": ["out_default__candidate"],
        "out_default__indexes": ["out_default__edition"],
        "core_mirror__verdicts": ["core_registry__versions", "raw_packages__facts"],
        "out_mirror__candidate": ["core_mirror__verdicts"],
        "out_mirror__edition": ["out_mirror__candidate"],
        "out_mirror__indexes": ["out_mirror__edition"],
        "core_remote_only__verdicts": ["core_registry__versions", "raw_packages__facts"],
        "out_remote_only__candidate": ["core_remote_only__verdicts"],
        "out_remote_only__edition": ["out_remote_only__candidate"],
        "out_remote_only__indexes": ["out_remote_only__edition"],
        "core_strict__verdicts": ["core_registry__versions", "raw_packages__facts"],
        "out_strict__candidate": ["core_strict__verdicts"],
        "out_strict__edition": ["out_strict__candidate"],
        "out_strict__indexes": ["out_strict__edition"],
        "out_analytics__copy": [
            "out_default__edition",
            "out_mirror__edition",
            "out_remote_only__edition",
            "out_strict__edition",
        ],
    }
    schedules = definitions.schedules or []
    crons = {
        schedule.name: schedule.cron_schedule
        for schedule in schedules
        if isinstance(schedule, dg.ScheduleDefinition)
    }
    assert crons == {
        "refresh_hourly": "7 * * * *",
        "reconcile_daily": "37 3 * * *",
        "profile_hourly": "17 * * * *",
    }


def test_a_run_publishes_and_a_second_one_switches_nothing(deployment: Line) -> None:
    first = execute(deployment)
    assert first.success
    checks = first.get_asset_check_evaluations()
    assert [check.passed for check in checks] == [True, True, True]
    live = deployment.feed("default").current_id()
    assert live is not None
    assert (deployment.settings.analytics / "warehouse.duckdb").exists()
    (entries, _) = first.asset_materializations_for_node("registry")
    assert entries.metadata["new"].value == 3
    assert execute(deployment).success
    assert deployment.feed("default").current_id() == live


def test_a_candidate_that_shrank_is_blocked_before_the_switch(
    deployment: Line, upstream: Upstream, clock: FakeClock
) -> None:
    for number in range(60):
        upstream.registry.publish(server_json(f"c.d/s{number:02d}"), START)
    assert execute(deployment).success
    live = deployment.feed("default").current_id()
    for number in range(60):
        upstream.registry.set_status(f"c.d/s{number:02d}", None, "deleted", "", clock())
    result = execute(deployment)
    assert not result.success
    assert [check.passed for check in result.get_asset_check_evaluations()] == [
        True,
        False,
        False,
    ]
    assert deployment.feed("default").current_id() == live


def test_a_final_error_is_not_retried(deployment: Line, upstream: Upstream) -> None:
    upstream.fault = lambda _: Reply(200, b"{}")
    result = execute(deployment)
    assert not result.success
    assert len(upstream.targets) == 1


def test_the_brake_fails_the_run_and_run_config_passes_it(
    deployment: Line, upstream: Upstream, clock: FakeClock
) -> None:
    for number in range(60):
        upstream.registry.publish(server_json(f"c.d/s{number:02d}"), START - timedelta(days=1))
    assert execute(deployment).success
    for key in list(upstream.registry.rows())[:50]:
        upstream.registry.remove(key)
    clock.move_to(START + timedelta(days=1))
    result = execute(deployment, "reconcile")
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "pull --upstream official --accept-shrink --reason" in str(
        failure.step_failure_data.user_failure_data
    )
    execute(deployment, full=True, accept_shrink=True, reason="upstream was cleaned up")
    counts = deployment.status().upstreams[0]
    assert (counts["missing"], counts["vanished"]) == (0, 50)


def test_an_upstream_that_fails_fails_a_check_and_stops_no_other(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    document = tmp_path / "one.json"
    document.write_text(json.dumps(server_json("com.example/one")))
    sources = {"inhouse": str(document), "official": upstream.url}
    deployment = make_deployment(tmp_path / "home", upstream, clock, upstreams=sources)
    upstream.fault = lambda _: Reply(400, b"no")
    result = execute(deployment)
    assert result.success
    (check,) = [
        evaluation for evaluation in result.get_asset_check_evaluations() if not evaluation.passed
    ]
    assert "answered 400" in str(check.metadata["errors"].value)
    live = deployment.feed("default").current()
    assert live is not None
    assert live.count == 1


def test_the_reconcile_job_walks_everything(deployment: Line, upstream: Upstream) -> None:
    assert execute(deployment).success
    upstream.targets.clear()
    assert execute(deployment, "reconcile").success
    assert "include_deleted=true" in upstream.targets[0]


def test_dg_launches_the_line_headless(
    deployment: Line, upstream: Upstream, tmp_path: Path
) -> None:
    folder = tmp_path / "dagster"
    folder.mkdir()
    done = subprocess.run(
        [program("dg"), "launch", "--job", "refresh"],
        cwd=ROOT,
        env=environment(tmp_path, upstream, home=ROOT, state=folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "home" / "feeds" / "mirror" / "current").exists()
    assert any(folder.iterdir())


def test_dagster_yaml_names_only_variables_that_the_makefile_exports() -> None:
    text = (ROOT / "dagster.yaml").read_text()
    assert yaml.safe_load(text)["telemetry"] == {"enabled": False}
    names = {line.split("env:")[1].strip() for line in text.splitlines() if "env:" in line}
    makefile = (ROOT / "Makefile").read_text()
    for name in names | {"DAGSTER_HOME"}:
        assert f"export {name} ?=" in makefile
