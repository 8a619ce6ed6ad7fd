"""The OpenAPI document of a feed, as served at /openapi.json and /openapi.yaml.

Made of the types that describe the answers (`serve.models`). `info.version` and the registry's
address in `info.description` are what importers look for.
"""

from typing import Any

from serve import models
from serve.feed import ServedFeed
from serve.models import schemas
from serve.render import OFFICIAL

Json = dict[str, Any]  # an OpenAPI document

_DESCRIPTION = (
    "A curated feed of MCP servers with the read API of the official registry "
    "(https://github.com/modelcontextprotocol/registry). Every path below `/v0.1` answers alike "
    "below `/v0` and without a prefix."
)
_REF = "#/components/schemas/{name}"
_JSON, _PROBLEM = "application/json", "application/problem+json"
_STATUSES = {
    "400": "A parameter that cannot be used",
    "401": "A key is needed",
    "404": "There is no such thing",
    "410": "The edition is no longer kept",
    "414": "The URL is too long",
    "422": "A parameter out of its range",
    "429": "Too many requests",
    "431": "The headers are too long",
    "503": "The feed has no edition yet",
}


def openapi(feed: ServedFeed) -> Json:
    """The document of a feed; paths are below its base path."""
    components = schemas(
        *{kind for _, _, _, kind, *_ in _ROUTES}, models.Problem, models.UpstreamEntry, ref=_REF
    )
    blocks = schemas(models.FeedBlock, models.EnrichmentBlock, ref=_REF)
    meta = components["EntryMeta"]
    meta["additionalProperties"] = True
    for name, block in (("feed", "FeedBlock"), ("enrichment", "EnrichmentBlock")):
        meta["properties"][f"{feed.namespace}/{name}"] = {"$ref": _REF.format(name=block)}
    meta["required"] = [OFFICIAL]
    document: Json = {
        "openapi": "3.1.0",
        "info": {"title": feed.title, "version": "1.0.0", "description": _DESCRIPTION},
        "servers": [{"url": feed.base_path.rstrip("/") or "/"}],
        "paths": _paths(feed),
        "components": {"schemas": dict(sorted((components | blocks).items()))},
    }
    if feed.access == "key":
        scheme = {"type": "http", "scheme": "bearer"}
        document["components"]["securitySchemes"] = {"key": scheme}
        document["security"] = [{"key": []}]
    return document


def _query(name: str, schema: Json, description: str) -> Json:
    """A query parameter; an empty value is an absent one."""
    if schema is not _TEXT:
        schema = {"anyOf": [schema, {"const": ""}]}
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _path(name: str, description: str, *, enum: list[str] | None = None) -> Json:
    schema: Json = {"enum": enum} if enum else _TEXT | {"minLength": 1}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
    }


_TEXT: Json = {"type": "string", "pattern": "^[^\\u0000]*$"}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_NAME = _path("serverName", "Server name, percent-encoded (com.example%2Fserver)")
_VERSION = _path("version", "Version, percent-encoded, or `latest`")
_EXACT = _path("version", "Version, percent-encoded")
_DELETED = _query(
    "include_deleted", {"type": "boolean", "default": False}, "Show deleted entries too"
)
_RAW = _query("raw", {"type": "boolean", "default": False}, "Upstream's own bytes, without repairs")
_CURSOR = _query("cursor", _TEXT, "Where to go on: a page's metadata.nextCursor")
_LIMIT = _query(
    "limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 30}, "Page size"
)
_SEQUENCE: Json = {"type": "integer", "minimum": 0, "default": 0}
_SINCE_SEQUENCE = _query(
    "since_sequence", _SEQUENCE, "What changed after this sequence; 0 for everything"
)
_EDITION = [
    _query("edition", _TEXT, "An edition that is kept, by ID"),
    _query(
        "as_of",
        _INSTANT,
        "The edition that was live at this instant, if it is kept; `edition` wins",
    ),
]
_LIST = [
    _CURSOR,
    _LIMIT,
    _query("search", _TEXT, "Part of the name or the description"),
    _query(
        "updated_since", _INSTANT, "What changed after this, upstream or here; shows deleted too"
    ),
    _query("version", _TEXT, "`latest`, or an exact version"),
    _DELETED,
    *_EDITION,
]
_ANY = "any of these, by commas"
_SEARCH = [
    _query("q", _TEXT, "Words that must all occur; the last one may be cut"),
    _query("registryType", _TEXT, f"npm, pypi, oci, nuget, mcpb: {_ANY}"),
    _query("transport", _TEXT, f"stdio, streamable-http, sse: {_ANY}"),
    _query("licence", _TEXT, f"Licences of a package, as SPDX writes them: {_ANY}"),
    _query("ownership", _TEXT, f"Verdicts on who owns a package: {_ANY}"),
    _query(
        "min_downloads",
        {"type": "integer", "minimum": 0, "default": 0},
        "The most fetched package was fetched so often at least",
    ),
    _CURSOR,
    _LIMIT,
]
_V = "/v0.1/servers"
_Route = tuple[str, str, str, type, list[Json], tuple[str, ...]]
_GONE = ("400", "404", "410", "422")
_ROUTES: list[_Route] = [
    (_V, "listServers", "List servers", models.ServerList, _LIST, _GONE),
    (
        f"{_V}/{{serverName}}",
        "getLatest",
        "The latest version of a server",
        models.ServerResponse,
        [_NAME, _DELETED, _RAW, *_EDITION],
        _GONE,
    ),
    (
        f"{_V}/{{serverName}}/versions",
        "listVersions",
        "All versions of a server, newest first",
        models.ServerList,
        [_NAME, _DELETED, *_EDITION],
        _GONE,
    ),
    (
        f"{_V}/{{serverName}}/versions/{{version}}",
        "getVersion",
        "One version",
        models.ServerResponse,
        [_NAME, _VERSION, _DELETED, _RAW, *_EDITION],
        _GONE,
    ),
    (
        "/search",
        "searchServers",
        "Ranked search over names, titles, descriptions and what is known of packages",
        models.ResultList,
        _SEARCH,
        ("400", "422", "503"),
    ),
    ("/v0.1/health", "health", "State of the feed", models.Health, _EDITION, _GONE),
    ("/v0.1/ping", "ping", "Answers", models.Ping, [], ("400",)),
    ("/v0.1/version", "version", "Version of the software", models.Version, _EDITION, _GONE),
    (
        "/editions",
        "listEditions",
        "Every edition, newest first",
        models.EditionList,
        [_CURSOR, _LIMIT],
        ("400", "422"),
    ),
    (
        "/editions/{from}/diff/{to}",
        "diffEditions",
        "What differs between two editions",
        models.DifferenceList,
        [_path("from", "Edition ID"), _path("to", "Edition ID"), _CURSOR, _LIMIT],
        _GONE,
    ),
    (
        "/changes",
        "listChanges",
        "Changes by sequence, each entry once with its last change",
        models.ChangeList,
        [_SINCE_SEQUENCE, _CURSOR, _LIMIT, *_EDITION],
        _GONE,
    ),
    (
        "/changes/feed.json",
        "changesJsonFeed",
        "The newest changes as a JSON Feed",
        models.JsonFeed,
        [_LIMIT, *_EDITION],
        _GONE,
    ),
    (
        "/explain/{serverName}",
        "explainServer",
        "Why the versions of a server are in the feed or not",
        models.ServerExplanation,
        [_NAME, *_EDITION],
        _GONE,
    ),
    (
        "/explain/{serverName}/{version}",
        "explainVersion",
        "The same for one version",
        models.ServerExplanation,
        [_NAME, _EXACT, *_EDITION],
        _GONE,
    ),
    (
        "/registry.json",
        "catalog",
        "Every latest version in one document, for clients that read a file",
        models.Catalog,
        _EDITION,
        _GONE,
    ),
]


