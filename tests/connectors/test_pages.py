"""Pages with bad records: a bad record costs itself and nothing else."""

import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BudgetSpent, MalformedPage, UnexpectedStatus, Unreachable
from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.upstreams.contract import MAX_ENTRY, Entry, Unreadable, compose, read_entry
from connectors.upstreams.json_split import split_page
from connectors.upstreams.page import read_page
from connectors.upstreams.registry import Missing, Registry
from pipelines.demo.loopback import Reply, Request
from tests.connectors.test_registry import META, page
from tests.support.deployments import START, Upstream, server_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def entry(name: str, extra: str = "", version: str = '"1.0.0"') -> bytes:
    return compose(f'{{"name":"{name}","version":{version}{extra}}}'.encode(), META)


# Each case: the record, a part of the reason, and the name that can still be read.
BAD = {
    "surrogate": (entry("b/x", ',"title":"\\ud800"'), "surrogate", "b/x"),
    "surrogate in a field we do not know": (entry("b/x", ',"y":"\\udfff"'), "surrogate", "b/x"),
    "not UTF-8": (entry("b/x", ',"title":"?"').replace(b"?", b"\xff\xfe"), "utf-8", "b/x"),
    "not UTF-8 in its name": (entry("b/?").replace(b"?", b"\xff"), "utf-8", None),
    "deeper than the parser": (entry("b/x", ',"y":' + "[" * 5000 + "]" * 5000), "deep", "b/x"),
    "deep": (entry("b/x", ',"y":' + "[" * 70 + "]" * 70), "72 levels deep", "b/x"),
    "a key twice": (entry("b/x", ',"name":"c/d"'), "a key twice", "c/d"),
    "a nested key twice": (entry("b/x", ',"y":[{"z":1,"z":2}]'), "a key twice", "b/x"),
    "large": (entry("b/x", f',"title":"{"x" * MAX_ENTRY}"'), "bytes, more than", "b/x"),
    "a number": (b"42", "Expected `object`", None),
    "null": (b"null", "Expected `object`", None),
    "no JSON": (b"tru e", "malformed", None),
    "a raw line break": (entry("b/x", ',"title":"a\nb"'), "malformed", "b/x"),
    "NaN": (entry("b/x", ',"y":NaN'), "malformed", "b/x"),
    "a version that is a number": (entry("b/x", version="1"), "Expected `str`", None),
    "no meta": (b'{"server":{"name":"b/x","version":"1"}}', "`_meta`", None),
    "an empty version": (entry("b/x", version='""'), "empty", None),
    "a control character": (entry("b/\\u0000"), "control character", None),
    "a long name": (entry("b/" + "x" * 2000), "more than 1000 characters", None),
    "words of the frame": (entry("b/x", ',"servers":[],"metadata":"x'), "malformed", None),
}


@pytest.mark.parametrize("case", sorted(set(BAD) - {"words of the frame"}))
def test_a_bad_record_does_not_cost_its_page(case: str) -> None:
    bad, reason, name = BAD[case]
    records = b",\n".join([entry("a/a"), bad, entry("z/z")])
    head = read_page(b'{"servers":[' + records + b'],"metadata":{"nextCursor":"z/z:1","count":3}}')
    first, odd, last = map(read_entry, head.entries)
    assert (type(first), type(last), head.next_cursor) == (Entry, Entry, "z/z:1")
    assert isinstance(odd, Unreadable)
    assert reason in odd.reason
    assert odd.name == name
    # Of a record that is too large only the first bytes are kept.
    assert bad.startswith(odd.raw)


@pytest.mark.parametrize(
    "body",
    [
        b'{"servers":[{},"metadata":{}}',
        b'{"servers":[],"servers":[],"metadata":{}}',
        b'{"servers":[],"metadata":{},"metadata":{}}',
        b'{"servers":[,],"metadata":{}}',
        b'{"servers":[{},],"metadata":{}}',
        b'{"servers":[]x,"metadata":{}}',
        b'{"servers":[],"metadata":{}} x',
        b'{"servers":[],"metadata":{"nextCursor":"a","nextCursor":"b"}}',
        b'{"servers":["\\ud800"],"metadata":{"nextCursor":"a"',
        b'{"servers" x:[],"metadata":{}}',
        BAD["words of the frame"][0],
    ],
)
def test_a_frame_that_is_not_sound_is_no_page(body: bytes) -> None:
    with pytest.raises(MalformedPage):
        read_page(body)


@given(st.lists(JSON), st.dictionaries(st.text(), JSON), st.booleans())
def test_splitting_finds_what_the_parser_finds(
    records: list[Any], metadata: dict[str, Any], spaced: bool
) -> None:
    document = {"first": metadata, "servers": records, "metadata": metadata}
    body = json.dumps(document, indent=1 if spaced else None).encode("utf-8", "surrogatepass")
    raw_records, frame = split_page(body)
    assert [json.loads(record) for record in raw_records] == records
    assert json.loads(frame or b"null") == metadata


@given(JSON)
def test_a_record_is_read_or_refused_and_never_raises(value: Any) -> None:
    read_entry(json.dumps({"server": value, "_meta": value}).encode())
    read_entry(msgspec.json.encode(value))


def test_a_doubled_key_cannot_hide_behind_a_number_that_grows() -> None:
    assert isinstance(read_entry(entry("a/a", ',"x":1e6,"b":0,"b":0')), Unreadable)


