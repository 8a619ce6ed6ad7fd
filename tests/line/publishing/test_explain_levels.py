"""How much a feed tells its readers of the reasons."""

from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from serve.server.app import App
from serve.server.live_editions import LiveEditions
from tests.support.deployments import START, Upstream, server_json
from tests.support.feeds import served_app
from tests.support.policies import HEAD, make_team, published

RULE = """
[[rules]]
name = "no-two"
verdict = "exclude"
when = "contains(name, 'two')"
reason = "we want no two"
"""


@pytest.mark.parametrize("level", ["full", "reason", "none"])
def test_a_feed_tells_as_much_as_its_document_says(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, level: str
) -> None:
    head = HEAD + f'explain = "{level}"\n'
    deployment = make_team(tmp_path, upstream, clock, RULE, head=head)
    for name in ("a.b/one", "a.b/two"):
        upstream.registry.publish(server_json(name), START)
    published(deployment)
    (policy,) = deployment.policies("team")
    stores = [LiveEditions(deployment.settings.feed_root, policy.served)]
    with served_app(App(stores, skew=0.0)) as client:
        answers = {name: client.ask(f"/explain/a.b%2F{name}") for name in ("one", "two", "unknown")}
        if level == "none":
            assert {status for status, *_ in answers.values()} == {404}
            assert len({body for *_, body in answers.values()}) == 1
            assert b"gives no reasons" in answers["two"][2]
            return
        assert [status for status, *_ in answers.values()] == [200, 200, 404]
        (version,) = client.json("/explain/a.b%2Ftwo")["versions"]
        assert (version["state"], version["rule"]) == ("excluded", "no-two")
        assert version["reason"] == "we want no two"
        full = level == "full"
        for member in ("rules", "values", "nearest"):
            assert bool(version.get(member)) == full, member
        assert (b"contains(name" in answers["two"][2]) == full
