"""JSON Schemas made from types: for the OpenAPI document and for our blocks under `_meta`."""

from inspect import cleandoc
from typing import Any

import msgspec

from serve.entry.meta import EditorialBlock, EnrichmentBlock, FeedBlock

Json = dict[str, Any]  # a JSON Schema


def schemas(*types: type, ref: str) -> dict[str, Json]:
    """JSON Schemas of types and of all types they refer to, by name; `ref` is a template."""
    _, components = msgspec.json.schema_components(
        types, ref_template=ref, schema_hook=lambda _: {"not": {}}
    )
    return {name: _ecma(schema) for name, schema in components.items()}


def _ecma(value: Any) -> Any:  # any part of a JSON Schema
    """The same with `$` in place of Python's `\\Z` in patterns, and with dedented descriptions."""
    if isinstance(value, dict):
        return {key: _ecma(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_ecma(item) for item in value]
    return cleandoc(value.replace("\\Z", "$")) if isinstance(value, str) else value


BLOCKS: dict[str, type] = {
    "feed.v1.json": FeedBlock,
    "enrichment.v1.json": EnrichmentBlock,
    "editorial.v1.json": EditorialBlock,
}
"""The types of our blocks under `_meta`, by file name; a breaking change gets a new number."""


def block_schema(name: str) -> Json:
    """One schema of BLOCKS as a complete document."""
    kind = BLOCKS[name]
    components = schemas(kind, ref="#/$defs/{name}")
    whole = components.pop(kind.__name__)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "$defs": components}
