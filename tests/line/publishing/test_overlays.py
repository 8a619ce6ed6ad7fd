"""Overlays: changes by editors, each with a name and an end, and reversible."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from pipelines.demo.clock import FakeClock
from serve.policy.documents import Overlay
from serve.policy.overlays import Overlays
from tests.support.deployments import START, Upstream, server_json
from tests.support.feeds import served
from tests.support.policies import make_team, published, shown, team, verdicts

DAY = timedelta(days=1)
PACKAGES: list[dict[str, Any]] = [
    {
        "registryType": "npm",
        "identifier": "one",
        "version": "1.0.0",
        "transport": {"type": "stdio"},
    },
    {
        "registryType": "oci",
        "identifier": "docker.io/acme/one:1",
        "transport": {"type": "stdio"},
    },
    {
        "registryType": "oci",
        "identifier": "ghcr.io/acme/one:1",
        "transport": {"type": "stdio"},
    },
]


def overlay(name: str, kind: str, servers: str, extra: str = "", expires: str = '"never"') -> str:
    return f"""
[[overlays]]
name = "{name}"
kind = "{kind}"
servers = ["{servers}"]
owner = "ops"
reason = "ticket 7"
expires = {expires}
{extra}
"""


def test_overlays_decide_and_deny_is_stronger(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    text = (
        overlay("in", "admit", "a.b/*")
        + overlay("out", "deny", "a.b/bad")
        + overlay("still", "pin", "c.d/one", 'version = "1.0.0"')
        + """
