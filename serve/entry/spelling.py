"""Repairs of spelling in a server.json: the same value, as strict clients write it."""

import json
import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]  # a decoded server.json, or a part of one
Repair = tuple[str, str]
"""The name of a repair, and a detail."""

_TEXTS = ("default", "value", "placeholder")
_SCHEME = re.compile(r"[A-Za-z]+(?=://)")
_HASH = re.compile(r"[A-Fa-f0-9]{64}")


def respell_inputs(inputs: list[Json]) -> Iterator[Repair]:
    """Numbers and booleans of inputs become texts."""
    for declared in inputs:
        for key in _TEXTS:
            if isinstance(declared.get(key), bool | int | float):
                declared[key] = json.dumps(declared[key])
                yield "value-as-text", f"{key} {declared[key]}"
        choices = declared.get("choices")
        if isinstance(choices, list) and any(
            isinstance(item, bool | int | float) for item in choices
        ):
            declared["choices"] = [
                json.dumps(item) if isinstance(item, bool | int | float) else item
                for item in choices
            ]
            yield "value-as-text", f"choices {json.dumps(choices)}"[:200]


def respell_addresses(document: Json, packages: list[Json]) -> Iterator[Repair]:
    """Schemes of addresses and hashes of files become lower case."""
    for package in packages:
        digest = package.get("fileSha256")
        if isinstance(digest, str) and _HASH.fullmatch(digest) and digest != digest.lower():
            package["fileSha256"] = digest.lower()
            yield "hash-lowered", digest
    for holder, key in _addresses(document, packages):
        address = holder.get(key)
        if not isinstance(address, str):
            continue
        scheme = _SCHEME.match(address)
        if scheme and scheme[0] != scheme[0].lower():
            holder[key] = scheme[0].lower() + address[scheme.end() :]
            yield "scheme-lowered", address[:200]


def _addresses(document: Json, packages: list[Json]) -> Iterator[tuple[Json, str]]:
    yield document, "websiteUrl"
    if isinstance(document.get("repository"), dict):
        yield document["repository"], "url"
    for key, member in (("remotes", "url"), ("icons", "src")):
        value = document.get(key)
        for item in value if isinstance(value, list) else []:
            if isinstance(item, dict):
                yield item, member
    for package in packages:
        yield package, "registryBaseUrl"
        if isinstance(package.get("transport"), dict):
            yield package["transport"], "url"
