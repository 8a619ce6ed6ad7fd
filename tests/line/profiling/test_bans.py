"""A ban outlives the run that met it, and a package firewall is none."""

from connectors.origins import OriginSettings
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.line import Line
from tests.connectors.test_bans import FIREWALL
from tests.line.profiling.test_plan import hosts, many
from tests.support.deployments import Upstream


def test_a_ban_without_any_answer_outlives_the_run(
    deployment: Line, upstream: Upstream, clock: FakeClock
) -> None:
    many(upstream, 8)
    deployment.pull()
    asked = 0

    def ban(_: Request) -> Reply:
        nonlocal asked
        asked += 1
        return Reply(429, b"error code: 1015")

    with LoopbackServer(ban, clock=clock) as server:
        origins = {"npm": OriginSettings(url=server.url, slots=1)}
        settings = deployment.settings.model_copy(update={"origins": origins})
        for _ in range(3):
            Line(settings, clock=clock, sleep=lambda _: None).profile()
    assert asked == 1
    (npm,) = hosts(deployment)
    assert (npm["due"], npm["failing"]) == (8, 0)
    assert "1015" in npm["reason"]


def test_a_mirror_with_a_package_firewall_is_never_taken_for_a_ban(
    deployment: Line, upstream: Upstream, clock: FakeClock
) -> None:
    many(upstream, 8)
    deployment.pull()

    def answer(request: Request) -> Reply:
        if request.target.endswith("package-00003"):
            return FIREWALL
        return upstream.packages.answer(request)

    with LoopbackServer(answer, clock=clock) as server:
        origins = {"npm": OriginSettings(url=f"{server.url}/npm", slots=1)}
        settings = deployment.settings.model_copy(update={"origins": origins})
        report = Line(settings, clock=clock, sleep=lambda _: None).profile()
    assert report.outcomes == {"ok": 7, "forbidden": 1}
    assert not report.closed
    with deployment.warehouse.session() as session:
        rows = session.text("SELECT name FROM entry_packages WHERE 'forbidden' IN signals")
    assert rows.to_pylist() == [{"name": "n3.example/server-00003"}]
