"""Named mutations of the sync, each without one rule. The campaign must catch every one."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.errors import ConnectorError
from connectors.upstreams import registry
from connectors.upstreams.raw_page import RawPage
from connectors.upstreams.registry import Registry
from pipelines.pull import pull
from warehouse.database import session as sessions
from warehouse.walk import merge as entries
from warehouse.walk import types

Patch = pytest.MonkeyPatch


def overlap_zero(patch: Patch) -> None:
    _with_commit(patch, overlap=timedelta(0))


def watermark_is_the_largest_updated_at(patch: Patch) -> None:
    original = entries.commit_walk

    def commit(session: sessions.Session, *arguments: Any, **keywords: Any) -> types.Merge:
        merge = original(session, *arguments, **keywords)
        session.text("UPDATE state SET watermark = (SELECT max(updated_at) FROM entries)")
        return merge

    patch.setattr(pull, "commit_walk", commit)


def watermark_is_the_end_of_the_run(patch: Patch) -> None:
    patch.setattr(entries, "next_watermark", lambda walk, before, now, overlap: now)


def stored_latest_flags_are_trusted(patch: Patch) -> None:
    _statement(patch, "walk/select_flags", "e.is_latest <>", "false AND e.is_latest <>")
    _statement(patch, "walk/select_flags", "AND e.is_latest", "AND e.is_latest AND false")


def names_in_doubt_are_not_read_again(patch: Patch) -> None:
    patch.setattr(pull, "_names_to_reread", lambda *_, **__: [])


def a_partial_walk_advances(patch: Patch) -> None:
    original = Registry.walk

    def walk(self: Registry, **keywords: Any) -> Iterator[RawPage]:
        pages = 0
        try:
            for page in original(self, **keywords):
                pages += 1
                yield page
        except ConnectorError:
            if not pages:
                raise

    patch.setattr(Registry, "walk", walk)


def no_brake(patch: Patch) -> None:
    patch.setattr(entries, "hold_loss", lambda *_, **__: None)


def stale_pages_are_believed(patch: Patch) -> None:
    patch.setattr(registry, "_STALE", ())


def one_miss_is_a_tombstone(patch: Patch) -> None:
    _statement(patch, "walk/select_vanished", "OR $certain", "OR $certain OR true")


def vanished_rows_are_kept(patch: Patch) -> None:
    _statement(
        patch, "walk/mark_missing", "missing_since IS NULL\n", "missing_since IS NULL AND false\n"
    )


def the_last_reading_wins(patch: Patch) -> None:
    _statement(patch, "walk/select_changed", "OR $accept_older", "OR $accept_older IS NOT NULL")
    _statement(patch, "walk/select_readings", "updated_at DESC, stale, ", "")


def an_end_is_believed(patch: Patch) -> None:
    patch.setattr(Registry, "_end", lambda self, page, query, cursor: page)


def what_an_incremental_walk_does_not_show_is_ignored(patch: Patch) -> None:
    patch.setattr(entries, "hold_unmet", lambda *_, **__: [])
    patch.setattr(pull, "hold_empty", lambda *_, **__: None)


def nothing_is_quarantined(patch: Patch) -> None:
    patch.setattr(entries, "quarantine", lambda *_, **__: None)


def a_brake_is_forgotten(patch: Patch) -> None:
    original = pull.pull

    def forgetful(*arguments: Any, **keywords: Any) -> pull.PullReport:
        return original(*arguments, **keywords | {"braked": False})

    patch.setattr("pipelines.line.pull", forgetful)


MUTATIONS: list[Callable[[Patch], None]] = [
    overlap_zero,
    watermark_is_the_largest_updated_at,
    watermark_is_the_end_of_the_run,
    stored_latest_flags_are_trusted,
    names_in_doubt_are_not_read_again,
    a_partial_walk_advances,
    no_brake,
    stale_pages_are_believed,
    one_miss_is_a_tombstone,
    vanished_rows_are_kept,
    the_last_reading_wins,
    an_end_is_believed,
    what_an_incremental_walk_does_not_show_is_ignored,
    nothing_is_quarantined,
    a_brake_is_forgotten,
]


def _with_commit(patch: Patch, **changed: timedelta | datetime) -> None:
    original = entries.commit_walk

    def commit(*arguments: Any, **keywords: Any) -> types.Merge:
        return original(*arguments, **keywords | changed)

    patch.setattr(pull, "commit_walk", commit)


def _statement(patch: Patch, name: str, text: str, replacement: str) -> None:
    """Replace a part of a statement; that part must exist."""
    original = sessions.statement

    def statement(requested: str) -> str:
        sql = original(requested)
        if requested != name:
            return sql
        assert text in sql
        return sql.replace(text, replacement)

    patch.setattr(sessions, "statement", statement)
