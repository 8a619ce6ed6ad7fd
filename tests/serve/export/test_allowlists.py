"""Allow-lists allow what the feed serves, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from serve.export.allowlists import allow_list
from serve.feed.feed import Feed
from tests.support.feeds import entry, publish

STDIO = {"type": "stdio"}
NAMED = {"type": "named", "name": "--{x}", "value": "1"}
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
        (package("npm", "one", registryBaseUrl="https://npm.example.org/"), 2),
        (package("npm", "one", registryBaseUrl="https://npm.corp.example"), []),
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
    ],
)
def test_a_url_is_allowed_if_its_host_is_fixed(
    tmp_path: Path, url: str, allowed: str | None
) -> None:
    document, left_out = listed(tmp_path, remotes=[{"type": "sse", "url": url}])
    assert document["allowedMcpServers"] == ([{"serverUrl": allowed}] if allowed else [])
    assert bool(left_out) == (allowed is None)


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
