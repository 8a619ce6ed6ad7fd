"""JSON Schemas made of types: for the OpenAPI document and for our blocks under `_meta`."""

from inspect import cleandoc
from typing import Any

import msgspec

from serve.entry.meta import EditorialBlock, EnrichmentBlock, FeedBlock

Json = dict[str, Any]  # a JSON Schema


def schemas(*types: type, ref: str) -> dict[str, Json]:
    """JSON Schemas of types and all they refer to, by name; `ref` is a template for references."""
    _, found = msgspec.json.schema_components(
        types, ref_template=ref, schema_hook=lambda _: {"not": {}}
    )
    return {name: _ecma(schema) for name, schema in found.items()}


def _ecma(value: Any) -> Any:  # any part of a JSON Schema
    """The same with `$` where Python's patterns say `\\Z`, and descriptions without indents."""
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
"""JSON Schemas of our keys under `_meta`, by file name; a breaking change gets a new number."""


def block_schema(name: str) -> Json:
    """A schema of BLOCKS as a document of its own."""
    kind = BLOCKS[name]
    found = schemas(kind, ref="#/$defs/{name}")
    whole = found.pop(kind.__name__)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "$defs": found}
