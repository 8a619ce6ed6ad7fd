"""Ranked search: a full-text index of the latest versions of a feed, beside its editions.

feeds/NAME/search/state.json   the current index, and the edition that it has caught up with
feeds/NAME/search/ID/          the index (Tantivy's); changed in place, rebuilt when it is old

It follows an edition shortly after that went live, outside of the refresh. Results are shown as the
live edition has them, so that a search never returns what the feed does not serve.
"""

import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import tantivy

from serve.disk import replace_file
from serve.edition.edition import Edition
from serve.search.documents import search_documents

log = logging.getLogger(__name__)

FORMAT = 2
DEEPEST = 1000
"""The maximum depth: a search does not page beyond this many results."""
FILTERS = ("registry_type", "transport", "license", "ownership")
_BOOSTS = {"name": 3.0, "title": 3.0, "description": 1.5, "words": 1.0}
_SHOWN = ("name", "title", "description")
_OLD = timedelta(days=7)
_WORDS = re.compile(r"\w+")
_MOST_WORDS, _ENDINGS = 16, 12
_HEAP = 64 << 20


class State(msgspec.Struct, frozen=True):
    """The current index: its folder, when it was built, and the edition that it shows."""

    format: int
    folder: str
    made_at: datetime
    edition: str
    sequence: int


@dataclass(frozen=True)
class Fragment:
    """Part of a field, with the positions (in characters) of the matched words."""

    field: str
    text: str
    ranges: list[tuple[int, int]]


@dataclass(frozen=True)
class Hit:
    name: str
    score: float
    highlights: list[Fragment]


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("key", stored=True, tokenizer_name="raw")
    builder.add_text_field("name", stored=True)
    builder.add_text_field("title", stored=True)
    builder.add_text_field("description", stored=True, tokenizer_name="en_stem")
    builder.add_text_field("words")
    for field in FILTERS:
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("downloads", indexed=True, fast=True)
    return builder.build()


class SearchIndex:
    """The index of a feed, for reading. Raises ValueError if it cannot be opened."""

    def __init__(self, folder: Path, state: State) -> None:
        self.state = state
        self._index = tantivy.Index.open(str(folder / state.folder))
        self._index.reload()
        self._searcher = self._index.searcher()

    def find(
        self,
        text: str,
        filters: Mapping[str, Sequence[str]],
        *,
        least_downloads: int = 0,
        offset: int = 0,
        limit: int,
    ) -> list[Hit]:
        """Servers that match every word of a text (the last word as a prefix), best first; without
        a text, the most downloaded first. `filters` map names of FILTERS to the accepted values.
        """
        words = _WORDS.findall(text.lower())[:_MOST_WORDS]
        scored = [self._word(word) for word in words[:-1]]
        scored += [self._begun(word) for word in words[-1:]]
        wanted = [(tantivy.Occur.Must, query) for query in scored or [tantivy.Query.all_query()]]
        schema = self._index.schema
        # Filters have the constant score 0, so that they do not affect the ranking.
        for name, values in filters.items():
            any_value = tantivy.Query.term_set_query(
                schema, name, [value.lower() for value in values]
            )
            wanted.append((tantivy.Occur.Must, tantivy.Query.const_score_query(any_value, 0.0)))
        if least_downloads:
            enough = tantivy.Query.range_query(
                schema, "downloads", tantivy.FieldType.Unsigned, least_downloads, None
            )
            wanted.append((tantivy.Occur.Must, tantivy.Query.const_score_query(enough, 0.0)))
        query = tantivy.Query.boolean_query(wanted)
        order = None if words else "downloads"
        result = self._searcher.search(
            query, limit=limit, offset=offset, count=False, order_by_field=order
        )
        shown = {
            field: tantivy.SnippetGenerator.create(self._searcher, query, schema, field)
            for field in (_SHOWN if words else ())
        }
        return [self._hit(score, address, shown) for score, address in result.hits]

    def _word(self, word: str) -> tantivy.Query:
        return self._index.parse_query_lenient(word, list(_BOOSTS), field_boosts=_BOOSTS)[0]

    def _begun(self, word: str) -> tantivy.Query:
        begun = [
            tantivy.Query.term_query(self._index.schema, field, term)
            for field in _SHOWN
            for term, _ in self._searcher.terms_with_prefix(field, word, limit=_ENDINGS)
            if term != word
        ]
        return tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, query) for query in (self._word(word), *begun)]
        )

    def _hit(
        self, score: Any, address: tantivy.DocAddress, shown: Mapping[str, tantivy.SnippetGenerator]
    ) -> Hit:
        document = self._searcher.doc(address)
        fragments = []
        for field, generator in shown.items():
            snippet = generator.snippet_from_doc(document)
            text = snippet.fragment()
            encoded = text.encode()  # Tantivy's ranges are offsets of UTF-8 bytes
            ranges = [
                (len(encoded[: span.start].decode()), len(encoded[: span.end].decode()))
                for span in snippet.highlighted()
            ]
            if ranges:
                fragments.append(Fragment(field, text, ranges))
        return Hit(str(document["key"][0]), float(score or 0), fragments)


