"""A curation of what changed comes to the same as a curation of everything, whatever changed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.warehouse.curation.twins import Twins, walked
from warehouse.curation import decide, parts
from warehouse.database import session as sessions
from warehouse.rules.columns import AGES

WORLDS = int(os.environ.get("SUBREGISTRY_WORLDS", "2"))
ROUNDS = 10
SETUP = ["publish"] * 12 + ["read_references"] + ["learn"] * 4 + ["warn", "count"]

CHANGES = (
    *("publish", "edit", "vanish", "release", "read_references", "learn", "go_stale", "warn"),
    *("explain_advisory", "count", "wait", "clock back", "block", "policy", "forget", "restore"),
)


@pytest.mark.parametrize("seed", range(WORLDS))
def test_what_changed_comes_to_the_same_as_everything(tmp_path: Path, seed: int) -> None:
    with Twins(tmp_path, seed) as twins:
        twins.play(SETUP)
        twins.curate()
        twins.keep()
        assert twins.differences() == {}
        for number in range(ROUNDS):
            changes = twins.random.choices(CHANGES, k=4)
            twins.play(changes)
            assert not any(done.drift for done in twins.curate()), (number, changes)
            assert twins.differences() == {}, (number, changes)
            if number == ROUNDS // 2:
                twins.keep()
        # Nothing changed: nothing is written, and a full walk finds everything as it should be.
        assert [done.changed for done in twins.curate()] == [0] * 4
        twins.apply(walked)
        assert [(done.changed, done.drift) for done in twins.curate()] == [(0, 0)] * 4


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with Twins(tmp_path_factory.mktemp("prepared"), 7) as twins:
        twins.play(SETUP)
        twins.curate()
        assert twins.differences() == {}
        yield twins


Mutation = tuple[str, str, str]
"""A statement, a part of its text, and what stands there instead."""
NOBODY = "SELECT name FROM entries WHERE false"
MUTATIONS: dict[str, tuple[Mutation, tuple[str, ...]]] = {
    "entries": (
        ("curation/select_changed_servers", " OR e.commit > d.commit", ""),
        ("publish", "edit", "vanish"),
    ),
    "bindings": (
        ("curation/select_changed_servers", " OR bound_at > $bound_at", ""),
        ("release",),
    ),
    "references": (("packages/touch_references", "'name'", "'nothing'"), ("read_references",)),
    "facts": (("packages/touch_packages", "'package'", "'nothing'"), ("learn", "count")),
    "checks": (("packages/touch_checks", "'package'", "'nothing'"), ("go_stale",)),
    "touched packages": (
        ("curation/select_changed_servers", "t.kind = 'package'", "false"),
        ("learn",),
    ),
    "downloads": (
        ("packages/list_other_downloads", "b.downloads IS DISTINCT FROM c.downloads", "false"),
        ("count",),
    ),
    "advisories of a package": (("packages/touch_purls", "'purl'", "'nothing'"), ("warn",)),
    "the text of an advisory": (
        ("packages/list_named_purls", "WHERE", "WHERE false AND"),
        ("explain_advisory",),
    ),
    "claimants": (
        ("curation/add_claimants", "ANTI JOIN", "WHERE false -- "),
        ("publish", "edit"),
    ),
    "clusters": (
        ("curation/part_server_keys", "USING (kind, key)", "USING (kind, key, name)"),
        ("publish", "edit"),
    ),
    "members of clusters": (
        ("curation/select_regrouped", "SELECT name FROM changed_clusters", NOBODY),
        ("publish", "edit"),
    ),
    "publishers": (
        ("curation/select_regrouped", "FROM changed_births", "FROM changed_births WHERE false"),
        ("publish", "vanish"),
    ),
    "hosts": (
        (
            "curation/select_regrouped",
            "SELECT name FROM remote_hosts SEMI JOIN changed_remote_hosts USING (host)",
            NOBODY,
        ),
        ("edit", "publish"),
    ),
    "columns of others": (
        ("curation/insert_rederived", "ANTI JOIN judged_again USING (name)", "WHERE false"),
        ("publish", "edit"),
    ),
    "rederived": (
        ("curation/select_due", "derivation > $derivation", "derivation > $derivation AND false"),
        ("publish",),
    ),
    "cooldowns": (
        ("curation/select_due", "held_until <= $now", "false AND held_until <= $now"),
        ("wait",),
    ),
    "ages": (("curation/select_due", "published_at, $last", "published_at, $now"), ("wait",)),
    "ages of updates": (
        ("curation/select_due", "updated_at, $last", "updated_at, $now"),
        ("edit", "wait"),
    ),
    "ages of packages": (
        ("curation/select_due", "package_published_at, $last", "package_published_at, $now"),
        ("wait",),
    ),
    "blocks": (
        ("curation/select_due", "$blocked::VARCHAR[])", "$blocked::VARCHAR[]) WHERE false"),
        ("block",),
    ),
    "what a build shows otherwise": (
        ("curation/touch_stale", "'name'", "'nothing'"),
        ("forget",),
    ),
}


@pytest.mark.parametrize("source", MUTATIONS)
def test_every_source_of_change_is_needed(
    prepared: Twins, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name, old, new), changes = MUTATIONS[source]
    statement = sessions.statement
    assert old in statement(name)

    def mutated(wanted: str) -> str:
        return statement(wanted).replace(old, new) if wanted == name else statement(wanted)

    monkeypatch.setattr(sessions, "statement", mutated)
    monkeypatch.setattr(parts, "statement", mutated)
    _expect_a_difference(prepared, tmp_path, changes)


@pytest.mark.parametrize(
    ("owner", "name", "instead", "changes"),
    [
        (decide, "_blocked_otherwise", lambda *_: [], ("block",)),
        (decide, "turning_ages", lambda *_: {age: [] for age in AGES}, ("wait",)),
        (decide._Judging, "alike", lambda *_: True, ("policy",)),
    ],
)
def test_every_judgement_of_what_is_due_is_needed(
    prepared: Twins,
    owner: object,
    name: str,
    instead: Callable[..., object],
    changes: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, name, instead)
    _expect_a_difference(prepared, tmp_path, changes)


def _expect_a_difference(prepared: Twins, folder: Path, changes: tuple[str, ...]) -> None:
    with prepared.copied(folder) as twins:
        for _ in range(12):
            twins.play(changes)
            if any(done.drift for done in twins.curate()) or twins.differences():
                return
    pytest.fail("no round noticed")
