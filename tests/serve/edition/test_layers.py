"""Editions over bases (two-level LSM tables): any history reads like one that is in one piece."""

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from serve.build.candidate import Candidate
from serve.build.draft import Draft
from serve.build.writer import write_candidate
from serve.edition import bases
from serve.edition.base import DELETED, LATEST
from serve.edition.edition import Edition
from serve.edition.layers import MergePositions, TableBuilder, TableSchema, empty
from serve.edition.masks import apply_blocks
from serve.edition.selection import Selection, micros
from serve.edition.tables import Table
from serve.edition.verification import verify
from serve.errors import EditionBroken
from serve.feed.feed import Feed
from serve.feed.retention import Retention
from serve.policy.blocks import Block
from tests.support.feeds import NOW, entry, excluded

HOUR = timedelta(hours=1)
WORDS = (
    "mail",
    "files",
    "postgres",
    "search",
    "ßtraße",
    "日本",
    "a",
    "weather-now",
    "erver",
    "serv",
)
State = dict[tuple[str, str], Candidate]


def changed(source: random.Random, state: State, number: int) -> set[str]:
    """Change some entries of some servers; return the names of these servers."""
    names = set()
    for _ in range(source.randint(0, 9)):
        name = f"{source.choice('abc')}.x/s{source.randrange(20):02d}"
        version = f"{source.randint(1, 3)}.0.0"
        words = " ".join(source.choices(WORDS, k=source.randint(1, 4)))
        candidate = entry(
            name,
            version,
            is_latest=False,
            description=words,
            at=NOW - timedelta(days=source.randrange(30)),
            status=source.choice(["active", "active", "deprecated", "deleted"]),
        )
        match source.randrange(6):
            case 0:
                state.pop((name, version), None)
            case 1:
                state[name, version] = excluded(candidate, f"for reason {source.randrange(3)}")
            case 2:
                held = replace(excluded(candidate), held=True, held_until=NOW + HOUR * number)
                state[name, version] = held
            case _:
                state[name, version] = candidate
        names.add(name)
    return names


def published(
    feed: Feed,
    state: State,
    number: int,
    names: set[str] | None,
    *,
    former: State | None = None,
    from_scratch: bool = False,
) -> Edition:
    """Publish an edition of the state. `names` are the servers that changed (None: unknown);
    entries as in `former` are only marked as kept; `from_scratch` ignores the previous edition."""
    entries = [candidate for key, candidate in state.items() if names is None or key[0] in names]
    if names is not None and former is not None:
        entries = [
            replace(candidate, kept=True, server=None, meta=None)
            if former.get((candidate.name, candidate.version)) == candidate
            else candidate
            for candidate in entries
        ]
    previous = feed.current()
    edition = f"e{number:03d}"
    write_candidate(
        Draft(
            feed=feed.name,
            edition=edition,
            namespace="local.subregistry",
            policy_hash="p",
            previous=bases.rebased(previous, feed.folder)
            if previous and not from_scratch
            else None,
            follows=previous.manifest.edition if previous else None,
            root=feed.folder,
            now=NOW + number * HOUR,
            names=None if names is None else [name.encode() for name in names],
        ),
        sorted(entries, key=lambda candidate: candidate.key),
    )
    feed.set_candidate(edition)
    feed.switch(edition, now=lambda: NOW + number * HOUR)
    current = feed.current()
    assert current is not None
    return current


