"""Several upstreams: registries and directories, names that stay where they were met first."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.errors import TerminalError
from pipelines.cli.parser import main
from pipelines.demo.clock import PlayedClock
from pipelines.demo.loopback import Reply
from pipelines.errors import SomeFailed, StepError, UsageError
from pipelines.line import Line
from pipelines.operate.release import release
from pipelines.refresh import publish, pull_all, refresh
from pipelines.report.explain import explain
from pipelines.report.status import status
from tests.conftest import START, Upstream, make_deployment, server_json
from tests.serve.feeds import served
from warehouse.errors import BrakeEngaged

HOUR = timedelta(hours=1)


@pytest.fixture
def inhouse(tmp_path: Path) -> Path:
    folder = tmp_path / "inhouse"
    folder.mkdir()
    write(folder / "one.json", "com.example/one")
    return folder


@pytest.fixture
def deployment(tmp_path: Path, upstream: Upstream, clock: PlayedClock, inhouse: Path) -> Line:
    """In-house documents before the public registry, which has a namesake."""
    upstream.registry.publish(server_json("com.example/one", "9.0.0", title="not ours"), START)
    upstream.registry.publish(server_json("io.github.o/public"), START)
    sources = {"inhouse": str(inhouse), "official": upstream.url}
    return make_deployment(tmp_path / "home", upstream, clock, upstreams=sources)


def write(path: Path, name: str, version: str = "1.0.0", **extra: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(server_json(name, version, **extra), indent=2))


def pulled(deployment: Line) -> SomeFailed | None:
    return pull_all(deployment, tell=lambda *_: None)


def current(deployment: Line) -> list[tuple[str, str, str, bool]]:
    with deployment.warehouse.session() as session:
        rows = session.text("FROM current_entries ORDER BY name, version").to_pylist()
    return [(row["upstream"], row["name"], row["version"], row["is_latest"]) for row in rows]


def walked(deployment: Line, query: str = "") -> list[tuple[str, str]]:
    (mirror,) = deployment.policies("mirror")
    publish(deployment, mirror, tell=lambda *_: None)
    with served(deployment.settings.feed_root, ("mirror", "/")) as client:
        return client.walk(f"/v0.1/servers?limit=100{query}")


def test_a_name_belongs_to_the_first_upstream_that_has_it(deployment: Line) -> None:
    assert pulled(deployment) is None
    public = ("official", "io.github.o/public", "1.0.0", True)
    assert current(deployment) == [("inhouse", "com.example/one", "1.0.0", True), public]
    assert walked(deployment) == [("com.example/one", "1.0.0"), ("io.github.o/public", "1.0.0")]
    told = [row["decision"] for row in explain(deployment, "mirror", "com.example/one", None)]
    assert {(d["upstream"], d.get("belongs_to"), d.get("verdict")) for d in told} == {
        ("inhouse", None, "admit"),
        ("official", "inhouse", None),
    }
    found = {row["upstream"]: row["contested"] for row in status(deployment).upstreams}
    assert found == {"inhouse": 0, "official": 1}
    with deployment.warehouse.session() as session:
        (due,) = session.rows("report/count_entries")
    assert (due["versions"], due["servers"]) == (2, 2)


def test_deleting_an_inhouse_server_lets_no_namesake_in_until_it_is_released(
    deployment: Line, inhouse: Path, clock: PlayedClock
) -> None:
    pulled(deployment)
    walked(deployment)
    (inhouse / "one.json").unlink()
    clock.move_to(START + HOUR)
    pulled(deployment)
    assert current(deployment) == [("official", "io.github.o/public", "1.0.0", True)]
    assert walked(deployment) == [("io.github.o/public", "1.0.0")]
    clock.move_to(START + 2 * HOUR)
    assert release(deployment, ["com.example/one"]) == [
        {"name": "com.example/one", "upstream": "official"}
    ]
    assert walked(deployment) == [("com.example/one", "9.0.0"), ("io.github.o/public", "1.0.0")]
    assert ("com.example/one", "1.0.0") in walked(deployment, "&include_deleted=true")


def test_a_name_does_not_move_up_by_itself(
    deployment: Line, inhouse: Path, clock: PlayedClock
) -> None:
    pulled(deployment)
    write(inhouse / "two.json", "io.github.o/public", "2.0.0")
    pulled(deployment)
    assert ("official", "io.github.o/public", "1.0.0", True) in current(deployment)
    release(deployment, ["io.github.o/public"])
    assert ("inhouse", "io.github.o/public", "2.0.0", True) in current(deployment)
    with pytest.raises(StepError, match="no upstream has the name x/y"):
        release(deployment, ["x/y"])


def test_a_released_name_that_nobody_has_goes_to_the_first_that_brings_it(
    deployment: Line, inhouse: Path, upstream: Upstream, clock: PlayedClock
) -> None:
    pulled(deployment)
    upstream.registry.set_status("com.example/one", None, "deleted", "", clock())
    (inhouse / "one.json").unlink()
    clock.move_to(START + HOUR)
    pulled(deployment)
    assert release(deployment, [], of="inhouse") == [{"name": "com.example/one", "upstream": None}]
    assert "com.example/one" not in [name for _, name, _, _ in current(deployment)]
    clock.move_to(START + 2 * HOUR)
    write(inhouse / "back.json", "com.example/one", "1.1.0")
    pulled(deployment)
    assert ("inhouse", "com.example/one", "1.1.0", True) in current(deployment)


def test_an_upstream_waits_for_those_before_it(
    deployment: Line, inhouse: Path, upstream: Upstream
) -> None:
    away = inhouse.rename(inhouse.with_name("away"))
    with pytest.raises(TerminalError, match="no file or directory"):
        pulled(deployment)
    with pytest.raises(StepError, match="inhouse comes before it and was never pulled"):
        deployment.pull("official")
    assert upstream.targets == []
    away.rename(inhouse)
    assert pulled(deployment) is None


def test_one_that_fails_stops_no_other(
    deployment: Line, inhouse: Path, upstream: Upstream, clock: PlayedClock
) -> None:
    pulled(deployment)
    upstream.fault = lambda _: Reply(400, b"no")
    clock.move_to(START + HOUR)
    write(inhouse / "two.json", "com.example/two")
    steps: list[str] = []
    with pytest.raises(SomeFailed, match=r"official: .* answered 400"):
        refresh(deployment, tell=lambda step, _: steps.append(step))
    assert steps[-1] == "copy"
    with served(deployment.settings.feed_root, ("mirror", "/")) as client:
        assert ("com.example/two", "1.0.0") in client.walk("/v0.1/servers")


def test_the_command_line_knows_upstreams(
    deployment: Line,
    upstream: Upstream,
    inhouse: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = deployment.settings
    monkeypatch.setenv("SUBREGISTRY_HOME", str(settings.home))
    monkeypatch.setenv("SUBREGISTRY_UPSTREAMS", json.dumps(settings.upstreams))
    monkeypatch.setenv("SUBREGISTRY_UPSTREAM_RATE", "0")
    assert main(["pull", "--upstream", "inhouse"]) == 0
    assert main(["pull", "--upstream", "other"]) == 2
    assert "they are inhouse, official" in capsys.readouterr().err
    assert main(["pull"]) == 0
    upstream.fault = lambda _: Reply(400, b"no")
    assert main(["pull", "--json"]) == 1
    captured = capsys.readouterr()
    assert "official: " in captured.err
    assert main(["release", "com.example/one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"name": "com.example/one", "upstream": "inhouse"}
    ]
    assert main(["release"]) == 2
    monkeypatch.setenv("SUBREGISTRY_UPSTREAMS", '{"In House": "/srv"}')
    assert main(["pull"]) == 2
    assert "no name; use a-z" in capsys.readouterr().err
    monkeypatch.setenv("SUBREGISTRY_UPSTREAMS", '{"inhouse": "ftp://x"}')
    assert main(["pull"]) == 2


# -- documents ---------------------------------------------------------------------------------


def test_documents_become_entries_as_a_registry_would_make_them(
    deployment: Line, inhouse: Path, clock: PlayedClock
) -> None:
    write(inhouse / "deep" / "newer.json", "com.example/one", "1.10.0")
    write(inhouse / ".git" / "hidden.json", "com.example/hidden")
    report = deployment.pull("inhouse")
    assert (report.kind, report.new, report.pages) == ("documents", 2, 2)
    clock.move_to(START + HOUR)
    again = deployment.pull("inhouse")
    assert (again.new, again.changed, again.vanished) == (0, 0, 0)
    write(inhouse / "one.json", "com.example/one", title="edited")
    assert deployment.pull("inhouse").changed == 1
    with deployment.warehouse.session() as session:
        rows = session.text("FROM entries ORDER BY version").to_pylist()
    assert [(r["version"], r["is_latest"]) for r in rows] == [("1.0.0", False), ("1.10.0", True)]
    assert rows[0]["published_at"] == rows[1]["published_at"] == rows[1]["updated_at"]
    assert START < rows[1]["updated_at"] < START + HOUR < rows[0]["updated_at"]


def test_an_unreadable_document_deletes_nothing(
    deployment: Line, inhouse: Path, clock: PlayedClock
) -> None:
    write(inhouse / "two.json", "com.example/two")
    deployment.pull("inhouse")
    (inhouse / "one.json").write_text('{"name": "com.example/one", "vers')
    (inhouse / "two.json").unlink()
    report = deployment.pull("inhouse")
    assert (report.unreadable, report.vanished, report.stale) == (1, 0, True)
    assert len(current(deployment)) == 2
    write(inhouse / "one.json", "com.example/one")
    assert deployment.pull("inhouse").vanished == 1
    with deployment.warehouse.session() as session:
        (row,) = session.rows("report/list_quarantine", released=True)
    assert row["reason"].startswith("one.json: ")
    assert row["released_because"] == "gone"


def test_a_document_that_stays_unreadable_is_one_record_and_keeps_its_place(
    deployment: Line, inhouse: Path, clock: PlayedClock
) -> None:
    write(inhouse / "two.json", "com.example/one", "2.0.0")
    deployment.pull("inhouse")
    write(inhouse / "one.json", "com.example/one", title="edited")
    (inhouse / "two.json").write_bytes(b'{"name": "com.example/one", "version": "2.0.0", "x": 1e')
    for hour in range(1, 5):
        clock.move_to(START + hour * HOUR)
        deployment.pull("inhouse")
        found = {version: latest for _, _, version, latest in current(deployment)}
        assert found == {"1.0.0": False, "2.0.0": True}
    assert status(deployment).entries[0]["quarantined"] == 1


def test_a_place_that_cannot_be_read_deletes_nothing(deployment: Line, inhouse: Path) -> None:
    write(inhouse / "below" / "two.json", "com.example/two")
    deployment.pull("inhouse")
    (inhouse / "below" / "two.json").rename(inhouse / "away.txt")
    (inhouse / "below" / "two.json").symlink_to(inhouse / "nowhere")
    with pytest.raises(TerminalError, match="cannot be read"):
        deployment.pull("inhouse")
    assert len(current(deployment)) == 2


def test_an_odd_file_name_is_named(deployment: Line, inhouse: Path) -> None:
    Path(os.fsdecode(os.fsencode(inhouse) + b"/caf\xe9.json")).write_text("{")
    assert deployment.pull("inhouse").unreadable == 1
    with deployment.warehouse.session() as session:
        (row,) = session.rows("report/list_quarantine", released=False)
    assert row["reason"].startswith("caf\\xe9.json: ")


def test_an_unreadable_record_holds_its_name(
    deployment: Line, inhouse: Path, clock: PlayedClock
) -> None:
    (inhouse / "one.json").write_text(
        '{"name": "com.example/one", "version": "1.0.0", "x": 1, "x": 2}'
    )
    assert pulled(deployment) is None
    assert [name for _, name, _, _ in current(deployment)] == ["io.github.o/public"]
    clock.move_to(START + HOUR)
    write(inhouse / "one.json", "com.example/one")
    pulled(deployment)
    assert ("inhouse", "com.example/one", "1.0.0", True) in current(deployment)


def test_a_first_walk_that_was_not_whole_lets_nobody_else_in(
    deployment: Line, inhouse: Path, upstream: Upstream
) -> None:
    (inhouse / "two.json").write_text("{")
    failed = pulled(deployment)
    assert failed is not None
    assert "never pulled whole" in str(failed)
    assert upstream.targets == []


def test_a_released_name_is_not_taken_by_what_is_deleted(
    deployment: Line, inhouse: Path, upstream: Upstream, clock: PlayedClock
) -> None:
    pulled(deployment)
    upstream.registry.set_status("com.example/one", None, "deleted", "", clock())
    (inhouse / "one.json").unlink()
    clock.move_to(START + HOUR)
    pulled(deployment)
    release(deployment, ["com.example/one"])
    upstream.registry.set_status("com.example/one", None, "deleted", "again", clock())
    clock.move_to(START + 2 * HOUR)
    pulled(deployment)
    write(inhouse / "one.json", "com.example/one")
    clock.move_to(START + 3 * HOUR)
    pulled(deployment)
    assert ("inhouse", "com.example/one", "1.0.0", True) in current(deployment)


def test_a_loss_is_accepted_of_one_upstream_at_a_time(deployment: Line) -> None:
    with pytest.raises(UsageError, match="--accept-shrink --upstream NAME"):
        pull_all(deployment, accept_shrink=True, tell=lambda *_: None)


def test_names_of_an_upstream_that_is_not_on_the_list_are_told(
    deployment: Line, caplog: pytest.LogCaptureFixture
) -> None:
    pulled(deployment)
    sources = {"public": deployment.settings.upstreams["official"]}
    settings = deployment.settings.model_copy(update={"upstreams": sources})
    renamed = Line(settings, clock=deployment.clock, sleep=lambda _: None)
    pulled(renamed)
    assert "subregistry release --of official" in caplog.text
    release(renamed, [], of="official")
    pulled(renamed)
    assert ("public", "io.github.o/public", "1.0.0", True) in current(renamed)


def test_a_key_that_two_documents_have_is_quarantined_once(deployment: Line, inhouse: Path) -> None:
    write(inhouse / "other.json", "com.example/one", title="other")
    report = deployment.pull("inhouse")
    assert (report.new, report.unreadable) == (1, 1)
    (inhouse / "one.json").unlink()
    (inhouse / "other.json").unlink()
    assert deployment.pull("inhouse").vanished == 1
    assert current(deployment) == []


def test_a_file_is_an_upstream_too_and_a_large_loss_engages_its_brake(
    tmp_path: Path, upstream: Upstream, clock: PlayedClock, inhouse: Path
) -> None:
    sources = {"one": f"file://{inhouse / 'one.json'}", "many": str(tmp_path / "many")}
    for number in range(30):
        write(tmp_path / "many" / f"{number}.json", f"com.many/s{number}")
    deployment = make_deployment(tmp_path / "home", upstream, clock, upstreams=sources)
    assert pulled(deployment) is None
    for number in range(30):
        (tmp_path / "many" / f"{number}.json").unlink()
    with pytest.raises(BrakeEngaged, match="30 of 30 known entries are gone"):
        deployment.pull("many")
    assert deployment.pull("many", accept_shrink=True).vanished == 30


def test_a_small_registry_may_lose_most_of_what_it_has(
    tmp_path: Path, upstream: Upstream, clock: PlayedClock
) -> None:
    for number in range(5):
        upstream.registry.publish(server_json(f"a.b/s{number}"), START - timedelta(days=number))
    deployment = make_deployment(tmp_path / "home", upstream, clock)
    deployment.pull()
    for key in list(upstream.registry.rows())[:4]:
        upstream.registry.remove(key)
    clock.move_to(START + 24 * HOUR)
    assert deployment.pull(full=True).vanished == 4
