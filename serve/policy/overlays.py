"""Overlays that change the content of an entry: titles, categories, features, private mirrors.

They change a copy before it is repaired; each one that applies is a treatment of the entry.
Overlays that decide (pin, deny, admit) are rules, see `serve.policy.policy`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from serve.entry.meta import EditorialBlock
from serve.entry.reasons import Treatment
from serve.policy.documents import Overlay
from warehouse.rules.language import pattern_regex

_CONTENT = ("retitle", "categorise", "feature", "mirror")
_DOCKER = ("docker.io", "index.docker.io", "registry-1.docker.io")
# Raw values: members that no overlay changes keep their bytes.
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_parts = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


@dataclass(frozen=True)
class Overlaid:
    """An entry after its overlays. `editorial` is our block for `_meta`, if there is one."""

    server: bytes
    editorial: bytes | None = None
    treatments: tuple[Treatment, ...] = ()


class Overlays:
    """The overlays in force, ready to be applied in the order of the document."""

    def __init__(self, overlays: Sequence[Overlay]) -> None:
        fitting = [overlay for overlay in overlays if overlay.kind in _CONTENT]
        self._overlays = [
            (
                re.compile(
                    "|".join(f"(?:{pattern_regex(pattern)})" for pattern in overlay.servers)
                ),
                overlay,
            )
            for overlay in fitting
        ]

    def apply(self, name: str, version: str, server: bytes) -> Overlaid:
        """Apply the overlays to an entry; a server.json that is no JSON object stays unchanged."""
        key = f"{name}@{version}"
        fitting = [overlay for regex, overlay in self._overlays if regex.fullmatch(key)]
        if not fitting:
            return Overlaid(server)
        try:
            members: dict[str, Any] = dict(_members.decode(server))
        except msgspec.DecodeError:
            return Overlaid(server)
        block, done, changed = EditorialBlock(), [], False
        for overlay in fitting:
            before = dict(members)
            match overlay.kind:
                case "retitle":
                    members["title"] = overlay.title
                    what = f"title is {overlay.title!r}"
                case "categorise":
                    block.categories += tuple(overlay.categories or ())
                    what = f"categories {', '.join(overlay.categories or ())}"
                case "feature":
                    block.featured = True
                    what = "featured"
                case _:
                    what = _mirror(members, overlay)
            changed = changed or members != before
            if what:
                who = f"{what} by {overlay.owner}: {overlay.reason}"
                done.append(Treatment("overlaid", overlay.name, who))
        return Overlaid(
            msgspec.json.encode(members) if changed else server,
            msgspec.json.encode(block) if block != EditorialBlock() else None,
            tuple(done),
        )


def _mirror(members: dict[str, Any], overlay: Overlay) -> str:
    """Rewrite packages or remotes in place; returns what was done, empty if none fits."""
    kind = "remotes" if overlay.registry is None else "packages"
    try:
        parts: list[dict[str, Any]] = list(_parts.decode(members.get(kind, b"[]")))
    except (msgspec.DecodeError, TypeError):
        return ""
    count = 0
    for part in parts:
        texts = {key: _text(part.get(key)) for key in _READ}
        if overlay.registry is None:
            changes = _remote(texts, overlay)
        elif texts["registryType"] != overlay.registry:
            continue
        else:
            changes = _image(texts, overlay) if overlay.registry == "oci" else _base(texts, overlay)
        part.update(changes)
        if "identifier" in changes:  # which now names the registry too
            part.pop("registryBaseUrl", None)
        count += bool(changes)
    if count:
        members[kind] = msgspec.Raw(msgspec.json.encode(parts))
    return f"{count} {kind} come from {overlay.target}" if count else ""


_READ = ("registryType", "registryBaseUrl", "identifier", "url")


def _remote(texts: dict[str, str], overlay: Overlay) -> dict[str, Any]:
    source, url = str(overlay.source).rstrip("/"), texts["url"]
    rest = url.removeprefix(source)
    # Only whole hosts and path segments match: https://a.example is no prefix of a.example.org.
    if rest == url or (rest and rest[0] not in "/?#"):
        return {}
    return {"url": f"{str(overlay.target).rstrip('/')}{rest}"}


def _image(texts: dict[str, str], overlay: Overlay) -> dict[str, Any]:
    host, slash, rest = texts["identifier"].partition("/")
    # As Docker reads it: the first part is a host only if it has a dot or a port.
    if not slash or not set(".:") & set(host):
        base = texts["registryBaseUrl"].partition("://")[2].rstrip("/")
        host, rest = base or "docker.io", texts["identifier"]
    wanted = _DOCKER if overlay.source in _DOCKER else (overlay.source,)
    if overlay.source is not None and host not in wanted:
        return {}
    return {"identifier": f"{overlay.target}/{rest}"}


def _base(texts: dict[str, str], overlay: Overlay) -> dict[str, Any]:
    if overlay.source is not None and texts["registryBaseUrl"].rstrip("/") != overlay.source.rstrip(
        "/"
    ):
        return {}
    return {"registryBaseUrl": overlay.target}


def _text(raw: msgspec.Raw | None) -> str:
    try:
        return msgspec.json.decode(raw, type=str) if raw is not None else ""
    except msgspec.DecodeError:
        return ""
