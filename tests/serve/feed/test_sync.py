"""Readers that follow a feed by time or sequence end equal to it, whatever its editions do."""

import os
import random
from datetime import timedelta
from pathlib import Path

import pytest

from serve.build.draft import Draft
from serve.feed.feed import VISIBLE_WITHIN
from serve.server import live_editions as store
from tests.support.readers import Reader, World

LIVES = int(os.environ.get("SUBREGISTRY_SYNC", "60"))
KINDS = ("clock", "updated", "published", "sequence")


def live_once(seed: int, root: Path) -> dict[str, int]:
    """One life of a feed with two readers of each kind; return how often each event happened."""
    chance = random.Random(seed)
    world = World(root, chance)
    for _ in range(chance.randint(0, 12)):
        world.change()
    world.publish()
    world.editions.look()
    readers = [
        Reader(world, kind, random.Random(seed * 31 + index))
        for index, kind in enumerate(KINDS * 2)
    ]
    happened = dict.fromkeys(("editions", "rollbacks", "rebuilds", "kills", "pages"), 0)
    for _ in range(chance.randint(20, 120)):
        event = chance.random()
        world.pass_time(timedelta(seconds=chance.choice([1, 1, 3, 30, 90, 3600])))
        if event < 0.25:
            for _ in range(chance.randint(0, 5)):
                world.change()
        elif event < 0.40:
            world.publish()
            happened["editions"] += 1
        elif event < 0.44:
            world.go_back()
            happened["rollbacks"] += 1
        elif event < 0.46:
            world.lose()
            happened["rebuilds"] += 1
        elif event < 0.52:
            chance.choice(readers).be_killed()
            happened["kills"] += 1
        else:
            for reader in chance.sample(readers, 4):
                reader.step()
                happened["pages"] += 1
    world.pass_time(VISIBLE_WITHIN)
    for reader in readers:
        reader.complete()
        reader.check()
    return happened


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(4))
def test_every_reader_ends_equal_to_the_feed(tmp_path: Path, part: int) -> None:
    total: dict[str, int] = {}
    for seed in range(part, LIVES, 4):
        for event, count in live_once(seed, tmp_path / str(seed)).items():
            total[event] = total.get(event, 0) + count
    print(f"\n{total}")
    assert min(total.values()) > 0


def _counted(draft: Draft) -> int:
    # A plain counter: unlike the real sequence, it goes back when a feed is restored.
    return draft.previous.manifest.sequence + 1 if draft.previous else 1


@pytest.mark.parametrize("rule", ["pins", "skew", "sequences", "served"])
def test_every_rule_of_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    """Without the rule, some reader misses a change."""
    if rule == "pins":
        monkeypatch.setattr(store.LiveEditions, "following", lambda self, _: self.live())
    elif rule == "skew":
        # The skew of the API becomes zero.
        monkeypatch.setattr(
            "tests.support.readers.LOOK_EVERY", -VISIBLE_WITHIN.total_seconds() - 60
        )
    elif rule == "sequences":
        monkeypatch.setattr("serve.build.draft.Draft.sequence", property(_counted))
    else:
        monkeypatch.setattr(World, "served", set(), raising=False)
        monkeypatch.setattr(World, "_published", _forgetful(World._published))
    for seed in range(300):
        try:
            live_once(seed, tmp_path / str(seed))
        except AssertionError:
            print(f"\n{rule}: caught by life {seed}")
            return
    pytest.fail("no reader noticed")


def _forgetful(step: object) -> object:
    def run(world: World) -> None:
        step(world)  # type: ignore[operator]
        world.served.clear()

    return run
