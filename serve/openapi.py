"""The OpenAPI document of a feed, as served at /openapi.json and /openapi.yaml.

`info.version` and the registry's address in `info.description` are what importers look for.
"""

from typing import Any

Json = dict[str, Any]  # an OpenAPI document

_DESCRIPTION = (
    "A curated feed of MCP servers with the read API of the official registry "
    "(https://github.com/modelcontextprotocol/registry)."
)
_REF = "#/components/schemas/"


def openapi(*, title: str, base_url: str) -> Json:
    """The document of a feed whose API is below `base_url` (empty: the server's root)."""
    name = _path("serverName", "Server name, percent-encoded (com.example%2Fserver)")
    version = _path("version", "Version, percent-encoded, or `latest`")
    deleted = _query(
        "include_deleted", {"type": "boolean", "default": False}, "Show deleted entries too"
    )
    paths: Json = {
        "/v0.1/servers": _get(
            "listServers", "List servers", [*_list_parameters(), deleted], "ServerList", ()
        ),
        "/v0.1/servers/{serverName}/versions": _get(
            "listVersions", "All versions of a server", [name, deleted], "ServerList", ("404",)
        ),
        "/v0.1/servers/{serverName}/versions/{version}": _get(
            "getVersion", "One version", [name, version, deleted], "ServerResponse", ("404",)
        ),
        "/v0.1/health": _get("health", "State of the feed", [], "Health", ()),
        "/v0.1/ping": _get("ping", "Answers", [], "Ping", ()),
        "/v0.1/version": _get("version", "Version of the software", [], "Version", ()),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1.0.0", "description": _DESCRIPTION},
        "servers": [{"url": base_url or "/"}],
        "paths": paths,
        "components": {"schemas": _schemas()},
    }


def _list_parameters() -> list[Json]:
    return [
        _query("cursor", {"type": "string"}, "Where to go on: a page's metadata.nextCursor"),
        _query(
            "limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 30}, "Page size"
        ),
        _query("search", {"type": "string"}, "Part of the name or the description"),
        _query(
            "updated_since", {"type": "string", "format": "date-time"}, "What changed after this"
        ),
        _query("version", {"type": "string"}, "`latest`, or an exact version"),
    ]


def _get(
    operation: str, summary: str, parameters: list[Json], schema: str, errors: tuple[str, ...]
) -> Json:
    failures = {
        status: _response("Problem", "application/problem+json", "Problem")
        for status in ("400", "414", "422", *errors)
    }
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "parameters": parameters,
            "responses": {"200": _response(schema, "application/json", "OK")} | failures,
        }
    }


def _response(schema: str, media: str, description: str) -> Json:
    return {"description": description, "content": {media: {"schema": {"$ref": _REF + schema}}}}


def _path(name: str, description: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
    }


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "required": required, "properties": properties}


def _schemas() -> Json:
    text: Json = {"type": "string"}
    count: Json = {"type": "integer"}
    instant: Json = {"type": "string", "format": "date-time"}
    official = _object(
        ["status", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"],
        status={"enum": ["active", "deprecated", "deleted"]},
        statusChangedAt=instant,
        statusMessage=text,
        publishedAt=instant,
        updatedAt=instant,
        isLatest={"type": "boolean"},
    )
    return {
        "ServerList": _object(
            ["servers", "metadata"],
            servers={"type": "array", "items": {"$ref": _REF + "ServerResponse"}},
            metadata=_object(["count"], nextCursor=text, count=count),
        ),
        "ServerResponse": _object(
            ["server", "_meta"],
            server={"$ref": _REF + "ServerDetail"},
            _meta={
                "type": "object",
                "required": ["io.modelcontextprotocol.registry/official"],
                "properties": {"io.modelcontextprotocol.registry/official": official},
                "additionalProperties": True,
            },
        ),
        "ServerDetail": _object(
            ["name", "description", "version"],
            name={"type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
            description={"type": "string", "minLength": 1, "maxLength": 100},
            version={"type": "string", "minLength": 1, "maxLength": 255},
            title=text,
            websiteUrl=text,
            repository=_object(["url", "source"], url=text, source=text),
            packages={"type": "array", "items": {"$ref": _REF + "Package"}},
            remotes={"type": "array", "items": {"type": "object", "required": ["type", "url"]}},
        ),
        "Package": _object(
            ["registryType", "identifier", "transport"],
            registryType=text,
            identifier=text,
            version=text,
            transport=_object(["type"], type=text),
        ),
        "Problem": _object(["title", "status", "detail"], title=text, status=count, detail=text),
        "Health": _object(["status"], status={"const": "ok"}),
        "Ping": _object(["pong"], pong={"const": True}),
        "Version": _object(["version", "git_commit", "build_time"], version=text),
    }
