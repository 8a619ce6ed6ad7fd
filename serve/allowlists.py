"""Allow-lists of a feed's latest versions, in the forms that clients take.

copilot      managed-settings.json of GitHub Copilot: `allowedMcpServers` by URL and command
claude-code  managed settings of Claude Code: the same, and no others
vscode       policies of VS Code: only what this registry lists
registry     registry.json: one document, for clients that read a file
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from serve.edition import Edition, Selection

Json = dict[str, Any]  # what clients read
_VARIABLE = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class AllowList:
    """`document` for the client; `left_out` says of which servers it cannot speak, and why."""

    document: Json
    left_out: tuple[str, ...] = ()


def allow_list(edition: Edition, form: str, *, url: str) -> AllowList:
    """The list in a form of FORMS; `url` is the feed's address, for forms that point to it."""
    return FORMS[form](edition, url)


def _copilot(edition: Edition, _: str) -> AllowList:
    entries, left_out = _entries(edition)
    return AllowList({"allowedMcpServers": entries}, left_out)


def _claude_code(edition: Edition, _: str) -> AllowList:
    entries, left_out = _entries(edition)
    return AllowList({"allowManagedMcpServersOnly": True, "allowedMcpServers": entries}, left_out)


def _vscode(_: Edition, url: str) -> AllowList:
    return AllowList({"ChatMCP": "registry", "McpGalleryServiceUrl": url})


def _registry(edition: Edition, _: str) -> AllowList:
    return AllowList({"servers": [{"server": server} for server in _servers(edition)]})


FORMS: dict[str, Callable[[Edition, str], AllowList]] = {
    "copilot": _copilot,
    "claude-code": _claude_code,
    "vscode": _vscode,
    "registry": _registry,
}


def _servers(edition: Edition) -> Iterator[Json]:
    for index in edition.select(0, Selection(latest=True)):
        server: Json = msgspec.json.decode(edition.body(index))["server"]
        yield server


def _entries(edition: Edition) -> tuple[list[Json], tuple[str, ...]]:
    """Each remote by its URL, each package by the commands that clients make of it; no doubles."""
    found: dict[bytes, Json] = {}
    left_out = []
    for server in _servers(edition):
        entries: list[Json] = [
            {"serverUrl": _wild(remote["url"])} for remote in server.get("remotes", ())
        ]
        for package in server.get("packages", ()):
            commands = list(_commands(package))
            entries += [{"serverCommand": command} for command in commands]
            if not commands:
                left_out.append(
                    f"{server['name']}: {package['registryType']} package {package['identifier']} "
                    "takes arguments of its user, or has no usual command"
                )
        for entry in entries:
            found.setdefault(msgspec.json.encode(entry), entry)
    return list(found.values()), tuple(left_out)


def _wild(url: str) -> str:
    """A URL with `*` where a variable stands."""
    return _VARIABLE.sub("*", url)


def _commands(package: Json) -> Iterator[list[str]]:
    """The command lines of a package, if all of its arguments are fixed; pinned to its version."""
    runtime, own = _fixed(package.get("runtimeArguments")), _fixed(package.get("packageArguments"))
    name, version = package["identifier"], package.get("version")
    if runtime is None or own is None or package["transport"]["type"] != "stdio":
        return
    pinned = f"{name}@{version}" if version else name
    match package["registryType"]:
        case "npm":
            given = [part for part in runtime if part not in ("-y", "--yes")]
            for yes in (["-y"], []):
                yield ["npx", *yes, *given, pinned, *own]
        case "pypi":
            for spec in {pinned, f"{name}=={version}" if version else name}:
                yield ["uvx", *runtime, spec, *own]
        case "oci":
            yield ["docker", "run", "-i", "--rm", *runtime, name, *own]
        case "nuget":
            yield ["dnx", *runtime, pinned, "--yes", *own]


def _fixed(arguments: list[Json] | None) -> list[str] | None:
    """Arguments as words; None if one of them is for the user to fill in."""
    words = []
    for argument in arguments or ():
        value = argument.get("value")
        if value is None or _VARIABLE.search(value) or argument.get("isRepeated"):
            if argument.get("isRequired") or value is not None:
                return None
            continue
        if argument["type"] == "named":
            words.append(argument["name"])
        words.append(value)
    return words