def read_state(folder: Path) -> State | None:
    """The current index; None if there is none, or none of this format."""
    try:
        state = msgspec.json.decode((folder / "state.json").read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None
    return state if state.format == FORMAT else None


def catch_up(
    folder: Path,
    edition: Edition,
    downloads: Mapping[str, int],
    *,
    now: datetime,
    report: Callable[[int], None] = lambda _: None,
) -> tuple[str, int]:
    """Update the index below `folder` to an edition; returns `followed` or `rebuilt`, and how many
    servers were read. `downloads` are those of the most downloaded package, by server. `report` is
    called with the number of servers done."""
    state = read_state(folder)
    index = _standing(folder, state, edition, now) if state is not None else None
    if state is not None and index is not None:
        # No key is after \xff, so only changes with a greater sequence are left.
        changed = edition.after(state.sequence, b"\xff")
        names = sorted({edition.keys.pair(number)[0] for number in changed})
        made_at, place = state.made_at, state.folder
    else:
        names = None
        made_at, place = now, f"{edition.manifest.edition}-{now:%H%M%S%f}"
        (folder / place).mkdir(parents=True, exist_ok=True)
        index = tantivy.Index(_schema(), path=str(folder / place), reuse=False)
    count = 0
    if names is None or names:
        writer = index.writer(heap_size=_HEAP, num_threads=1)
        for name in names or ():
            writer.delete_documents_by_term("key", name)
        for document in search_documents(edition, names, downloads):
            writer.add_document(document)
            count += 1
            if count % 1000 == 0:
                report(count)
        writer.commit()
        writer.wait_merging_threads()
    current = State(FORMAT, place, made_at, edition.manifest.edition, edition.manifest.sequence)
    replace_file(folder / "state.json", msgspec.json.encode(current))
    for other in folder.iterdir():
        if other.is_dir() and other.name not in (place, state.folder if state else None):
            shutil.rmtree(other, ignore_errors=True)
    return ("rebuilt", count) if names is None else ("followed", len(names))


def _standing(folder: Path, state: State, edition: Edition, now: datetime) -> tantivy.Index | None:
    """The current index, if it can follow an edition; None if it must be rebuilt."""
    if (
        state.sequence > edition.manifest.sequence
        or now - state.made_at >= _OLD
        or (edition.from_scratch and state.edition != edition.manifest.edition)
        or not (folder / state.folder).is_dir()
    ):
        return None
    try:
        return tantivy.Index(_schema(), path=str(folder / state.folder), reuse=True)
    except ValueError as error:
        log.warning("search index rebuilt folder=%s error=%s", folder / state.folder, error)
        return None
