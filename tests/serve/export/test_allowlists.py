"""Allow-lists allow what the feed serves, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from serve.export.allowlists import allow_list
from serve.feed.feed import Feed
from tests.support.feeds import entry, publish
from tests.support.shared import require

STDIO = {"type": "stdio"}
NAMED = {"type": "named", "name": "--{x}", "value": "1"}
SAFE = [{"type": "named", "name": "--safe"}, {"type": "named", "name": "--static-tools"}]
VARIABLES = [{"name": "API_KEY", "isSecret": True}, {"name": "LOG", "value": "debug"}]
RUN = [{"type": "positional", "value": "run"}, {"type": "named", "name": "--rm"}]
DOCKER = ["docker", "run", "-i", "--rm"]
HOMES = {"npm": "https://npm.example.org", "pypi": "https://pypi.example.org"}


def listed(tmp_path: Path, form: str = "claude-code", **server: Any) -> tuple[Any, tuple[str, ...]]:
    """The allow-list for one server, and what is left out of it."""
    feed = Feed(tmp_path / "feeds", "team")
    publish(feed, [entry("a.b/one", **{"remotes": [], **server})], "e1")
    edition = feed.current()
    assert edition is not None
    exported = allow_list(edition, form, url="https://x.example.org", homes=HOMES)
    return exported.document, exported.left_out


def package(kind: str, name: str, version: str | None = "1.2.3", **extra: Any) -> dict[str, Any]:
    fields = {"registryType": kind, "identifier": name, "transport": STDIO, **extra}
    return fields | ({"version": version} if version else {})


@pytest.mark.parametrize(
    ("given", "commands"),
    [
        (package("npm", "@s/one"), [["npx", "-y", "@s/one@1.2.3"], ["npx", "@s/one@1.2.3"]]),
        (package("pypi", "one"), [["uvx", "one==1.2.3"], ["uvx", "one@1.2.3"]]),
        (
            package("oci", "ghcr.io/o/one:1", None),
            [["docker", "run", "-i", "--rm", "ghcr.io/o/one:1"]],
        ),
        (
            package("npm", "one", packageArguments=[{"type": "positional", "value": "stdio"}]),
            [["npx", "-y", "one@1.2.3", "stdio"], ["npx", "one@1.2.3", "stdio"]],
        ),
        # A number: so many commands.
        (package("npm", "one", registryBaseUrl="https://npm.example.org/"), 4),
        (
            package("npm", "one", registryBaseUrl="https://npm.corp.example"),
            [
                ["npx", "-y", "--registry", "https://npm.corp.example", "one@1.2.3"],
                ["npx", "--registry", "https://npm.corp.example", "one@1.2.3"],
            ],
        ),
        (
            package("pypi", "b", registryBaseUrl="https://b.example", packageArguments=SAFE),
            [
                ["uvx", "--index-url", "https://b.example", "b==1.2.3", "--safe", "--static-tools"],
                ["uvx", "--index-url", "https://b.example", "b@1.2.3", "--safe", "--static-tools"],
            ],
        ),
        (package("pypi", "b", packageArguments=[{**SAFE[0], "description": "How safe"}]), []),
        (package("npm", "one", packageArguments=[{**SAFE[0], "default": "8080"}]), []),
        (package("npm", "one", "latest"), []),
        (package("npm", "one", "^1.2.0"), []),
        (
            package("oci", "ghcr.io/o/a:1", None, environmentVariables=VARIABLES),
            [[*DOCKER, "-e", "API_KEY", "-e", "LOG", "ghcr.io/o/a:1"]],
        ),
        (package("oci", "ghcr.io/o/l", "4.0"), [[*DOCKER, "ghcr.io/o/l:4.0"]]),
        (package("oci", "o/a", "1", registryBaseUrl="ghcr.io"), [[*DOCKER, "ghcr.io/o/a:1"]]),
        (package("oci", "ghcr.io/o/l:latest", None), []),
        (
            package("oci", f"ghcr.io/o/l@sha256:{'0' * 64}", None),
            [[*DOCKER, f"ghcr.io/o/l@sha256:{'0' * 64}"]],
        ),
        (package("oci", "ghcr.io/o/b:1", None, runtimeArguments=RUN), []),
        (
            package(
                "oci",
                "ghcr.io/o/c:1",
                None,
                runtimeArguments=[{"type": "named", "name": "-v", "value": "{dir}:/d"}],
            ),
            [],
        ),
        (
            package(
                "nuget",
                "O.D",
                "2.0.0",
                packageArguments=[{"type": "positional", "value": "mcp"}],
            ),
            [["dnx", "O.D@2.0.0", "--yes", "--", "mcp"]],
        ),
        (
            package(
                "npm",
                "u",
                packageArguments=[
                    {"type": "named", "name": "--dir", "value": "/a", "isRepeated": True}
                ],
            ),
            [["npx", "-y", "u@1.2.3", "--dir", "/a"], ["npx", "u@1.2.3", "--dir", "/a"]],
        ),
        (package("npm", "one", transport={"type": "sse", "url": "http://localhost:1/sse"}), []),
        (package("npm", "one", None), []),
        (package("oci", "o/one", None), []),
        (package("oci", "o/one", None, registryBaseUrl="https://ghcr.io"), []),
        (
            package("npm", "one", packageArguments=[NAMED]),
            [],
        ),
        (
            package(
                "npm",
                "one",
                packageArguments=[{"type": "positional", "valueHint": "dir", "isRequired": True}],
            ),
            [],
        ),
        (package("npm", "one", packageArguments=[{"type": "positional", "value": "{d}"}]), []),
        (package("mcpb", "https://example.org/x.mcpb", None, fileSha256="0" * 64), []),
    ],
)
def test_a_command_means_the_package_and_nothing_else(
    tmp_path: Path, given: dict[str, Any], commands: list[list[str]] | int
) -> None:
    document, left_out = listed(tmp_path, packages=[given])
    allowed = [item["serverCommand"] for item in document["allowedMcpServers"]]
    if isinstance(commands, int):
        assert len(allowed) == commands
    else:
        assert allowed == commands
    assert bool(left_out) == (not allowed)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://mcp.example.org/mcp", "https://mcp.example.org/mcp"),
        ("https://mcp.example.org/{tenant}/mcp", "https://mcp.example.org/*/mcp"),
        ("https://mcp.example.org:8443/mcp?k={k}", "https://mcp.example.org:8443/mcp?k=*"),
        ("https://{host}/mcp", None),
        ("https://{tenant}.example.org/mcp", None),
        ("https://mcp.example.org:{port}/mcp", None),
        ("https://*/*", None),
        ("https://mcp.example.org/*", None),
        ("https://mcp.example.org@evil.example/x", None),
        ("https://mcp.example.org/{tenant}", None),
        ("https://mcp.example.org", None),  # to this client it means every path
    ],
)
def test_a_url_is_allowed_if_its_host_is_fixed(
    tmp_path: Path, url: str, allowed: str | None
) -> None:
    document, left_out = listed(tmp_path, remotes=[{"type": "sse", "url": url}])
    assert document["allowedMcpServers"] == ([{"serverUrl": allowed}] if allowed else [])
    assert bool(left_out) == (allowed is None)


def test_the_small_cases(tmp_path: Path) -> None:
    commands = {
        "org.t/a-env": [[*DOCKER, "-e", "API_KEY", "ghcr.io/o/a:1"]],
        "org.t/b-run": [],
        "org.t/f-npmflag": [["npx", "-y", "p2@1.0.0", "--stdio"], ["npx", "p2@1.0.0", "--stdio"]],
        "org.t/b-oci-untagged": [[*DOCKER, "ghcr.io/o/l:4.0"]],
        "org.t/b-oci-old": [],
    }
    for case in ("01-allowlist-docker-env", "02-allowlist-bare-flag", "03-allowlist-image-version"):
        for line in require(f"cases/{case}/base.jsonl").read_text().splitlines():
            server = json.loads(line)["server"]
            name = server["name"]
            document, left_out = listed(tmp_path / name, packages=server["packages"])
            allowed = [item["serverCommand"] for item in document["allowedMcpServers"]]
            assert allowed == commands.pop(name)
            assert bool(left_out) == (not allowed)
    assert not commands


def test_what_is_denied_is_named_in_every_spelling(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "feeds", "team")
    publish(feed, [entry("a.b/one", packages=[package("npm", "good")], remotes=[])], "e1")
    edition = feed.current()
    assert edition is not None
    bad = [
        {"name": "x", "packages": [package("npm", "bad"), package("npm", "good")]},
        {"name": "y", "remotes": [{"type": "sse", "url": "https://bad.example/mcp"}]},
    ]
    exported = allow_list(edition, "copilot", url="", homes=HOMES, denied=bad)
    assert exported.document["deniedMcpServers"] == [
        {"serverCommand": ["npx", "-y", "bad@1.2.3"]},
        {"serverCommand": ["npx", "bad@1.2.3"]},
        {"serverUrl": "https://bad.example/mcp"},
        {"serverUrl": "https://bad.example/mcp/*"},
    ]
    assert len(exported.left_out) == 2  # both spellings of what another server may run


def test_each_client_gets_its_form(tmp_path: Path) -> None:
    remote = [{"type": "sse", "url": "https://mcp.example.org/mcp"}]
    entries = [{"serverUrl": "https://mcp.example.org/mcp"}]
    assert listed(tmp_path / "a", "copilot", remotes=remote)[0] == {"allowedMcpServers": entries}
    assert listed(tmp_path / "b", "claude-code", remotes=remote)[0] == {
        "allowManagedMcpServersOnly": True,
        "allowedMcpServers": entries,
    }
    assert listed(tmp_path / "c", "vscode", remotes=remote)[0] == {
        "ChatMCP": "registry",
        "McpGalleryServiceUrl": "https://x.example.org",
    }
    (item,) = listed(tmp_path / "d", "registry", remotes=remote)[0]["servers"]
    assert item["server"]["name"] == "a.b/one"
