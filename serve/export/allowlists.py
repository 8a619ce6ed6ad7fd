"""Allow-lists of a feed's latest versions, in the formats that clients read.

copilot      managed-settings.json of GitHub Copilot: `allowedMcpServers` by URL and command, and
             `deniedMcpServers` with what was withdrawn or blocked
claude-code  managed settings of Claude Code: the same, and managed servers only
vscode       policies of VS Code: only the servers that this registry lists
registry     registry.json: one document, for clients that read a file
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from serve.edition.edition import Edition
from serve.edition.selection import Selection
from serve.entry.launches import Command, Connection, NoLaunch, launches

Json = dict[str, Any]  # what clients read
_VARIABLE = re.compile(r"\{[^{}]*\}")
# A variable in the host would become a `*` that allows any host.
_FIXED_HOST = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?([/?#]|$)")


@dataclass(frozen=True)
class AllowList:
    """`document` is for the client; `left_out` names what it cannot express, and why."""

    document: Json
    left_out: tuple[str, ...] = ()


FORMS = ("copilot", "claude-code", "vscode", "registry")


def allow_list(
    edition: Edition,
    form: str,
    *,
    url: str,
    homes: Mapping[str, str],
    denied: Sequence[Json] = (),
) -> AllowList:
    """The allow-list in one of FORMS; `url` is the feed's address, for forms that point to it.

    `homes` are the default registries of the clients' commands, by registry type; `denied` are the
    server.json of what clients must not start, even if something else lets them.
    """
    if form == "vscode":
        return AllowList({"ChatMCP": "registry", "McpGalleryServiceUrl": url})
    if form == "registry":
        return AllowList({"servers": [{"server": server} for server in _servers(edition)]})
    entries, left_out = _entries(_servers(edition), homes, any_path=form == "claude-code")
    bad, unsaid = _entries(denied, homes, any_path=False)
    bad += [{"serverUrl": f"{one['serverUrl'].rstrip('/')}/*"} for one in bad if "serverUrl" in one]
    # A deny wins everywhere, so it must not hit what another server is allowed.
    shared = [entry for entry in bad if _hits(entry, entries)]
    bad = [entry for entry in bad if entry not in shared]
    left_out += tuple(f"not denied: {text}" for text in unsaid)
    left_out += tuple(f"not denied, because another server uses it: {entry}" for entry in shared)
    only: Json = {"allowManagedMcpServersOnly": True} if form == "claude-code" else {}
    deny: Json = {"deniedMcpServers": bad} if bad else {}
    return AllowList(only | {"allowedMcpServers": entries} | deny, left_out)


def _servers(edition: Edition) -> Iterator[Json]:
    for index in edition.select(0, Selection(latest=True)):
        server: Json = msgspec.json.decode(edition.body(index))["server"]
        yield server


def _entries(
    servers: Iterable[Json], homes: Mapping[str, str], *, any_path: bool
) -> tuple[list[Json], tuple[str, ...]]:
    """Each remote as its URL, each package as the commands that clients run; no duplicates.

    `any_path`: to this client a URL without a path means every path.
    """
    unique: dict[bytes, Json] = {}
    left_out = []
    for server in servers:
        entries: list[Json] = []
        try:
            ways = list(launches(server, homes))
        except (TypeError, KeyError, AttributeError, ValueError):
            left_out.append(f"{server.get('name')}: its server.json has another form")
            continue
        for launch in ways:
            match launch:
                case Connection(url):
                    wild, why = _wild(url, any_path=any_path)
                    entries += [{"serverUrl": wild}] if wild else []
                    shown = url
                case Command(spellings, asks):
                    entries += [] if asks else [{"serverCommand": list(one)} for one in spellings]
                    why = f"the user fills in {', '.join(asks)}" if asks else ""
                    shown = " ".join(spellings[0])
                case NoLaunch(shown, why):
                    pass
            if why:
                left_out.append(f"{server['name']}: {shown}: {why}")
        for entry in entries:
            unique.setdefault(msgspec.json.encode(entry), entry)
    return list(unique.values()), tuple(left_out)


def _hits(denied: Json, allowed: list[Json]) -> bool:
    """Whether a denied entry would also stop one that is allowed."""
    pattern = denied.get("serverUrl")
    if pattern is None:
        return denied in allowed
    # A URL without a path means every path to some clients.
    pathless = re.fullmatch(r"https?://[^/]+/?", pattern)
    text = f"{pattern.rstrip('/')}*" if pathless else pattern
    regex = re.compile(".*".join(map(re.escape, text.split("*"))))
    return any(
        regex.fullmatch(one["serverUrl"].replace("*", "x")) for one in allowed if "serverUrl" in one
    )


def _wild(url: str, *, any_path: bool) -> tuple[str | None, str]:
    """A URL with `*` for each variable after the host, or why it cannot be listed."""
    fixed = _FIXED_HOST.match(url)
    if fixed is None or "*" in url:
        return None, "it could be any host, or has a *"
    path = url[fixed.end() - len(fixed[2]) :]
    if _VARIABLE.search(path) and not re.search("[A-Za-z0-9]", _VARIABLE.sub("", path)):
        return None, "its whole path is filled in by the user, so it would allow every path"
    if any_path and path in ("", "/"):
        return None, "it has no path, which means every path to this client"
    return _VARIABLE.sub("*", url), ""
