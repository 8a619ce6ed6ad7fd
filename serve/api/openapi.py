"""The OpenAPI document of a feed, as served at /openapi.json and /openapi.yaml.

It is made from the types that describe the answers (`serve.api.models`). Importers look for
`info.version` and for the registry's address in `info.description`.
"""

from serve.api import models
from serve.api.openapi_parameters import (
    CURSOR,
    DELETED,
    EDITION,
    EXACT,
    LIMIT,
    LIST,
    NAME,
    RAW,
    SEARCH,
    SINCE_SEQUENCE,
    VERSION,
    Json,
    path_parameter,
)
from serve.api.schemas import BLOCKS, schemas
from serve.entry.meta import EnrichmentBlock, FeedBlock
from serve.entry.render import OFFICIAL
from serve.policy.served_feed import ServedFeed
from serve.routes import ROUTES

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
    """The OpenAPI document of a feed; its paths are relative to the base path."""
    components = schemas(
        *{kind for _, _, _, kind, *_ in _ROUTES}, models.Problem, models.UpstreamEntry, ref=_REF
    )
    blocks = schemas(FeedBlock, EnrichmentBlock, ref=_REF)
    # Our blocks are named by the feed's namespace, so no type can declare them.
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


_V = "/v0.1/servers"
_Route = tuple[str, str, str, type, list[Json], tuple[str, ...]]
_GONE = ("400", "404", "410", "422")
_ROUTES: list[_Route] = [
    (_V, "listServers", "List servers", models.ServerList, LIST, _GONE),
    (
        f"{_V}/{{serverName}}",
        "getLatest",
        "The latest version of a server",
        models.ServerResponse,
        [NAME, DELETED, RAW, *EDITION],
        _GONE,
    ),
    (
        f"{_V}/{{serverName}}/versions",
        "listVersions",
        "All versions of a server, newest first",
        models.ServerList,
        [NAME, DELETED, *EDITION],
        _GONE,
    ),
    (
        f"{_V}/{{serverName}}/versions/{{version}}",
        "getVersion",
        "One version",
        models.ServerResponse,
        [NAME, VERSION, DELETED, RAW, *EDITION],
        _GONE,
    ),
    (
        "/search",
        "searchServers",
        "Ranked search over names, titles, descriptions and what is known of packages",
        models.ResultList,
        SEARCH,
        ("400", "422", "503"),
    ),
    ("/v0.1/health", "health", "State of the feed", models.Health, EDITION, _GONE),
    ("/v0.1/ping", "ping", "Answers", models.Ping, [], ("400",)),
    ("/v0.1/version", "version", "Version of the software", models.Version, EDITION, _GONE),
    (
        "/editions",
        "listEditions",
        "Every edition, newest first",
        models.EditionList,
        [CURSOR, LIMIT],
        ("400", "422"),
    ),
    (
        "/editions/{from}/diff/{to}",
        "diffEditions",
        "What differs between two editions",
        models.DifferenceList,
        [path_parameter("from", "Edition ID"), path_parameter("to", "Edition ID"), CURSOR, LIMIT],
        _GONE,
    ),
    (
        "/changes",
        "listChanges",
        "Changes by sequence, each entry once with its last change",
        models.ChangeList,
        [SINCE_SEQUENCE, CURSOR, LIMIT, *EDITION],
        _GONE,
    ),
    (
        "/changes/feed.json",
        "changesJsonFeed",
        "The newest changes as a JSON Feed",
        models.JsonFeed,
        [LIMIT, *EDITION],
        _GONE,
    ),
    (
        "/explain/{serverName}",
        "explainServer",
        "Why the versions of a server are in the feed or not",
        models.ServerExplanation,
        [NAME, CURSOR, LIMIT, *EDITION],
        _GONE,
    ),
    (
        "/explain/{serverName}/{version}",
        "explainVersion",
        "The same for one version",
        models.ServerExplanation,
        [NAME, EXACT, *EDITION],
        _GONE,
    ),
    (
        "/registry.json",
        "catalog",
        "Every latest version in one document, for clients that read a file",
        models.Catalog,
        EDITION,
        _GONE,
    ),
]


_WRITES = (
    ("post", "/v0.1/publish", ()),
    ("post", "/v0.1/validate", ()),
    ("put", f"{_V}/{{serverName}}/versions/{{version}}", (NAME, EXACT)),
    ("delete", f"{_V}/{{serverName}}/versions/{{version}}", (NAME, EXACT)),
    ("patch", f"{_V}/{{serverName}}/versions/{{version}}/status", (NAME, EXACT)),
    ("patch", f"{_V}/{{serverName}}/status", (NAME,)),
)


def _paths(feed: ServedFeed) -> Json:
    paths = {route[0]: _get(feed, *route) for route in _ROUTES}
    for method, path, parameters in _WRITES:
        # Some of these paths have a GET already.
        paths.setdefault(path, {})[method] = {
            "summary": "Not here: this registry is read only",
            "parameters": list(parameters),
            "responses": {
                status: _response(_PROBLEM, text, "Problem")
                for status, text in _not_here(feed).items()
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


_SCHEMA = path_parameter("schema", "File name of a schema", enum=list(BLOCKS))
_DOCUMENTS: tuple[tuple[str, str, str, tuple[Json, ...]], ...] = (
    ("/changes/feed.rss", "application/rss+xml", "The newest changes, RSS", (LIMIT, *EDITION)),
    ("/schemas/{schema}", "application/schema+json", "The schema of a key of ours", (_SCHEMA,)),
    ("/openapi.json", _JSON, "This document", ()),
    ("/openapi.yaml", "application/yaml", "This document", ()),
)


def _not_here(feed: ServedFeed) -> dict[str, str]:
    statuses = {"501": "Publish to the upstream registry", "429": "Too many requests"}
    return statuses | ({"401": "A key is needed"} if feed.access == "key" else {})


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
    answers = [kind.__name__, *(["UpstreamEntry"] if RAW in parameters else [])]
    details: Json = {
        "operationId": operation,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": _response(_JSON, "OK", *answers)} | failures,
    }
    if feed.access == "key" and path in _OPEN:
        details["security"] = []
    return {"get": details}


# Paths that need no key.
_OPEN = frozenset(f"/v0.1/{route.word}" for route in ROUTES if route.open)


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
