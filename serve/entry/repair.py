"""Repairs a server.json: named changes after which the strictest client can decode it.

The warehouse keeps upstream's bytes; this works on a copy. A document that already fits passes
through byte for byte. An argument is never dropped; its package is dropped instead. What cannot be
repaired is withheld.
"""

import json
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from serve.entry.spelling import respell_addresses, respell_inputs
from serve.entry.strict import (
    SCHEMA,
    Icon,
    Package,
    PublisherProvided,
    Repository,
    Sse,
    StreamableHttp,
    WebUrl,
    part_error,
    validation_error,
)

PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"
_FORMATS = ("string", "number", "boolean", "filepath")
_INPUTS = (
    "runtimeArguments",
    "packageArguments",
    "environmentVariables",
    "headers",
    "variables",
)

META_DROPPED = "publisher-meta-dropped"
REPAIRS = {
    "null-dropped": "a member that was null is left out",
    "repository-dropped": "a repository without url and source is left out",
    "format-dropped": "an input format that the schema does not know is left out",
    "value-as-text": "a number or boolean where an input wants a text is written as text",
    "hash-lowered": "a hash in capitals is written in lower case",
    "scheme-lowered": "the scheme of an address (`HTTPS://`) is written in lower case",
    "version-latest-dropped": "a package version that says `latest` is left out",
    "version-empty-dropped": "a package version that is empty is left out",
    "schema-filled": "a missing `$schema` is filled with that of the present schema",
    "stdio-members-dropped": "an address, headers or variables of a stdio transport are left out",
    "description-filled": "an empty description is filled with title or name",
    "description-cut": "a description of more than 100 characters is cut",
    "title-dropped": "a title that is empty, too long or no text is left out",
    "website-dropped": "a website that is no text is left out",
    "package-dropped": "a package that clients cannot decode is left out",
    "remote-dropped": "a remote that clients cannot decode is left out",
    "icon-dropped": "an icon that clients cannot decode is left out",
    META_DROPPED: "publisher-provided metadata that breaks clients is left out",
}
"""Every repair and what it does; an entry that they cannot fix is withheld."""

Json = dict[str, Any]  # a decoded server.json, or a part of one


@dataclass
class Repaired:
    """`server` is None if the entry is withheld, for the reason `withheld`. Each of `repairs` is
    (rule, detail)."""

    server: bytes | None
    repairs: list[tuple[str, str]] = field(default_factory=list)
    withheld: str = ""


def repair(server: bytes) -> Repaired:
    """Repair a server.json so that it may be served, or withhold it. Never raises."""
    why = validation_error(server)
    # msgspec accepts null in unknown members, so a valid document is only safe without any null.
    if why is None and b"null" not in server:
        return Repaired(server)
    result = Repaired(None)
    try:
        document = json.loads(server)
        if why is None and not _has_null(document):
            return Repaired(server)
        if isinstance(document, dict):
            _repair(document, result, why or "a member is null")
        else:
            result.withheld = "not a JSON object"
    except (ValueError, RecursionError) as error:
        result.withheld = f"not a usable JSON document: {error}"
    return result


def _repair(document: Json, result: Repaired, why: str) -> None:
    runnable = bool(document.get("packages") or document.get("remotes"))
    meta = document.pop("_meta", None)  # publishers may use null in it
    document = cast("Json", _without_nulls(document, result, "server"))
    if meta is not None:
        document["_meta"] = meta
    if not isinstance(document.get("$schema"), str):
        document = {"$schema": SCHEMA} | {
            key: value for key, value in document.items() if key != "$schema"
        }
        result.repairs.append(("schema-filled", SCHEMA))
    packages = _objects(document.get("packages"))
    result.repairs += respell_addresses(document, packages)
    _texts(document, result)
    _repository(document, result)
    _versions(document, result)
    _correct_inputs(document, result)
    _parts(document, "packages", Package, "package-dropped", result)
    _parts(document, "remotes", StreamableHttp | Sse, "remote-dropped", result)
    _parts(document, "icons", Icon, "icon-dropped", result)
    _publisher(document, result)
    if runnable and not document.get("packages") and not document.get("remotes"):
        result.withheld = f"no package or remote that clients can decode is left: {why}"
        return
    encoded = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    data = encoded.encode("utf-8", "replace")  # a lone surrogate becomes a question mark
    still = validation_error(data)
    if still is not None:
        result.withheld = still
    else:
        result.server = data


def _without_nulls(value: object, result: Repaired, place: str) -> object:
    if isinstance(value, dict):
        nulls = [key for key, item in value.items() if item is None]
        result.repairs.extend(("null-dropped", f"{place}.{key}") for key in nulls)
        return {
            key: _without_nulls(item, result, f"{place}.{key}")
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list):  # a null item stays: its holder fails to decode and is dropped
        return [_without_nulls(item, result, place) for item in value]
    return value


