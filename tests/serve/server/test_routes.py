"""The route table and what derives from it."""

from pathlib import Path

import pytest

from serve.api.openapi import openapi
from serve.errors import PolicyInvalid
from serve.feed.feed import Feed
from serve.policy.reader import read_policy
from serve.policy.served_feed import ServedFeed
from serve.routes import RESERVED, ROUTES, VERSIONS, WRITES, words
from serve.server.app import App
from serve.server.live_editions import LiveEditions
from serve.server.metrics import route_of
from tests.support.feeds import entry, publish, served_app
from warehouse.expressions.compile import compile_predicate


def test_the_openapi_document_has_every_route_and_no_other() -> None:
    paths = openapi(ServedFeed("default", "Default", "/"))["paths"]
    split_paths = [
        [part for part in path.split("/") if part not in ("", *VERSIONS)] for path in paths
    ]
    described = {parts[0] for parts in split_paths}
    assert described - set(WRITES) == {route.word for route in ROUTES if not route.process}


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_no_feed_takes_the_path_of_a_route(word: str) -> None:
    document = (
        f"name = 'mine'\ntitle = 'Mine'\nnamespace = 'org.example.mine'\nbase_path = '/{word}/x'\n"
    )
    with pytest.raises(PolicyInvalid) as caught:
        read_policy(document.encode(), compile_predicate, source="mine.toml")
    assert "base_path" in str(caught.value)


def test_what_is_counted_has_a_label_and_what_clients_make_up_has_none() -> None:
    assert {route_of([route.word.encode()]) for route in ROUTES} == {
        *(route.label for route in ROUTES if route.label),
        "other",
    }
    assert route_of([b"x" * 99]) == "other"


def test_only_ping_and_health_need_no_key() -> None:
    assert words(open=True) == {b"ping", b"health"}


def test_who_comes_to_a_feed_sees_its_list_and_who_errs_is_told_where_feeds_are(
    tmp_path: Path,
) -> None:
    for name in ("open", "keyed"):
        publish(Feed(tmp_path, name), [entry("a.b/c")], "e1")
    stores = [
        LiveEditions(tmp_path, ServedFeed("open", "Open", "/feeds/open")),
        LiveEditions(tmp_path, ServedFeed("keyed", "Keyed", "/feeds/keyed", access="key")),
    ]
    with served_app(App(stores, skew=0.0)) as client:
        for path, query in (("/feeds/open", ""), ("/feeds/open/", "?limit=5")):
            status, headers, _ = client.ask(path + query)
            assert status == 307
            place = f"http://127.0.0.1:{client.port}/feeds/open/v0.1/servers"
            assert headers["location"] == place + query
        assert client.ask("/feeds/open", method="POST")[0] == 404
        for path, advice in (
            ("/v0.1/servers", "Feeds are at /feeds/open: try /feeds/open/v0.1/servers."),
            ("/feeds/open/nothing", "Try /feeds/open/v0.1/servers, or /feeds/open/openapi.json"),
        ):
            detail = client.json(path, status=404)["detail"]
            assert advice in detail
            assert "keyed" not in detail
