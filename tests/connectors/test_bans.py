"""A host that bans us or is down is let alone; a package that is refused is no ban."""

from contextlib import closing

import pytest

from connectors.registries.clients import PackageRegistries
from connectors.registries.lookup import Outcome, PackageRequest
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import PackageStandIns, Release, SamplePackage
from tests.connectors.test_packages import CONNECTORS, client, origins_of, with_token
from tests.support.deployments import START

FIREWALL = Reply(403, b"<html>REQUESTED ITEM IS QUARANTINED</html>", {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("reply", "requests"),
    [
        (Reply(429, b"x", {"Content-Encoding": "br", "Retry-After": "3600"}), 1),
        (Reply(500, b""), 5),
    ],
)
def test_a_host_that_bans_or_is_down_is_let_alone_behind_any_token(
    reply: Reply, requests: int
) -> None:
    asked = 0

    def answer(request: Request) -> Reply:
        nonlocal asked
        asked += 1
        return reply

    served = with_token(answer)
    clock = FakeClock(START)
    with LoopbackServer(served, clock=clock) as server:
        origins = origins_of({"oci:ghcr.io": f"{server.url}/oci/ghcr.io"})
        registries = PackageRegistries(origins, CONNECTORS, client)
        with closing(registries):
            for number in range(20):
                registries.fetch(PackageRequest("oci:ghcr.io", f"o/r{number}", ("1.0.0",)))
            (state,) = registries.states().values()
    assert asked == requests
    assert state.closed_until is not None


@pytest.mark.parametrize(
    ("refused", "closed"),
    [
        # One package is refused: its own outcome, whatever the page looks like.
        ({"p3"}, False),
        # All are, also one that the same host sent before: that is a ban.
        ({f"p{number}" for number in range(3, 20)} | {"p0", "p1", "p2"}, True),
        # All are, and none was sent before: nobody can tell, so it goes on, slower.
        ({f"p{number}" for number in range(20)}, False),
    ],
)
def test_a_refusal_is_a_ban_only_if_a_known_good_package_is_refused_too(
    refused: set[str], closed: bool
) -> None:
    stand_ins = PackageStandIns()
    for number in range(20):
        stand_ins.put("npm", SamplePackage(f"p{number}", [Release("1.0.0", START)]))
    sent: set[str] = set()

    def answer(request: Request) -> Reply:
        name = request.target.rpartition("/")[2]
        # The first three are sent once, before the ban begins.
        if name in refused and (closed is False or len(sent) >= 3):
            return FIREWALL
        sent.add(name)
        return stand_ins.answer(request)

    with LoopbackServer(answer, clock=FakeClock(START)) as server:
        registries = PackageRegistries(origins_of({"npm": f"{server.url}/npm"}), CONNECTORS, client)
        with closing(registries):
            outcomes = [
                response and response.outcome
                for response in (
                    registries.fetch(PackageRequest("npm", f"p{number}", ("1.0.0",)))
                    for number in range(20)
                )
            ]
            (state,) = registries.states().values()
    assert (state.closed_until is not None) == closed
    if closed:
        assert outcomes[:4] == [Outcome.OK] * 3 + [Outcome.FORBIDDEN]
        assert outcomes[4:] == [None] * 16
    else:
        assert outcomes.count(Outcome.FORBIDDEN) == len(refused)
        assert (state.load_factor < 0.5) == (len(refused) == 20)
