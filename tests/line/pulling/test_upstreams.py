"""Several upstreams: a name stays with the upstream that it was first seen in."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.errors import TerminalError
from pipelines.cli.parser import main
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import Reply
from pipelines.errors import SomeFailed, StepError, UsageError
from pipelines.line import Line
from pipelines.refresh import pull_all, refresh
from tests.line.pulling.inhouse import HOUR, current, pulled, walked, write
from tests.support.deployments import START, Upstream, make_deployment, server_json
from tests.support.explain import explained
from tests.support.feeds import served


@pytest.fixture
def deployment(with_inhouse: Line) -> Line:
    return with_inhouse


def test_a_name_belongs_to_the_first_upstream_that_has_it(deployment: Line) -> None:
    assert pulled(deployment) is None
    public = ("official", "io.github.o/public", "1.0.0", True)
    assert current(deployment) == [("inhouse", "com.example/one", "1.0.0", True), public]
    assert walked(deployment) == [("com.example/one", "1.0.0"), ("io.github.o/public", "1.0.0")]
    decisions = [
        row["decision"] for row in explained(deployment, "mirror", "com.example/one", None)
    ]
    assert {
        (item["upstream"], item.get("belongs_to"), item.get("verdict")) for item in decisions
    } == {
        ("inhouse", None, "admit"),
        ("official", "inhouse", None),
    }
    values = {row["column"]: row["value"] for row in deployment.columns("com.example/one")}
    assert values["upstream"] == "inhouse"
    contested = {row["upstream"]: row["contested"] for row in deployment.status().upstreams}
    assert contested == {"inhouse": 0, "official": 1}
    rows = deployment.status().upstreams
    assert [(row["versions"], row["servers"]) for row in rows] == [(1, 1), (1, 1)]


def test_deleting_an_inhouse_server_lets_no_namesake_in_until_it_is_released(
    deployment: Line, inhouse: Path, clock: FakeClock
) -> None:
    pulled(deployment)
    walked(deployment)
    (inhouse / "one.json").unlink()
    clock.move_to(START + HOUR)
    pulled(deployment)
    assert current(deployment) == [("official", "io.github.o/public", "1.0.0", True)]
    assert walked(deployment) == [("io.github.o/public", "1.0.0")]
    clock.move_to(START + 2 * HOUR)
    assert deployment.release(["com.example/one"]) == [
        {"name": "com.example/one", "upstream": "official"}
    ]
    assert walked(deployment) == [("com.example/one", "9.0.0"), ("io.github.o/public", "1.0.0")]
    assert ("com.example/one", "1.0.0") in walked(deployment, "&include_deleted=true")


def test_a_name_does_not_move_up_by_itself(
    deployment: Line, inhouse: Path, clock: FakeClock
) -> None:
    pulled(deployment)
    write(inhouse / "two.json", "io.github.o/public", "2.0.0")
    pulled(deployment)
    assert ("official", "io.github.o/public", "1.0.0", True) in current(deployment)
    deployment.release(["io.github.o/public"])
    assert ("inhouse", "io.github.o/public", "2.0.0", True) in current(deployment)
    with pytest.raises(StepError, match="no upstream has the name x/y"):
        deployment.release(["x/y"])


def test_a_released_name_that_nobody_has_goes_to_the_first_that_brings_it(
    deployment: Line, inhouse: Path, upstream: Upstream, clock: FakeClock
) -> None:
    pulled(deployment)
    upstream.registry.set_status("com.example/one", None, "deleted", "", clock())
    (inhouse / "one.json").unlink()
    clock.move_to(START + HOUR)
    pulled(deployment)
    assert deployment.release([], of="inhouse") == [{"name": "com.example/one", "upstream": None}]
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
    deployment: Line, inhouse: Path, upstream: Upstream, clock: FakeClock
) -> None:
    pulled(deployment)
    upstream.fault = lambda _: Reply(400, b"no")
    clock.move_to(START + HOUR)
    write(inhouse / "two.json", "com.example/two")
    steps: list[str] = []
    with pytest.raises(SomeFailed, match=r"official: .* answered 400"):
        refresh(deployment, report_step=lambda step, _: steps.append(step))
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
    monkeypatch.setenv(
        "SUBREGISTRY_UPSTREAMS",
        json.dumps({name: source.url for name, source in settings.upstreams.items()}),
    )
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


def test_a_first_walk_that_was_not_whole_lets_nobody_else_in(
    deployment: Line, inhouse: Path, upstream: Upstream
) -> None:
    (inhouse / "two.json").write_text("{")
    failed = pulled(deployment)
    assert failed is not None
    assert "never pulled whole" in str(failed)
    assert upstream.targets == []


def test_a_released_name_is_not_taken_by_what_is_deleted(
    deployment: Line, inhouse: Path, upstream: Upstream, clock: FakeClock
) -> None:
    pulled(deployment)
    upstream.registry.set_status("com.example/one", None, "deleted", "", clock())
    (inhouse / "one.json").unlink()
    clock.move_to(START + HOUR)
    pulled(deployment)
    deployment.release(["com.example/one"])
    upstream.registry.set_status("com.example/one", None, "deleted", "again", clock())
    clock.move_to(START + 2 * HOUR)
    pulled(deployment)
    write(inhouse / "one.json", "com.example/one")
    clock.move_to(START + 3 * HOUR)
    pulled(deployment)
    assert ("inhouse", "com.example/one", "1.0.0", True) in current(deployment)


def test_a_loss_is_accepted_of_one_upstream_at_a_time(deployment: Line) -> None:
    with pytest.raises(UsageError, match="--upstream NAME --accept-shrink"):
        pull_all(deployment, accept_shrink=True, report_step=lambda *_: None)


def test_names_of_an_upstream_that_is_not_on_the_list_are_told(
    deployment: Line, caplog: pytest.LogCaptureFixture
) -> None:
    pulled(deployment)
    sources = {"public": deployment.settings.upstreams["official"]}
    settings = deployment.settings.model_copy(update={"upstreams": sources})
    renamed = Line(settings, clock=deployment.clock, sleep=lambda _: None)
    pulled(renamed)
    assert "subregistry release --of official" in caplog.text
    renamed.release([], of="official")
    pulled(renamed)
    assert ("public", "io.github.o/public", "1.0.0", True) in current(renamed)


def test_a_small_registry_may_lose_most_of_what_it_has(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    for number in range(5):
        upstream.registry.publish(server_json(f"a.b/s{number}"), START - timedelta(days=number))
    deployment = make_deployment(tmp_path / "home", upstream, clock)
    deployment.pull()
    for key in list(upstream.registry.rows())[:4]:
        upstream.registry.remove(key)
    clock.move_to(START + 24 * HOUR)
    assert deployment.pull(full=True).vanished == 4
