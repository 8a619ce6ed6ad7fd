"""/search: the hits of the ranked index, as the live edition shows them."""

import msgspec

from serve.api.answers import Answer, document, problem
from serve.api.cursor import seal, unseal
from serve.api.editions import EditionStore
from serve.api.params import BadParameter, read_least, read_limit
from serve.search.index import DEEPEST, FILTERS

_RENAMED = {"registryType": "registry_type", "licence": "license"}


class _Place(msgspec.Struct, array_like=True):
    """The number of hits that earlier pages looked at."""

    offset: int


class _Shown(msgspec.Struct):
    name: str
    title: str = ""
    description: str = ""


class _Body(msgspec.Struct):
    server: _Shown


def ranked(query: dict[str, bytes], store: EditionStore) -> Answer:
    """Servers that contain every word of `q`, best first; with filters, in pages.

    503 while the feed has no index. The index may be older than the live edition: left out are
    servers that left the feed, and highlights whose text is no longer shown.
    """
    if query.get("edition") or query.get("as_of"):
        raise BadParameter(400, "ranked search knows the live edition only: leave out the other")
    for old, new in _RENAMED.items():
        if old in query:
            raise BadParameter(400, f"{old} is now called {new}")
    index, edition, limit = store.search(), store.live(), read_limit(query)
    if index is None:
        return problem(
            503,
            "this feed has no index for ranked search yet: run subregistry index; "
            "/v0.1/servers?search= needs none",
            headers=((b"retry-after", b"60"),),
        )
    offset = unseal(query["cursor"], _Place).offset if query.get("cursor") else 0
    if not 0 <= offset <= DEEPEST:
        raise BadParameter(400, f"a search ends behind {DEEPEST} results; ask for more words")
    hits = index.find(
        query.get("q", b"").decode("utf-8", "replace"),
        {
            name: [part.strip() for part in query[name].decode("utf-8", "replace").split(",")]
            for name in FILTERS
            if query.get(name)
        },
        least_downloads=read_least(query, "min_downloads"),
        offset=offset,
        limit=limit,
    )
    results = []
    for hit in hits:
        number = edition.latest(hit.name.encode())
        if number is None or edition.deleted(number):
            continue
        body = edition.body(number)
        server = msgspec.json.decode(body, type=_Body).server
        highlights = [part for part in hit.highlights if part.text in getattr(server, part.field)]
        # A hit whose highlights are all gone matched a text that is no longer shown.
        if highlights or not hit.highlights:
            entry = msgspec.Raw(body)
            results.append({"score": hit.score, "highlights": highlights, "entry": entry})
    metadata: dict[str, object] = {"count": len(results)}
    # By hits, not by results: those that were left out must not end the walk.
    if len(hits) == limit and offset + limit <= DEEPEST:
        metadata = {"nextCursor": seal(_Place(offset + limit)), "count": len(results)}
    return document({"results": results, "metadata": metadata})
