"""A seeded sample of the oracle campaign; `make campaign` plays more (SUBREGISTRY_CAMPAIGN=N)."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.line.campaigns.campaign import run_campaign
from tests.line.campaigns.mutations import MUTATIONS

HISTORIES = int(os.environ.get("SUBREGISTRY_CAMPAIGN", "40"))
PARTS = 20
NOTICED_BY = {
    "watermark_is_the_largest_updated_at": 6,
    "stored_latest_flags_are_trusted": 3,
    "names_in_doubt_are_not_read_again": 27,
    "a_partial_walk_advances": 77,
    "stale_pages_are_believed": 37,
    "one_miss_is_a_tombstone": 109,
    "vanished_rows_are_kept": 9,
    "the_last_reading_wins": 16,
    "an_end_is_believed": 78,
    "what_an_incremental_walk_does_not_show_is_ignored": 55,
    "nothing_is_quarantined": 10,
    "a_brake_is_forgotten": 186,
}
"""The history to start with, because many before it notice nothing; all others follow."""


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_history_ends_equal_to_upstream(tmp_path: Path, part: int) -> None:
    tally = run_campaign(tmp_path, range(part, HISTORIES, PARTS))
    print(f"\n{tally}")
    assert tally.histories == len(range(part, HISTORIES, PARTS))


@pytest.mark.timeout(0)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_every_rule_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutation: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Without the rule, some history ends unequal; with it, the same history ends equal."""
    mutation(monkeypatch)
    first = NOTICED_BY.get(mutation.__name__, 0)
    for seed in (*range(first, 200), *range(first)):
        try:
            run_campaign(tmp_path, range(seed, seed + 1))
        except (AssertionError, pytest.fail.Exception):
            print(f"\n{mutation.__name__}: caught by history {seed}")
            break
    else:
        pytest.fail("no history noticed")
    monkeypatch.undo()
    run_campaign(tmp_path / "whole", range(seed, seed + 1))
