"""The documents of the search index, one per server, read from the served body."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import tantivy

from serve.edition.edition import Edition
from serve.edition.selection import Selection


def search_documents(
    edition: Edition, names: Iterable[str] | None, downloads: Mapping[str, int]
) -> Iterator[tantivy.Document]:
    numbers: Iterable[int | None]
    if names is None:
        numbers = edition.select(0, Selection(latest=True))
    else:
        numbers = (edition.latest(name.encode()) for name in names)
    for number in numbers:
        if number is not None and not edition.deleted(number):
            yield _document(edition, number, downloads)


class _Kind(msgspec.Struct):
    type: str = ""


class _Package(msgspec.Struct, rename="camel"):
    registry_type: str = ""
    identifier: str = ""
    transport: _Kind = msgspec.field(default_factory=_Kind)


class _Repository(msgspec.Struct):
    url: str = ""


class _Server(msgspec.Struct):
    name: str
    description: str = ""
    title: str = ""
    packages: tuple[_Package, ...] = ()
    remotes: tuple[_Kind, ...] = ()
    repository: _Repository | None = None


class _Fact(msgspec.Struct, rename="camel"):
    license: str | None = None
    ownership: str | None = None
    repository_url: str | None = None
    signals: tuple[str, ...] = ()


class _Facts(msgspec.Struct):
    packages: tuple[_Fact, ...] = ()


class _Editorial(msgspec.Struct):
    categories: tuple[str, ...] = ()


class _Body(msgspec.Struct):
    server: _Server
    meta: dict[str, msgspec.Raw] = msgspec.field(name="_meta")


def _document(edition: Edition, number: int, downloads: Mapping[str, int]) -> tantivy.Document:
    body = msgspec.json.decode(edition.body(number), type=_Body)
    server, namespace = body.server, edition.manifest.namespace
    facts = msgspec.json.decode(body.meta.get(f"{namespace}/enrichment", b"{}"), type=_Facts)
    editorial = msgspec.json.decode(body.meta.get(f"{namespace}/editorial", b"{}"), type=_Editorial)
    transports = {part.transport.type for part in server.packages}
    transports |= {remote.type for remote in server.remotes}
    words = [part.identifier for part in server.packages]
    words += [fact.repository_url or "" for fact in facts.packages]
    words += [word for fact in facts.packages for word in (fact.license or "", *fact.signals)]
    words += [server.repository.url if server.repository else "", *editorial.categories]
    document = tantivy.Document()
    document.add_text("key", server.name)
    document.add_text("name", server.name)
    document.add_text("title", server.title)
    document.add_text("description", server.description)
    document.add_text("words", " ".join(words))
    values: dict[str, set[str | None]] = {
        "registry_type": {part.registry_type for part in server.packages},
        "transport": set(transports),
        "license": {fact.license for fact in facts.packages},
        "ownership": {fact.ownership for fact in facts.packages},
    }
    for field, members in values.items():
        for value in sorted(value.lower() for value in members if value):
            document.add_text(field, value)
    document.add_unsigned("downloads", downloads.get(server.name, 0))
    return document