[[rules]]
name = "nothing"
verdict = "exclude"
must = true
when = "namespace <> 'c.d'"
reason = "not ours"
"""
    )
    deployment = make_team(tmp_path, upstream, clock, text)
    for name in ("a.b/good", "a.b/bad", "e.f/other"):
        upstream.registry.publish(server_json(name), START)
    for version in ("1.0.0", "2.0.0"):
        upstream.registry.publish(server_json("c.d/one", version), START)
    published(deployment)
    assert verdicts(deployment) == {
        "a.b/good@1.0.0": ("admit", "in"),
        "a.b/bad@1.0.0": ("exclude", "out"),
        "c.d/one@1.0.0": ("admit", "default"),
        "c.d/one@2.0.0": ("exclude", "still"),
        "e.f/other@1.0.0": ("exclude", "nothing"),
    }
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        assert client.json("/v0.1/servers/c.d%2Fone")["server"]["version"] == "1.0.0"
        explained = client.json("/explain/a.b/bad")["versions"][0]
        assert explained["reason"] == "deny by ops: ticket 7"
        assert [(rule["rule"], rule["kind"]) for rule in explained["rules"]] == [
            ("out", "overlay"),
            ("in", "overlay"),
            ("nothing", "must"),
        ]
        assert explained["nearest"] == [
            {"test": "the overlay out stands", "is": "true", "mustBe": "false"}
        ]


def test_overlays_change_what_is_served_and_upstreams_copy_stays(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    text = (
        overlay("name", "retitle", "a.b/one", 'title = "The One"')
        + overlay("kinds", "categorise", "a.b/*", 'categories = ["data", "sql"]')
        + overlay("star", "feature", "a.b/one@1.0.0")
        + overlay("npm", "mirror", "*", 'registry = "npm"\nto = "https://npm.example.org"')
        + overlay(
            "hub", "mirror", "*", 'registry = "oci"\nfrom = "docker.io"\nto = "oci.example.org/hub"'
        )
        + overlay(
            "edge",
            "mirror",
            "*",
            'from = "https://mcp.example.org"\nto = "https://gw.example.org/x"',
        )
    )
    deployment = make_team(tmp_path, upstream, clock, text)
    upstream.registry.publish(server_json("a.b/one", packages=PACKAGES), START)
    upstream.registry.publish(
        server_json("c.d/two", remotes=[{"type": "sse", "url": "https://mcp.example.org.evil/x"}]),
        START,
    )
    published(deployment)
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        entry = client.json("/v0.1/servers/a.b%2Fone")
        server = entry["server"]
        assert server["title"] == "The One"
        assert server["packages"][0]["registryBaseUrl"] == "https://npm.example.org"
        assert [package["identifier"] for package in server["packages"]] == [
            "one",
            "oci.example.org/hub/acme/one:1",
            "ghcr.io/acme/one:1",
        ]
        assert server["remotes"][0]["url"] == "https://gw.example.org/x/mcp"
        assert entry["_meta"]["local.subregistry/editorial"] == {
            "categories": ["data", "sql"],
            "featured": True,
        }
        raw = client.json("/v0.1/servers/a.b%2Fone/versions/1.0.0?raw=true")["server"]
        assert raw == server_json("a.b/one", packages=PACKAGES)
        version = client.json("/explain/a.b/one")["versions"][0]
        assert [(treatment["kind"], treatment["rule"]) for treatment in version["treatments"]] == [
            ("overlaid", name) for name in ("name", "kinds", "star", "npm", "hub", "edge")
        ]
        other = client.json("/v0.1/servers/c.d%2Ftwo")["server"]
        assert other["remotes"][0]["url"] == "https://mcp.example.org.evil/x"
        treatments = client.json("/editions")["editions"][0]["treatments"]
        assert treatments["overlaid:kinds"] == 1


def test_an_overlay_ends_by_itself_and_status_says_so_a_week_ahead(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    text = overlay("soon", "deny", "a.b/one", expires="2026-01-15")
    deployment = make_team(tmp_path, upstream, clock, text)
    upstream.registry.publish(server_json("a.b/one"), START)
    upstream.registry.publish(server_json("a.b/two"), START)
    published(deployment)
    assert verdicts(deployment)["a.b/one@1.0.0"] == ("exclude", "soon")
    assert deployment.status().feeds[0]["overlays"] == []
    clock.move_to(START + 4 * DAY)
    assert deployment.status().feeds[0]["overlays"] == ["soon of ops ends 2026-01-15T00:00:00Z"]
    clock.move_to(START + 10 * DAY)
    published(deployment)
    assert verdicts(deployment)["a.b/one@1.0.0"] == ("admit", "default")
    assert "ended" in deployment.status().feeds[0]["overlays"][0]
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        assert shown(client) == ["a.b/one@1.0.0", "a.b/two@1.0.0"]
    team(tmp_path / "documents", overlay("soon", "deny", "a.b/two"))
    published(deployment)
    acts = [
        (act.by, act.action, act.target)
        for act in deployment.audit.read()[0]
        if act.action != "switch"
    ]
    assert acts == [
        ("ops", "overlay set", "soon"),
        ("ops", "overlay ended", "soon"),
        ("ops", "overlay set", "soon"),
    ]


def content(kind: Literal["mirror", "retitle"], **members: Any) -> Overlays:  # fields of an Overlay
    change = Overlay(
        name="x", kind=kind, servers=("a.b/?",), owner="o", reason="r", expires="never", **members
    )
    return Overlays([change])


@pytest.mark.parametrize("odd", ["[]", "7", '"x"', '{"packages": 7, "remotes": [7]}', "{"])
def test_an_entry_that_is_odd_stays_as_it_is(odd: str) -> None:
    mirror = content("mirror", registry="npm", target="https://npm.example.org")
    assert mirror.apply("a.b/c", "1", odd.encode()).server == odd.encode()


def test_what_is_changed_is_only_what_was_said() -> None:
    server = '{"name":"a.b/c","x": 1.00,"big":123456789012345678901234567890,"title":"T"}'
    changed = content("retitle", title="N").apply("a.b/c", "1", server.encode()).server.decode()
    assert "1.00" in changed
    assert "123456789012345678901234567890" in changed
    assert json.loads(changed)["title"] == "N"
