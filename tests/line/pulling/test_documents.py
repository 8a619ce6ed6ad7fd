"""In-house documents as an upstream: a folder, or one file."""

import json
import os
from pathlib import Path

import pytest

from connectors.errors import TerminalError
from pipelines.demo.clock import FakeClock
from pipelines.demo.registry import OFFICIAL
from pipelines.line import Line
from tests.line.pulling.inhouse import HOUR, current, pulled, write
from tests.support.deployments import START, Upstream, make_deployment
from tests.support.shared import require
from warehouse.errors import BrakeEngaged


@pytest.fixture
def deployment(with_inhouse: Line) -> Line:
    return with_inhouse


def test_documents_become_entries_as_a_registry_would_make_them(
    deployment: Line, inhouse: Path, clock: FakeClock
) -> None:
    write(inhouse / "deep" / "newer.json", "com.example/one", "1.10.0")
    write(inhouse / ".git" / "hidden.json", "com.example/hidden")
    report = deployment.pull("inhouse")
    assert (report.kind, report.new, report.pages) == ("documents", 2, 2)
    clock.move_to(START + HOUR)
    again = deployment.pull("inhouse")
    assert (again.new, again.changed, again.vanished) == (0, 0, 0)
    write(inhouse / "one.json", "com.example/one", title="edited")
    assert deployment.pull("inhouse").changed == 1
    with deployment.warehouse.session() as session:
        rows = session.text("FROM entries ORDER BY version").to_pylist()
    assert [(row["version"], row["is_latest"]) for row in rows] == [
        ("1.0.0", False),
        ("1.10.0", True),
    ]
    assert rows[0]["published_at"] == rows[1]["published_at"] == rows[1]["updated_at"]
    assert START < rows[1]["updated_at"] < START + HOUR < rows[0]["updated_at"]


def test_an_unreadable_document_deletes_nothing(
    deployment: Line, inhouse: Path, clock: FakeClock
) -> None:
    write(inhouse / "two.json", "com.example/two")
    deployment.pull("inhouse")
    (inhouse / "one.json").write_text('{"name": "com.example/one", "vers')
    (inhouse / "two.json").unlink()
    report = deployment.pull("inhouse")
    assert (report.unreadable, report.vanished, report.stale) == (1, 0, True)
    assert len(current(deployment)) == 2
    write(inhouse / "one.json", "com.example/one")
    assert deployment.pull("inhouse").vanished == 1
    with deployment.warehouse.session() as session:
        (row,) = session.rows("report/list_quarantine", released=True)
    assert row["reason"].startswith("one.json: ")
    assert row["released_because"] == "gone"


def test_a_document_that_stays_unreadable_is_one_record_and_keeps_its_place(
    deployment: Line, inhouse: Path, clock: FakeClock
) -> None:
    write(inhouse / "two.json", "com.example/one", "2.0.0")
    deployment.pull("inhouse")
    write(inhouse / "one.json", "com.example/one", title="edited")
    (inhouse / "two.json").write_bytes(b'{"name": "com.example/one", "version": "2.0.0", "x": 1e')
    for hour in range(1, 5):
        clock.move_to(START + hour * HOUR)
        deployment.pull("inhouse")
        flags = {version: latest for _, _, version, latest in current(deployment)}
        assert flags == {"1.0.0": False, "2.0.0": True}
    rows = {row["upstream"]: row for row in deployment.status().upstreams}
    assert rows["inhouse"]["quarantined"] == 1


def test_a_place_that_cannot_be_read_deletes_nothing(deployment: Line, inhouse: Path) -> None:
    write(inhouse / "below" / "two.json", "com.example/two")
    deployment.pull("inhouse")
    (inhouse / "below" / "two.json").rename(inhouse / "away.txt")
    (inhouse / "below" / "two.json").symlink_to(inhouse / "nowhere")
    with pytest.raises(TerminalError, match="cannot be read"):
        deployment.pull("inhouse")
    assert len(current(deployment)) == 2


def test_an_odd_file_name_is_named(deployment: Line, inhouse: Path) -> None:
    Path(os.fsdecode(os.fsencode(inhouse) + b"/caf\xe9.json")).write_text("{")
    assert deployment.pull("inhouse").unreadable == 1
    with deployment.warehouse.session() as session:
        (row,) = session.rows("report/list_quarantine", released=False)
    assert row["reason"].startswith("caf\\xe9.json: ")


def test_an_unreadable_record_holds_its_name(
    deployment: Line, inhouse: Path, clock: FakeClock
) -> None:
    (inhouse / "one.json").write_text(
        '{"name": "com.example/one", "version": "1.0.0", "x": 1, "x": 2}'
    )
    assert pulled(deployment) is None
    assert [name for _, name, _, _ in current(deployment)] == ["io.github.o/public"]
    clock.move_to(START + HOUR)
    write(inhouse / "one.json", "com.example/one")
    pulled(deployment)
    assert ("inhouse", "com.example/one", "1.0.0", True) in current(deployment)


def test_a_key_that_two_documents_have_is_quarantined_once(deployment: Line, inhouse: Path) -> None:
    write(inhouse / "other.json", "com.example/one", title="other")
    report = deployment.pull("inhouse")
    assert (report.new, report.unreadable) == (1, 1)
    (inhouse / "one.json").unlink()
    (inhouse / "other.json").unlink()
    assert deployment.pull("inhouse").vanished == 1
    assert current(deployment) == []


def test_a_file_is_an_upstream_too_and_a_large_loss_engages_its_brake(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, inhouse: Path
) -> None:
    sources = {"one": f"file://{inhouse / 'one.json'}", "many": str(tmp_path / "many")}
    for number in range(30):
        write(tmp_path / "many" / f"{number}.json", f"com.many/s{number}")
    deployment = make_deployment(tmp_path / "home", upstream, clock, upstreams=sources)
    assert pulled(deployment) is None
    for number in range(30):
        (tmp_path / "many" / f"{number}.json").unlink()
    with pytest.raises(BrakeEngaged, match="30 of 30 known entries are gone"):
        deployment.pull("many")
    assert deployment.pull("many", accept_shrink=True, reason="it is right").vanished == 30


def test_a_document_can_say_its_status(deployment: Line, inhouse: Path) -> None:
    plain = require("cases/30-inhouse-status/a.json").read_text()
    (inhouse / "plain.json").write_text(plain)
    server = json.loads((inhouse / "one.json").read_text())
    official = {"status": "deleted", "statusMessage": "use two"}
    (inhouse / "one.json").write_text(
        json.dumps({"server": server, "_meta": {OFFICIAL: official, "com.example/team": {"id": 7}}})
    )
    assert deployment.pull("inhouse").unreadable == 0
    with deployment.warehouse.session() as session:
        rows = session.text(
            "SELECT name, status, status_message FROM entries ORDER BY name"
        ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("com.example/one", "deleted", "use two"),
        ("org.t/a", "deprecated", None),
    ]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("a.json", "it begins with a byte order mark; save it as UTF-8 without one"),
        ("b.json", "(byte 54)"),
    ],
)
def test_a_reason_points_into_the_document(
    deployment: Line, inhouse: Path, file: str, reason: str
) -> None:
    body = require(f"cases/13-inhouse-bom-offset/{file}").read_bytes()
    (inhouse / "odd.json").write_bytes(body)
    deployment.pull("inhouse")
    with deployment.warehouse.session() as session:
        (row,) = session.rows("report/list_quarantine", released=False)
    assert reason in row["reason"]
