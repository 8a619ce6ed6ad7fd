"""The line at any size: memory stays bounded, and curation in parts equals curation at once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.line import upstream
from bench.sizes import environment
from pipelines.demo.play import running_demo
from warehouse.curation.decide import decide
from warehouse.curation.parts import parts, scoped
from warehouse.database.session import Session

VERSIONS = int(os.environ.get("SUBREGISTRY_SIZE", "4000"))
_DAGSTER = """
import dagster as dg
from pipelines.orchestration.definitions import build_defs
job = build_defs().resolve_job_def("reconcile")
assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral()).success
"""
_TABLES = (
    "verdicts",
    "verdict_history",
    "served_packages",
    "package_columns",
    "advisory_columns SEMI JOIN entries USING (server_hash)",
    "clusters",
    "server_columns",
)


def test_a_curation_in_parts_comes_to_what_the_whole_comes_to(tmp_path: Path) -> None:
    """Uses the demonstration, because it has every kind of fact."""
    with running_demo(tmp_path, lambda _: None, lambda *_: None) as result:
        deployment = result.deployment
    now = deployment.clock()
    with deployment.warehouse.session() as session:
        for policy in deployment.policies():
            book = policy.rule_book(now, [])
            results = []
            for servers in (10_000, 100):
                for table in ("verdict_history", "verdicts", "curations", "derivation"):
                    session.text(f"DELETE FROM {table}")
                decide(session, policy.name, book, policy_hash="p", now=now, servers=servers)
                results.append({table: _rows(session, table) for table in _TABLES})
            with scoped(session, "curation/select_everything"):
                assert len(parts(session, 100)) > 3
            assert results[0] == results[1]
            assert all(results[0][table] for table in ("verdicts", "served_packages"))


def _rows(session: Session, table: str) -> list[str]:
    columns = "* EXCLUDE (changed_at)" if table == "verdicts" else "*"
    rows = f"SELECT to_json(t)::VARCHAR AS row FROM (SELECT {columns} FROM {table}) t"
    return [row["row"] for row in session.text(f"{rows} ORDER BY ALL").to_pylist()]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("limit", [None, "256MB"], ids=["default", "floor"])
def test_the_whole_line_runs_without_a_setting_for_its_size(
    limit: str | None, tmp_path: Path
) -> None:
    """A first run, facts, a refresh, single steps, a full walk (by hand or by Dagster), a query."""
    with upstream(VERSIONS, own=True) as (url, publish):
        settings = environment(tmp_path, url)
        if limit:
            settings["SUBREGISTRY_MEMORY_LIMIT"] = limit

        def run(*words: str) -> Any:  # JSON that a command prints
            done = subprocess.run(
                [sys.executable, "-m", "pipelines.cli", *words, "--json"],
                env=settings,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-2000:]
            return json.loads(done.stdout)

        built = {report["feed"]: report for report in run("run") if report["step"] == "build"}
        served = built["mirror"]["entries"]
        assert built.keys() == {"default", "mirror", "remote-only", "strict"}
        assert VERSIONS * 0.99 < served <= VERSIONS
        assert run("profile", "--budget", "200")[0]["asked"] == 200
        publish("25")
        publish("25 more")
        steps = run("run")
        assert [report["new"] for report in steps if report["step"] == "pull"] == [50]
        switched = {report["feed"]: report for report in steps if report["step"] == "switch"}
        assert switched["mirror"]["entries"] == served + 50
        publish("10")
        for command in ("pull", "curate", "build", "switch", "index"):
            run(command)
        if limit:
            subprocess.run([sys.executable, "-c", _DAGSTER], env=settings, check=True)
        else:
            assert run("run", "--full")[0]["kind"] == "full"
        (row,) = run("query", "SELECT count(*) AS n FROM verdicts WHERE feed = 'mirror'")
        assert row["n"] == served + 60
