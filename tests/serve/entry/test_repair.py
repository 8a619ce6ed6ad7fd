"""Repairs: each has a name, changes no more than clients need, and never an argument."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.entry.repair import PUBLISHER, REPAIRS, repair
from serve.entry.strict import SCHEMA, validation_error
from tests.support.deployments import server_json
from tests.support.shared import require

Json = dict[str, Any]  # a server.json
NO_VALUE = {"type": "positional"}
VALUE = {"type": "positional", "value": "a"}
NAMED = {"type": "named", "name": "--a"}
# A change to this value removes the member.
NO_SCHEMA = ("$schema", None)
REMOTE = {"type": "sse", "url": "https://x.example/"}
RUN = {"registryType": "npm", "identifier": "x", "transport": {"type": "stdio"}}


def repaired(server: Json) -> tuple[Json | None, list[str]]:
    outcome = repair(json.dumps(server).encode())
    return (json.loads(outcome.server) if outcome.server else None), [
        rule for rule, _ in outcome.repairs
    ]


def test_what_fits_passes_byte_for_byte() -> None:
    data = (
        b'{ "$schema":"x","version" : "1.0.0","name":"a.b/c", "description":"\\u00e9", '
        b'"later": [1.50], "_meta": {"x.y/z": null} }'
    )
    outcome = repair(data)
    assert (outcome.server, outcome.repairs, outcome.withheld) == (data, [], "")


@pytest.mark.parametrize(
    ("change", "rule", "after"),
    [
        ({"repository": {}}, "repository-dropped", {}),
        ({"repository": {"url": "", "source": ""}}, "repository-dropped", {}),
        ({"repository": None}, "null-dropped", {}),
        ({"packages": None}, "null-dropped", {}),
        ({"title": ""}, "title-dropped", {}),
        ({"title": "x" * 101}, "title-dropped", {}),
        ({"websiteUrl": 7}, "website-dropped", {}),
        ({"websiteUrl": ""}, "website-dropped", {}),
        ({"websiteUrl": "javascript:alert(1)"}, "website-dropped", {}),
        ({"repository": {"url": "not a url", "source": "github"}}, "repository-dropped", {}),
        ({"$schema": None}, "schema-filled", {"$schema": SCHEMA}),
        ({"packages": [RUN | {"version": ""}]}, "version-empty-dropped", {"packages": [RUN]}),
        (
            {"packages": [RUN | {"transport": {"type": "stdio", "url": 5}}]},
            "stdio-members-dropped",
            {"packages": [RUN]},
        ),
        ({"packages": [RUN | {"postInstall": None}]}, "null-dropped", {"packages": [RUN]}),
        (
            {"packages": [RUN, RUN | {"packageArguments": [None]}]},
            "package-dropped",
            {"packages": [RUN]},
        ),
        (
            {"packages": [RUN, RUN | {"packageArguments": [VALUE | {"name": 5}]}]},
            "package-dropped",
            {"packages": [RUN]},
        ),
        (
            {"packages": [RUN, RUN | {"packageArguments": [NAMED | {"valueHint": 5}]}]},
            "package-dropped",
            {"packages": [RUN]},
        ),
        (
            {"packages": [RUN, RUN | {"environmentVariables": [{"name": "A", "choices": [None]}]}]},
            "package-dropped",
            {"packages": [RUN]},
        ),
        ({"description": ""}, "description-filled", {"description": "a.b/c"}),
        ({"description": "x" * 101}, "description-cut", {"description": "x" * 99 + "…"}),
        (
            {"packages": [RUN | {"version": "latest"}]},
            "version-latest-dropped",
            {"packages": [RUN]},
        ),
        (
            {"packages": [RUN | {"environmentVariables": [{"name": "A", "format": "integer"}]}]},
            "format-dropped",
            {"packages": [RUN | {"environmentVariables": [{"name": "A"}]}]},
        ),
        (
            {"packages": [RUN, RUN | {"packageArguments": [{"type": "", "value": "x"}]}]},
            "package-dropped",
            {"packages": [RUN]},
        ),
        (
            {"packages": [RUN | {"packageArguments": [NAMED | {"default": 8000}]}]},
            "value-as-text",
            {"packages": [RUN | {"packageArguments": [NAMED | {"default": "8000"}]}]},
        ),
        (
            {"remotes": [REMOTE | {"headers": [{"name": "A", "choices": [True, "x", 1.5]}]}]},
            "value-as-text",
            {"remotes": [REMOTE | {"headers": [{"name": "A", "choices": ["true", "x", "1.5"]}]}]},
        ),
        (
            {"packages": [RUN | {"fileSha256": "AB" * 32}]},
            "hash-lowered",
            {"packages": [RUN | {"fileSha256": "ab" * 32}]},
        ),
        (
            {"remotes": [REMOTE | {"url": "HTTPS://x.example/A"}]},
            "scheme-lowered",
            {"remotes": [REMOTE | {"url": "https://x.example/A"}]},
        ),
        (
            {"websiteUrl": "Https://x.example/A"},
            "scheme-lowered",
            {"websiteUrl": "https://x.example/A"},
        ),
        ({"packages": [RUN | {"fileSha256": "x"}]}, "package-dropped", {}),
        ({"packages": [{"registryType": "npm", "identifier": "x"}]}, "package-dropped", {}),
        (
            {"packages": [RUN | {"packageArguments": [{"type": "positional"}]}]},
            "package-dropped",
            {},
        ),
        ({"icons": [{"src": "http://x.example/i.png"}]}, "icon-dropped", {}),
        (
            {"remotes": [REMOTE | {"headers": [{"name": "A", "format": "integer"}]}]},
            "format-dropped",
            {"remotes": [REMOTE | {"headers": [{"name": "A"}]}]},
        ),
        (
            {"packages": [RUN, RUN | {"environmentVariables": [{"name": "A", "variables": [1]}]}]},
            "package-dropped",
            {"packages": [RUN]},
        ),
        ({"icons": [{"src": "https://x.example/i.png", "theme": "red"}]}, "icon-dropped", {}),
        (
            {"_meta": {PUBLISHER: {"tool": {}}}},
            "publisher-meta-dropped",
            {"_meta": {PUBLISHER: {}}},
        ),
        (
            {
                "_meta": {
                    "io.modelcontextprotocol.registry/publisher-provided": {"github": {"name": 1}}
                }
            },
            "publisher-meta-dropped",
            {"_meta": {"io.modelcontextprotocol.registry/publisher-provided": {}}},
        ),
    ],
)
def test_a_repair_has_a_name_and_touches_nothing_else(change: Json, rule: str, after: Json) -> None:
    server = server_json("a.b/c")
    result, rules = repaired(
        {key: value for key, value in (server | change).items() if (key, value) != NO_SCHEMA}
    )
    without = {key: value for key, value in server.items() if key not in change}
    assert result == without | after
    assert rules == [rule]
    assert rule in REPAIRS


@pytest.mark.parametrize(
    "change",
    [
        {"name": "no slash"},
        {"name": "a.b/c d"},
        {"name": 7},
        {"version": ""},
        {"version": "1\n2"},
        {"version": "1\n"},
        {"name": "a.b/c\n"},
        {"version": "x" * 256},
        {"description": 7},
        {"remotes": [{"type": "carrier-pigeon", "url": "https://x.example"}]},
        {"remotes": [{"type": "sse", "url": "ftp://x.example"}]},
        {"packages": [RUN | {"runtimeArguments": [{"type": "named"}]}], "remotes": []},
    ],
)
def test_what_cannot_be_repaired_is_withheld_with_the_reason(change: Json) -> None:
    outcome = repair(json.dumps(server_json("a.b/c") | change).encode())
    assert outcome.server is None
    assert outcome.withheld


@pytest.mark.parametrize("data", [b"", b"7", b"[]", b"{}", b"\xff", b"[" * 99_999, b'"\\ud800"'])
def test_garbage_is_withheld(data: bytes) -> None:
    assert repair(data).server is None


def test_a_document_too_deep_to_repair_is_withheld() -> None:
    # Close to the depth that Python can recurse to; either outcome is right.
    deep = b"[" * 950 + b"]" * 950
    outcome = repair(
        json.dumps(server_json("a.b/c", repository={})).encode()[:-1] + b',"z":%b}' % deep
    )
    assert (outcome.server is None) == bool(outcome.withheld)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["title", "description", "websiteUrl", "repository", "packages", "remotes", "icons", "_meta"]
)


@given(st.dictionaries(MEMBERS, JSON, max_size=4))
def test_whatever_comes_is_decodable_or_withheld(change: Json) -> None:
    outcome = repair(json.dumps(server_json("a.b/c") | change).encode())
    assert (outcome.server is None) == bool(outcome.withheld)
    if outcome.server is not None:
        assert validation_error(outcome.server) is None


def test_an_address_that_begins_with_a_declared_variable_waits_for_one_switch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (line,) = require("cases/14-url-variable-first/base.jsonl").read_text().splitlines()
    server = json.loads(line)["server"]
    assert "begins with the variable baseUrl" in repair(json.dumps(server).encode()).withheld
    monkeypatch.setattr("serve.entry.strict.VARIABLE_FIRST", True)
    assert repaired(server) == (server, [])
    del server["remotes"][0]["variables"]
    assert repaired(server) == (None, ["remote-dropped"])


def test_a_number_as_default_withholds_nothing() -> None:
    (line,) = require("cases/18-number-default/base.jsonl").read_text().splitlines()
    server, rules = repaired(json.loads(line)["server"])
    assert server is not None
    assert server["packages"][0]["packageArguments"][0]["default"] == "8000"
    assert rules == ["value-as-text"]
