"""Requests generated from the OpenAPI documents, ours and the official one, to a served feed."""

import os
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance, response_schema_conformance

from serve.api.openapi import openapi
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from tests.serve.api.test_api import ODD_VERSIONS
from tests.support.feeds import NOW, entry, excluded, publish, served
from tests.support.shared import FOLDER, require

EXAMPLES = int(os.environ.get("SUBREGISTRY_SCHEMATHESIS", "30"))
THERE = {
    "serverName": ["io.github.o/odd", "io.github.z/007", "io.github.g/gone"],
    "version": ["1.0.0", "latest", *ODD_VERSIONS],
    "edition": ["e1", "e2"],
    "from": ["e1"],
    "to": ["e2"],
}
"""Values that exist, so that not every generated request ends in a 404."""
OPAQUE = ("/changes", "/editions", "/editions/{from}/diff/{to}", "/v0.1/servers")
BUDGET = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def knowing(document: dict[str, Any]) -> dict[str, Any]:
    """Let the parameters of a document often take values that exist."""
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if known := THERE.get(parameter["name"]):
                    known_or_any = [{"enum": known}, parameter["schema"]]
                    parameter["schema"] = {"anyOf": known_or_any}
    return document


OURS = schemathesis.openapi.from_dict(
    knowing(deepcopy(openapi(ServedFeed("default", "Default", "/"))))
)
_DOCUMENT = FOLDER / "spec" / "openapi-2025-12-01.yaml"
# The tests are collected even if the document is missing.
OFFICIAL = schemathesis.openapi.from_dict(
    knowing(yaml.safe_load(_DOCUMENT.read_text()))
    if _DOCUMENT.exists()
    else {"openapi": "3.1.0", "info": {"title": "not there", "version": "0"}, "paths": {}}
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("feeds")
    feed = Feed(root, "default")
    entries = [
        *[
            entry("io.github.o/odd", version, is_latest=not index)
            for index, version in enumerate(ODD_VERSIONS)
        ],
        *[entry(f"io.github.z/{number:03d}") for number in range(50)],
        entry("io.github.g/gone", status="deleted"),
    ]
    publish(feed, entries, "e1")
    publish(feed, [excluded(entries[0]), *entries[1:]], "e2", now=NOW + timedelta(hours=1))
    with served(root, ("default", "/")) as client:
        yield f"http://127.0.0.1:{client.port}"


@OURS.parametrize()
@BUDGET
def test_our_own_document_with_every_check(case: schemathesis.Case[Any], url: str) -> None:
    """All checks, except where a document cannot express the rule.

    Write routes answer 501; a cursor is opaque, so an invented one is refused; `updated_since`
    cannot be combined with `include_deleted=false`.
    """
    query = case.query or {}
    without: list[Any] = []
    if case.method.upper() != "GET":
        without = [not_a_server_error]
    elif (case.path in OPAQUE and query.get("cursor")) or query.get("updated_since"):
        without = [positive_data_acceptance]
    case.call_and_validate(base_url=url, excluded_checks=without, timeout=10)


def test_the_official_document_is_there() -> None:
    require("spec/openapi-2025-12-01.yaml")


@OFFICIAL.include(method="GET").parametrize()
@BUDGET
def test_the_official_document(case: schemathesis.Case[Any], url: str) -> None:
    """No 5xx, and every 2xx body fits the official document."""
    answer = case.call(base_url=url, timeout=10)
    case.validate_response(answer, checks=[not_a_server_error])
    if answer.status_code < 300:
        case.validate_response(answer, checks=[response_schema_conformance])