@pytest.mark.parametrize("seed", range(6))
def test_any_history_of_layers_says_what_one_piece_says(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(seed)
    layered, plain = Feed(tmp_path / "a", "default"), Feed(tmp_path / "b", "default")
    state: State = {}
    rebased = 0
    for number in range(24):
        former = State(state)
        names = changed(source, state, number)
        changed_names = names if number and source.random() < 0.7 else None
        # The plain feed never starts a new base, the layered one often does.
        monkeypatch.setattr(bases, "_LEAST", 1 << 20)
        expected = published(plain, state, number, None)
        monkeypatch.setattr(bases, "_LEAST", source.choice([4, 16, 1 << 20]))
        edition = published(layered, state, number, changed_names, former=former)
        verify(edition.folder, whole=True)
        same(edition, expected)
        agrees(edition, source)
        if source.random() < 0.4:
            with layered.held():
                rebased += layered.rebase(now=NOW + number * HOUR) is not None
        layered.tidy(Retention(2, timedelta(0)), now=NOW + 1000 * HOUR)
        blocked = [Block(name, None, "bad", "me", NOW) for name in sorted(names)[:2]]
        same(apply_blocks(edition, blocked), apply_blocks(expected, blocked))
    assert rebased


def same(edition: Edition, expected: Edition) -> None:
    mine, theirs = edition.manifest, expected.manifest
    for name in ("content_hash", "records_hash", "entries", "servers", "tombstones", "held"):
        assert getattr(mine, name) == getattr(theirs, name), name
    for name in ("parts", "verdicts", "treatments", "withheld", "changed"):
        assert getattr(mine, name) == getattr(theirs, name), name
    assert rows(edition) == rows(expected)
    assert records(edition) == records(expected)
    assert edition.records.held == expected.records.held


def rows(edition: Edition) -> list[tuple[object, ...]]:
    # Two editions may store the same body at different places.
    names = [name for name in edition.arrays if name not in ("segment", "offset")]
    columns = {name: edition.arrays[name].of(range(edition.count)) for name in names}
    for name in names:
        single = [edition.arrays[name][index].item() for index in range(edition.count)]
        assert single == columns[name].tolist()
    bodies = [edition.body(index) for index in range(edition.count)]
    some = range(0, edition.count, 1 + edition.count % 3)
    listed = b"".join(edition.listed(edition.places(some)))
    assert listed == b",".join(bodies[index] for index in some)
    return [
        (
            edition.key(index),
            edition.text(index),
            bodies[index],
            *(columns[name][index].item() for name in names),
        )
        for index in range(edition.count)
    ]


def records(edition: Edition) -> list[tuple[object, ...]]:
    table = edition.records
    return [
        (
            table.keys[index],
            table.judged(index),
            table.stored(index),
            table.seen(index),
            table.shared(index),
        )
        for index in range(len(table.keys))
    ]


def agrees(edition: Edition, source: random.Random) -> None:
    """Every way to find entries gives the same rows as a look at each entry."""
    flags = edition.arrays["flags"].of(range(edition.count))
    needles = [b"", *(word.encode() for word in WORDS), b"erver files", b"x/s0", b"nothing"]
    for needle in needles:
        wanted = Selection(
            latest=source.random() < 0.3,
            include_deleted=source.random() < 0.5,
            search=needle,
            since=micros(NOW + source.randrange(24) * HOUR) if source.random() < 0.4 else None,
            version=source.choice([None, None, b"2.0.0"]),
        )
        start = source.randrange(edition.count + 1)
        assert list(edition.select(start, wanted)) == list(looked(edition, start, wanted)), wanted
    sequences = edition.arrays["sequence"].of(range(edition.count)).tolist()
    order = sorted(range(edition.count), key=lambda index: (sequences[index], index))
    for _ in range(4):
        at = source.choice(order) if order else 0
        key = edition.key(at) if order else b"\xff"
        behind = [
            index for index in order if order and (sequences[index], index) > (sequences[at], at)
        ]
        assert list(edition.after(sequences[at] if order else 0, key)) == behind
    newest = sorted(range(edition.count), key=lambda index: (-sequences[index], index))
    assert edition.newest(5) == newest[:5]
    assert edition.changed_rows().tolist() == [
        index for index in range(edition.count) if sequences[index] == edition.manifest.sequence
    ]
    for name in {edition.keys.pair(index)[0] for index in range(edition.count)}:
        numbers = edition.keys.of(name.encode())
        assert [edition.keys.pair(index)[0] for index in numbers] == [name] * len(numbers)
        assert sum(bool(flags[index] & LATEST) for index in numbers) == 1


def looked(edition: Edition, start: int, wanted: Selection) -> Iterator[int]:
    for index in range(start, edition.count):
        flags = int(edition.arrays["flags"][index])
        since = max(int(edition.arrays[name][index]) for name in ("updated", "changed"))
        if (
            (wanted.include_deleted or not flags & DELETED)
            and (not wanted.latest or flags & LATEST)
            and (wanted.since is None or since > wanted.since)
            and wanted.search in edition.text(index).partition(b"\0")[0]
            and wanted.version in (None, edition.key(index).partition(b"\0")[2])
        ):
            yield index


def test_a_table_over_a_base_numbers_its_rows_in_key_order() -> None:
    kind = TableSchema(("keys",), {"value": "<u4"})
    source = random.Random(5)
    for _ in range(200):
        base, top = ({f"k{source.randrange(30):02d}\0v" for _ in range(12)} for _ in range(2))
        layers = []
        for number, keys in enumerate((base, top)):
            rows = TableBuilder(kind)
            for key in sorted(keys):
                rows.add((key.encode(),), value=number)
            layers.append(rows.layer())
        nothing = empty(kind)
        table = Table(layers[0], nothing, MergePositions.of(nothing, layers[0])).with_overlay(
            layers[1]
        )
        expected = [(key.encode(), int(key in top)) for key in sorted(base | top)]
        values = table.columns["value"].of(np.arange(table.count)).tolist()
        assert [(table.keys[index], values[index]) for index in range(table.count)] == expected
        flat = table.flat()
        assert [
            (flat.keys[index], int(flat.columns["value"][index])) for index in range(len(flat))
        ] == expected


def test_editions_of_one_line_differ_as_those_that_share_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serve.api.history import _differing, _side_by_side

    source, feed, state = random.Random(3), Feed(tmp_path, "default"), State()
    editions = []
    for number in range(8):
        changed(source, state, number)
        for lost in source.sample(sorted(state), 2) if number == 6 else ():
            del state[lost]  # the edition from scratch has no tombstone of it
        editions.append(published(feed, state, number, None, from_scratch=number == 6))
        if number == 3:
            with feed.held(), monkeypatch.context() as patched:
                patched.setattr(bases, "_LEAST", 4)
                assert feed.rebase(now=NOW + number * HOUR)
    assert len({edition.manifest.base for edition in editions}) == 3
    assert [edition.from_scratch for edition in editions] == [
        number in (0, 6) for number in range(8)
    ]
    for before in editions:
        for after in editions:
            for start in (b"", before.key(0), before.key(before.count // 2)):
                diffs = list(_differing(before, after, start))
                keys = [
                    (key.decode().replace("\0", "@"), old, new)
                    for key, old, new in _side_by_side(before, after, start)
                ]
                known = {key for key, _, _ in keys}
                assert {f"{diff.name}@{diff.version}" for diff in diffs} <= known
                for key, old, new in keys:
                    was = old is not None and not before.deleted(old)
                    is_now = new is not None and not after.deleted(new)
                    signatures = [
                        edition.arrays["signature"][row or 0]
                        for edition, row in ((before, old), (after, new))
                    ]
                    same = was == is_now and (not was or signatures[0] == signatures[1])
                    assert (key in {f"{diff.name}@{diff.version}" for diff in diffs}) == (
                        not same
                    ), key


def refreshed(feed: Feed, state: State, number: int) -> Edition:
    """Publish an edition after three changes."""
    names = {f"a.x/s{(number * 7 + part) % 60:02d}" for part in range(3)}
    for name in names:
        state[name, "1.0.0"] = entry(name, description=f"x{number}")
    return published(feed, state, number, names)


@pytest.fixture
def grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Feed, State]:
    """A feed whose base is rebuilt after few changes."""
    monkeypatch.setattr(bases, "_LEAST", 4)
    feed, names = Feed(tmp_path, "default"), [f"a.x/s{number:02d}" for number in range(60)]
    state: State = {(name, "1.0.0"): entry(name) for name in names}
    published(feed, state, 0, None)
    for number in (1, 2):
        refreshed(feed, state, number)
    return feed, state


def rebased(feed: Feed, number: int) -> Path:
    with feed.held():
        manifest = feed.rebase(now=NOW + number * HOUR)
    assert manifest is not None
    return feed.bases / manifest.base


def test_half_a_base_that_a_crash_left_is_removed(grown: tuple[Feed, State]) -> None:
    feed, state = grown
    half = rebased(feed, 2)
    (half / "manifest.json").unlink()
    for number in (3, 4):
        refreshed(feed, state, number)
    feed.tidy(Retention(1, timedelta(0)), now=NOW + 1000 * HOUR)
    assert not half.exists()
    assert rebased(feed, 5).exists()


def test_nothing_is_laid_over_a_base_that_is_damaged(
    grown: tuple[Feed, State], caplog: pytest.LogCaptureFixture
) -> None:
    feed, state = grown
    damaged = rebased(feed, 2) / "entries"
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 4
    damaged.write_bytes(data)
    edition = refreshed(feed, state, 3)
    assert edition.manifest.base != damaged.parent.name
    assert "base not used" in caplog.text


def test_a_base_says_what_its_segment_is(
    grown: tuple[Feed, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, state = grown
    monkeypatch.setattr("serve.edition.segments._MAX_SEGMENTS", 3)
    monkeypatch.setattr("serve.edition.segments._KEPT_SEGMENTS", 1)
    refreshed(feed, state, 3)
    base = rebased(feed, 3)
    segment = feed.segments / base.name
    segment.write_bytes(segment.read_bytes().replace(b'"x2"', b'"!!"'))
    assert refreshed(feed, state, 4).manifest.base != base.name


def test_no_base_is_made_of_bytes_that_went_bad(grown: tuple[Feed, State]) -> None:
    feed, _ = grown
    live = feed.current()
    assert live is not None
    path = feed.bases / live.manifest.base / "entries"
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    # With its former times the file looks unchanged.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with feed.held(), pytest.raises(EditionBroken, match="not what the manifest says"):
        feed.rebase(now=NOW + 9 * HOUR)
