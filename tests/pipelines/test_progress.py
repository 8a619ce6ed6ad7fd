"""Lines that say how far a long step is."""

import time

from pipelines.progress import in_lines


def test_a_line_comes_when_it_is_time_and_says_how_far() -> None:
    lines: list[str] = []
    now = 0.0
    with in_lines(lines.append, every=20, clock=lambda: now) as progress:
        for moment, done in ((0.0, 1), (2.0, 100), (21.0, 500), (22.0, 1000), (23.0, 1100)):
            now = moment
            progress("entries", done, 2000)
    assert lines == ["entries: 100 of 2,000", "entries: 1,000 of 2,000"]


def test_a_step_that_counts_nothing_says_that_it_is_at_work() -> None:
    lines: list[str] = []
    with in_lines(lines.append, every=0.01) as progress:
        progress("entries", 7, None)
        end = time.monotonic() + 30
        while not any("at work" in line for line in lines):
            assert time.monotonic() < end
            time.sleep(0.01)
    assert any(line.startswith("entries: 7; at work for ") for line in lines)
