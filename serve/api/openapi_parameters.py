"""The parameters of the routes, as the OpenAPI document describes them."""

from typing import Any

Json = dict[str, Any]  # an OpenAPI document
_INSTANT: Json = {"type": "string", "format": "date-time"}
_SEQUENCE: Json = {"type": "integer", "minimum": 0, "default": 0}


def query(name: str, schema: Json, description: str) -> Json:
    """Describe a query parameter; an empty value counts as absent."""
    if schema is not _TEXT:  # which allows the empty text anyway
        schema = {"anyOf": [schema, {"const": ""}]}
    return {"name": name, "in": "query", "description": description, "schema": schema}


def path_parameter(name: str, description: str, *, enum: list[str] | None = None) -> Json:
    schema: Json = {"enum": enum} if enum else _TEXT | {"minLength": 1}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
    }


_TEXT: Json = {"type": "string", "pattern": "^[^\\u0000]*$"}
NAME = path_parameter("serverName", "Server name, percent-encoded (com.example%2Fserver)")
VERSION = path_parameter("version", "Version, percent-encoded, or `latest`")
EXACT = path_parameter("version", "Version, percent-encoded")
DELETED = query(
    "include_deleted", {"type": "boolean", "default": False}, "Show deleted entries too"
)
RAW = query("raw", {"type": "boolean", "default": False}, "Upstream's own bytes, without repairs")
CURSOR = query("cursor", _TEXT, "Where to go on: a page's metadata.nextCursor")
LIMIT = query(
    "limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 30}, "Page size"
)
SINCE_SEQUENCE = query(
    "since_sequence", _SEQUENCE, "What changed after this sequence; 0 for everything"
)
EDITION = [
    query("edition", _TEXT, "An edition that is kept, by ID"),
    query(
        "as_of",
        _INSTANT,
        "The edition that was live at this instant, if it is kept; `edition` wins",
    ),
]
LIST = [
    CURSOR,
    LIMIT,
    query("search", _TEXT, "Part of the name or the description"),
    query(
        "updated_since", _INSTANT, "What changed after this, upstream or here; shows deleted too"
    ),
    query("version", _TEXT, "`latest`, or an exact version"),
    DELETED,
    *EDITION,
]
_ANY = "any of these, by commas"
SEARCH = [
    query("q", _TEXT, "Words that must all occur; the last one may be cut"),
    query("registry_type", _TEXT, f"npm, pypi, oci, nuget, mcpb: {_ANY}"),
    query("transport", _TEXT, f"stdio, streamable-http, sse: {_ANY}"),
    query("license", _TEXT, f"Licenses of a package, as SPDX writes them: {_ANY}"),
    query("ownership", _TEXT, f"Verdicts on who owns a package: {_ANY}"),
    query(
        "min_downloads",
        {"type": "integer", "minimum": 0, "default": 0},
        "The most fetched package was fetched so often at least",
    ),
    CURSOR,
    LIMIT,
]