_WRITES = (
    ("post", "/v0.1/publish", ()),
    ("post", "/v0.1/validate", ()),
    ("put", f"{_V}/{{serverName}}/versions/{{version}}", (_NAME, _EXACT)),
    ("delete", f"{_V}/{{serverName}}/versions/{{version}}", (_NAME, _EXACT)),
    ("patch", f"{_V}/{{serverName}}/versions/{{version}}/status", (_NAME, _EXACT)),
    ("patch", f"{_V}/{{serverName}}/status", (_NAME,)),
)


def _paths(feed: ServedFeed) -> Json:
    paths = {route[0]: _get(feed, *route) for route in _ROUTES}
    for method, path, parameters in _WRITES:
        paths.setdefault(path, {})[method] = {
            "summary": "Not here: this registry is read only",
            "parameters": list(parameters),
            "responses": {
                status: _response(_PROBLEM, said, "Problem")
                for status, said in _not_here(feed).items()
            },
        }
    for path, media, description, asked in _DOCUMENTS:
        answer = {"description": description, "content": {media: {"schema": {}}}}
        paths[path] = {
            "get": {
                "summary": description,
                "parameters": list(asked),
                "responses": {"200": answer} | _failures(feed, path, _GONE),
            }
        }
    return paths


_SCHEMA = _path("schema", "File name of a schema", enum=list(models.BLOCKS))
_DOCUMENTS: tuple[tuple[str, str, str, tuple[Json, ...]], ...] = (
    ("/changes/feed.rss", "application/rss+xml", "The newest changes, RSS", (_LIMIT, *_EDITION)),
    ("/schemas/{schema}", "application/schema+json", "The schema of a key of ours", (_SCHEMA,)),
    ("/openapi.json", _JSON, "This document", ()),
    ("/openapi.yaml", "application/yaml", "This document", ()),
)


def _not_here(feed: ServedFeed) -> dict[str, str]:
    found = {"501": "Publish to the upstream registry", "429": "Too many requests"}
    return found | ({"401": "A key is needed"} if feed.access == "key" else {})


def _get(
    feed: ServedFeed,
    path: str,
    operation: str,
    summary: str,
    kind: type,
    parameters: list[Json],
    errors: tuple[str, ...],
) -> Json:
    failures = _failures(feed, path, errors)
    answers = [kind.__name__, *(["UpstreamEntry"] if _RAW in parameters else [])]
    found: Json = {
        "operationId": operation,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": _response(_JSON, "OK", *answers)} | failures,
    }
    if feed.access == "key" and path in _OPEN:
        found["security"] = []
    return {"get": found}


_OPEN = ("/v0.1/ping", "/v0.1/health")


def _failures(feed: ServedFeed, path: str, errors: tuple[str, ...]) -> Json:
    statuses = {*errors, "414", "429", "431", "503"}
    if feed.access == "key" and path not in _OPEN:
        statuses.add("401")
    return {
        status: _response(_PROBLEM, _STATUSES[status], "Problem") for status in sorted(statuses)
    }


def _response(media: str, description: str, *names: str) -> Json:
    refs = [{"$ref": _REF.format(name=name)} for name in names]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {"description": description, "content": {media: {"schema": schema}}}