def test_escapes_and_spaces_are_no_doubled_keys() -> None:
    spaced = entry("a/a", ', "title" : "\\u003cb\\u003e", "x": {"y": 1.50, "z": {"y": 2}}')
    assert isinstance(read_entry(spaced), Entry)


# -- walks -------------------------------------------------------------------------------------


def test_a_key_that_comes_twice_on_a_page_does_not_stop_the_walk(
    registry: Registry, upstream: Upstream
) -> None:
    upstream.fault = lambda _: Reply(200, page("a.b/a", "a.b/b", "a.b/b", "a.b/c"))
    assert [len(fetched.entries) for fetched in registry.walk()] == [4]


def test_a_page_that_goes_back_within_itself_is_refused(
    registry: Registry, upstream: Upstream
) -> None:
    upstream.fault = lambda _: Reply(200, page("a.b/b", "a.b/a"))
    with pytest.raises(MalformedPage, match="within itself"):
        list(registry.walk())


def test_the_key_of_a_bad_record_proves_nothing(registry: Registry, upstream: Upstream) -> None:
    bad = entry("a.b/b", ',"name":"z/z"')
    body = page("a.b/a", "a.b/c").replace(b"},{", b"}," + bad + b",{", 1)
    assert body.count(b"z/z") == 1
    upstream.fault = lambda _: Reply(200, body)
    assert [len(fetched.entries) for fetched in registry.walk()] == [3]


def test_an_end_that_may_be_none_is_asked_for_again(registry: Registry, upstream: Upstream) -> None:
    for number in range(100):
        upstream.registry.publish(server_json(f"a.b/{number:03d}"), START)

    def drop_the_cursor_once(request: Request) -> Reply | None:
        if "limit=100" in request.target and "cursor" not in request.target:
            return Reply(200, page(*(f"a.b/{number:03d}" for number in range(100))))
        return None

    upstream.fault = drop_the_cursor_once
    assert [len(fetched.entries) for fetched in registry.walk()] == [99, 1]
    upstream.fault = lambda request: Reply(200, page()) if "limit=100" in request.target else None
    assert sum(len(fetched.entries) for fetched in registry.walk()) == 99 + 1


def test_two_answers_that_contradict_each_other_are_no_end(
    registry: Registry, upstream: Upstream
) -> None:
    bodies = [page("a.b/a", "a.b/b", "a.b/c"), page()]
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    with pytest.raises(MalformedPage, match="ends after 3 entries"):
        list(registry.walk())


def test_a_page_too_large_to_read_is_read_in_parts(upstream: Upstream) -> None:
    for number in range(30):
        upstream.registry.publish(server_json(f"a.b/{number:03d}", title="x" * 5000), START)
    request_policy = RequestPolicy(rate=0, cap=100_000)
    with HttpClient(AddressPolicy(loopback_only=True), "test", request_policy) as http:
        pages = list(Registry(http, upstream.url, now=lambda: START).walk())
    assert sum(len(fetched.entries) for fetched in pages) == 30


def test_a_large_text_that_compresses_well_is_no_bomb(
    registry: Registry, upstream: Upstream
) -> None:
    upstream.registry.publish(server_json("a.b/c", title="x" * 1_500_000), START)

    def zipped(request: Request) -> Reply:
        reply = upstream.registry.answer(request)
        headers = {**reply.headers, "Content-Encoding": "gzip"}
        return Reply(reply.status, gzip.compress(reply.body), headers)

    upstream.fault = zipped
    assert sum(len(fetched.entries) for fetched in registry.walk(since="2026-01-01T00:00:00Z")) == 1


def test_a_bad_record_at_the_end_of_a_page_proves_nothing(
    registry: Registry, upstream: Upstream
) -> None:
    last = entry("a.b/y", ',"name":"zzz/zzz"')
    bodies = [page("a.b/a", cursor="x").replace(b"}],", b"}," + last + b"],"), page("a.b/z")]
    assert bodies[0].count(b"zzz") == 2
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    assert [len(fetched.entries) for fetched in registry.walk()] == [2, 1]


def test_a_run_has_a_budget(upstream: Upstream) -> None:
    request_policy = RequestPolicy(rate=0, budget=3)
    with HttpClient(AddressPolicy(loopback_only=True), "test", request_policy) as http:
        registry = Registry(http, upstream.url, now=lambda: START)
        list(registry.walk())
        registry.versions("a.b/c")
        with pytest.raises(BudgetSpent, match="the 3 requests of this run are used up"):
            registry.versions("a.b/c")
    assert len(upstream.targets) == 3


def test_an_answer_that_is_no_registrys_confirms_nothing(
    registry: Registry, upstream: Upstream
) -> None:
    upstream.fault = lambda _: Reply(404, b"<html>no such site</html>")
    with pytest.raises(UnexpectedStatus, match="not as a registry does"):
        registry.version("a.b/c", "1.0.0")
    upstream.fault = lambda request: Reply(404, b"{}", {"X-Registry-Cache": "STALE"})
    with pytest.raises(Unreachable, match="old copy"):
        registry.version("a.b/c", "1.0.0")
    upstream.fault = lambda _: Reply(404, b'{"title":"Not Found"}')
    assert isinstance(registry.version("a.b/c", "1.0.0"), Missing)
