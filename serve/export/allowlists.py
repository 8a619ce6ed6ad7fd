"""Allow-lists of a feed's latest versions, in the formats that clients read.

copilot      managed-settings.json of GitHub Copilot: `allowedMcpServers` by URL and command
claude-code  managed settings of Claude Code: the same, and managed servers only
vscode       policies of VS Code: only the servers that this registry lists
registry     registry.json: one document, for clients that read a file
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from serve.edition.edition import Edition
from serve.edition.selection import Selection

Json = dict[str, Any]  # what clients read
_VARIABLE = re.compile(r"\{[^{}]*\}")
# A variable in the host would become a `*` that allows any host.
_FIXED_HOST = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?([/?#]|$)")
_IMAGE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?/[^@:]+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True)
class AllowList:
    """`document` is for the client; `left_out` names what it cannot express, and why."""

    document: Json
    left_out: tuple[str, ...] = ()


FORMS = ("copilot", "claude-code", "vscode", "registry")


def allow_list(edition: Edition, form: str, *, url: str, homes: Mapping[str, str]) -> AllowList:
    """The allow-list in one of FORMS; `url` is the feed's address, for forms that point to it.

    `homes` are the default registries of the clients' commands, by registry type.
    """
    if form == "vscode":
        return AllowList({"ChatMCP": "registry", "McpGalleryServiceUrl": url})
    if form == "registry":
        return AllowList({"servers": [{"server": server} for server in _servers(edition)]})
    entries, left_out = _entries(edition, homes)
    only: Json = {"allowManagedMcpServersOnly": True} if form == "claude-code" else {}
    return AllowList(only | {"allowedMcpServers": entries}, left_out)


def _servers(edition: Edition) -> Iterator[Json]:
    for index in edition.select(0, Selection(latest=True)):
        server: Json = msgspec.json.decode(edition.body(index))["server"]
        yield server


def _entries(edition: Edition, homes: Mapping[str, str]) -> tuple[list[Json], tuple[str, ...]]:
    """Each remote as its URL, each package as the commands that clients run; no duplicates."""
    unique: dict[bytes, Json] = {}
    left_out = []
    for server in _servers(edition):
        entries: list[Json] = []
        for remote in server.get("remotes", ()):
            url = _wild(remote["url"])
            if url:
                entries.append({"serverUrl": url})
            else:
                left_out.append(f"{server['name']}: {remote['url']} could be any host, or has a *")
        for package in server.get("packages", ()):
            commands = list(_commands(package, homes))
            entries += [{"serverCommand": command} for command in commands]
            if not commands:
                left_out.append(
                    f"{server['name']}: {package['registryType']} package {package['identifier']} "
                    "has no command that means it and nothing else"
                )
        for entry in entries:
            unique.setdefault(msgspec.json.encode(entry), entry)
    return list(unique.values()), tuple(left_out)


def _wild(url: str) -> str | None:
    """A URL with `*` for each variable after the host; None for any other variable or `*`."""
    fixed = _FIXED_HOST.match(url)
    if fixed is None or "*" in url:
        return None
    return _VARIABLE.sub("*", url)


def _commands(package: Json, homes: Mapping[str, str]) -> Iterator[list[str]]:
    """The command lines that run this package and nothing else: all of its arguments are fixed, it
    names a version, and it comes from the registry that the command uses by default."""
    runtime, own = _fixed(package.get("runtimeArguments")), _fixed(package.get("packageArguments"))
    kind, name, version = package["registryType"], package["identifier"], package.get("version")
    if runtime is None or own is None or package["transport"]["type"] != "stdio":
        return
    home, base = homes.get(kind), package.get("registryBaseUrl")
    # An image needs no `version`: its identifier names the registry and, if it has one, the tag.
    if kind == "oci" and base is None and _IMAGE.fullmatch(name):
        yield ["docker", "run", "-i", "--rm", *runtime, name, *own]
    if not version or (base is not None and base.rstrip("/") != home):
        return
    if kind == "npm":
        given = [part for part in runtime if part not in ("-y", "--yes")]
        for yes in (["-y"], []):  # clients start npx either way
            yield ["npx", *yes, *given, f"{name}@{version}", *own]
    elif kind == "pypi":
        for spec in (f"{name}=={version}", f"{name}@{version}"):
            yield ["uvx", *runtime, spec, *own]


def _fixed(arguments: list[Json] | None) -> list[str] | None:
    """Arguments as words; None if the user has to fill one in."""
    words = []
    for argument in arguments or ():
        value = argument.get("value")
        if _VARIABLE.search(argument.get("name") or ""):
            return None
        if value is None or _VARIABLE.search(value) or argument.get("isRepeated"):
            if argument.get("isRequired") or value is not None:
                return None
            continue  # optional and without a value: clients leave it out
        if argument["type"] == "named":
            words.append(argument["name"])
        words.append(value)
    return words
