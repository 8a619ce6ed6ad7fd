"""A spool that a crash cut off at any byte goes on where it was whole."""

from pathlib import Path

from connectors.upstreams.page import EntryHead
from connectors.upstreams.raw_page import RawPage
from pipelines.pull.spool import Spool, Start
from tests.support.deployments import START


def page(number: int) -> RawPage:
    entry = f'{{"server":{{"name":"a.b/s{number}"}}}}'.encode()
    head = EntryHead(f"a.b/s{number}", "1.0.0", is_latest=True)
    return RawPage("http://127.0.0.1", (entry, b"{}"), (head, None), "next", START, stale=False)


def test_a_spool_cut_off_at_any_byte_goes_on(tmp_path: Path) -> None:
    start = Start("http://127.0.0.1", "walk", None, START)
    with Spool.hold(tmp_path) as (spool, _):
        spool.begin(start)
        for number in range(2):
            spool.append(page(number), after_commit=number)
        whole = list(spool.pages())
    path = tmp_path / "full.spool"
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    for end in range(len(data) + 1):
        path.write_bytes(data[:end])
        with Spool.hold(tmp_path) as (spool, _):
            if (left := spool.left_behind()) is None:
                assert end < first
                continue
            kept = list(spool.pages())
            assert (left, kept) == (start, whole[: len(kept)])
            spool.append(page(7), after_commit=7)
            *before, last = spool.pages()
            assert (before, last.after_commit) == (kept, 7)
    assert len(kept) == 2