def _has_null(document: object) -> bool:
    """Whether any member or item is null; `_meta` belongs to publishers and is not searched."""
    if isinstance(document, dict):
        return any(
            value is None or (key != "_meta" and _has_null(value))
            for key, value in document.items()
        )
    return isinstance(document, list) and any(item is None or _has_null(item) for item in document)


def odd_blocks(meta: bytes) -> list[str]:
    """Keys of an entry's `_meta` whose values may break clients."""
    if b"null" not in meta and PUBLISHER.encode() not in meta:
        return []
    blocks = msgspec.json.decode(meta, type=dict[str, msgspec.Raw])
    return [
        key
        for key, value in blocks.items()
        if bytes(value) == b"null"
        or (key == PUBLISHER and part_error(json.loads(bytes(value)), PublisherProvided))
    ]


def _texts(document: Json, result: Repaired) -> None:
    title = document.get("title")
    if title is not None and not (isinstance(title, str) and 1 <= len(title) <= 100):
        result.repairs.append(("title-dropped", str(title)[:100]))
        del document["title"]
    if "websiteUrl" in document and part_error(document["websiteUrl"], WebUrl):
        result.repairs.append(("website-dropped", str(document.pop("websiteUrl"))[:100]))
    description = document.get("description", "")
    if isinstance(description, str):
        if not description.strip():
            document["description"] = str(document.get("title") or document.get("name"))[:100]
            result.repairs.append(("description-filled", document["description"]))
        elif len(description) > 100:
            document["description"] = description[:99] + "…"
            result.repairs.append(("description-cut", f"{len(description)} characters"))


def _repository(document: Json, result: Repaired) -> None:
    if "repository" in document and part_error(document["repository"], Repository):
        dropped = json.dumps(document.pop("repository"))[:200]
        result.repairs.append(("repository-dropped", dropped))


def _correct_inputs(document: Json, result: Repaired) -> None:
    """Drop formats that the schema does not know, and write values as text, in all inputs."""
    for item in (*_objects(document.get("packages")), *_objects(document.get("remotes"))):
        name = str(item.get("identifier") or item.get("url"))[:100]
        transport = item.get("transport")
        repairs: list[tuple[str, str]] = []
        for holder in (item, transport if isinstance(transport, dict) else {}):
            for key in _INPUTS:
                inputs = _inputs(holder.get(key))
                repairs += respell_inputs(inputs)
                for declared in inputs:
                    if "format" in declared and declared["format"] not in _FORMATS:
                        repairs.append(("format-dropped", str(declared.pop("format"))))
        result.repairs += [(rule, f"{name}: {detail}") for rule, detail in repairs]


def _inputs(value: object) -> list[Json]:
    """The inputs in a list, or in an object by name, and the variables of each, recursively."""
    inputs = _objects(list(value.values()) if isinstance(value, dict) else value)
    return inputs + [inner for item in inputs for inner in _inputs(item.get("variables"))]


def _versions(document: Json, result: Repaired) -> None:
    rules = {"latest": "version-latest-dropped", "": "version-empty-dropped"}
    for package in _objects(document.get("packages")):
        identifier = str(package.get("identifier"))[:100]
        rule = rules.get(str(package.get("version", "-")))  # "-": a missing version is fine
        if rule:
            del package["version"]
            result.repairs.append((rule, identifier))
        transport = package.get("transport")
        if isinstance(transport, dict) and transport.get("type") == "stdio":
            for key in [key for key in ("url", "headers", "variables") if key in transport]:
                del transport[key]
                result.repairs.append(("stdio-members-dropped", f"{identifier}: {key}"))


def _parts(document: Json, key: str, kind: object, rule: str, result: Repaired) -> None:
    """Drop the items of a list that do not fit the type `kind`; drop the list if none is left."""
    if key not in document:
        return
    items = document[key] if isinstance(document[key], list) else [document[key]]
    kept = []
    for item in items:
        why = part_error(item, kind)
        if why is None:
            kept.append(item)
        else:
            result.repairs.append((rule, why))
    if kept:
        document[key] = kept
    else:
        del document[key]


def _publisher(document: Json, result: Repaired) -> None:
    meta = document.get("_meta")
    if meta is None:
        return
    if not isinstance(meta, dict):
        result.repairs.append(("publisher-meta-dropped", "_meta"))
        del document["_meta"]
        return
    provided = meta.get(PUBLISHER)
    if PUBLISHER in meta and not isinstance(provided, dict):
        result.repairs.append(("publisher-meta-dropped", PUBLISHER))
        del meta[PUBLISHER]
    elif provided:
        checks: dict[str, type | tuple[type, ...]] = {
            "tool": str,
            "version": str,
            "buildInfo": dict,
            "github": (),  # no type fits: always dropped
        }
        for key, kind in checks.items():
            if key in provided and not isinstance(provided[key], kind):
                result.repairs.append(("publisher-meta-dropped", key))
                del provided[key]


def _objects(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
