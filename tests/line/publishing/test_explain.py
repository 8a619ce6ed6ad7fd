"""Explain agrees with what is served, for every entry of the recorded registry in every feed."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.errors import StepError
from pipelines.line import Line
from pipelines.publish.candidates import candidates
from pipelines.refresh import publish
from serve.build.draft import Draft
from serve.build.writer import write_candidate
from serve.policy.blocks import Block
from serve.policy.reader import read_policy
from serve.policy.trace import trace
from tests.support.deployments import START, Upstream, make_deployment, server_json, upstream_server
from tests.support.explain import explained
from tests.support.feeds import served
from tests.support.policies import make_team, published, team
from tests.support.shared import base_dump, recorded_row, timeline
from tests.warehouse.rules.expressions import USEFUL
from warehouse.curation.decide import decide
from warehouse.curation.verdicts import provisional
from warehouse.expressions.compile import compile_predicate

DAY = timedelta(days=1)
Json = dict[str, Any]  # served documents


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The recorded registry of 2025-11-30, published three days later in every shipped feed."""
    steps = timeline()
    clock = FakeClock(steps[-1][0])
    home = tmp_path_factory.mktemp("recorded") / "home"
    with upstream_server(clock) as upstream:
        for entry in base_dump():
            upstream.registry.put(recorded_row(entry))
        for _, upserts in steps:
            for entry in upserts:
                upstream.registry.put(recorded_row(entry))
        deployment = make_deployment(home, upstream, clock, feeds=None)
        deployment.pull(full=True)
        clock.move_to(clock() + 3 * DAY)
        for policy in deployment.policies():
            publish(deployment, policy, report_step=lambda *_: None)
        yield deployment


def test_explain_agrees_with_every_entry_of_every_feed(recorded: Line) -> None:
    met: dict[str, set[str]] = {}
    for policy in recorded.policies():
        edition = recorded.feed(policy.name).current()
        assert edition is not None
        records = edition.records
        assert len(records.keys) == 2253
        for index in range(len(records.keys)):
            name, version = records.keys.pair(index)
            judged = records.judged(index)
            shown = edition.keys.find(name.encode(), version.encode())
            running = shown is not None and not edition.deleted(shown)
            assert running == (judged.reason.state == "admitted")
            traced = trace(records.outline, judged, records.seen(index))
            check(traced, judged.reason, policy.document.default)
            met.setdefault(policy.name, set()).add(f"{judged.reason.verdict}:{judged.reason.rule}")
    assert met["mirror"] == {"admit:default"}
    assert met["strict"] >= {"admit:verified", "hold:cooldown", "exclude:double", "exclude:default"}
    assert met["remote-only"] == {"admit:remote", "exclude:default"}


def check(traced: Any, reason: Any, default: str) -> None:  # a Trace and a Reason
    """The trace leads to the verdict; it has a nearest change unless the entry is admitted."""
    decided = [rule for rule in traced.rules if rule.decided]
    matching = [
        rule
        for rule in traced.rules
        if rule.result == "true" or (rule.result == "unknown" and rule.unknown == "match")
    ]
    assert decided in (matching[:1], [])
    verdict = matching[0].verdict if matching else default
    assert reason.verdict in (verdict, "hold")
    if reason.verdict != "hold":
        assert reason.rule == (matching[0].rule if matching else "default")
    assert bool(traced.nearest) == (reason.verdict != "admit")
    for value in traced.values.values():
        assert (value.as_of is None) <= (value.source in ("name", "registries"))


def test_the_commands_and_the_relation_tell_the_same(recorded: Line) -> None:
    with recorded.warehouse.session() as session:
        rows = session.text(
            "SELECT v.name, v.version, v.verdict, v.rule, count(*) FILTER (r.decided) AS decided, "
            "list(r.result ORDER BY r.ordinal) AS results FROM verdicts v "
            "JOIN verdict_rules r USING (feed, upstream, name, version) "
            "WHERE feed = 'strict' GROUP BY ALL"
        ).to_pylist()
        assert len(rows) == 2253
    generator = random.Random(1)
    with served(recorded.settings.feed_root, ("strict", "/")) as client:
        for row in generator.sample(rows, 12):
            assert row["decided"] == (row["rule"] not in ("default", "cooldown"))
            name, version = row["name"], row["version"]
            (mine,) = explained(recorded, "strict", name, version)
            answer = client.json(f"/explain/{name}/{version}")["versions"][0]
            assert mine["decision"]["verdict"] == answer["verdict"] == row["verdict"]
            assert mine["rules"] == answer["rules"]
            assert mine["values"] == answer["values"]
            assert mine.get("nearest", []) == answer.get("nearest", [])
            signs = {"true": True, "false": False, "unknown": None}
            assert [signs[rule["result"]] for rule in mine["rules"]] == row["results"][1:]


def test_another_deny_never_admits_more(recorded: Line) -> None:
    """Try useful expressions as a deny, anywhere among the rules, with any `unknown`."""
    generator = random.Random(3)
    with recorded.warehouse.session() as session:
        for policy in recorded.policies():
            before = admitted(session, policy, recorded)
            text = (
                Path(__file__).parents[3] / f"serve/policy/feeds/{policy.name}.toml"
            ).read_text()
            for expression in generator.sample(USEFUL, 6):
                parts = text.split("[[rules]]")
                place = generator.randrange(1, len(parts) + 1)
                unknown, must = generator.choice(["match", "skip"]), generator.choice([0, 1])
                deny = (
                    "\nname = 'another'\nverdict = 'exclude'\nreason = 'a test'\n"
                    f"when = '''{expression}\n'''\nunknown = '{unknown}'\n"
                    f"must = {'true' if must else 'false'}\n\n"
                )
                changed = "[[rules]]".join([*parts[:place], deny, *parts[place:]])
                after = admitted(
                    session,
                    read_policy(changed.encode(), compile_predicate, source=policy.name),
                    recorded,
                )
                assert after <= before, expression


def admitted(session: Any, policy: Any, deployment: Line) -> set[tuple[str, str]]:
    now = deployment.clock()
    with provisional(session, policy.name, policy.rule_book(now), now=now) as key:
        rows = session.text(
            "SELECT name, version FROM verdicts WHERE feed = $key AND verdict = 'admit'",
            {"key": key},
        ).to_pylist()
    return {(row["name"], row["version"]) for row in rows}


def test_the_same_inputs_give_the_same_verdicts_and_bytes(recorded: Line, tmp_path: Path) -> None:
    (policy,) = recorded.policies("strict")
    now = recorded.clock()
    outputs = []
    for number in range(2):
        with recorded.warehouse.session() as session:
            book = policy.rule_book(now)
            with provisional(session, policy.name, book, now=now) as key:
                draft = Draft(
                    feed="strict",
                    edition="same",
                    namespace="local.subregistry",
                    policy_hash=policy.hash,
                    previous=None,
                    root=tmp_path / str(number),
                    now=now,
                    outline=book.outline(),
                )
                built = write_candidate(draft, candidates(session, draft, key))
        files = [*built.folder.iterdir(), *(tmp_path / str(number) / "segments").iterdir()]
        outputs.append({path.name: path.read_bytes() for path in files})
    assert outputs[0] == outputs[1]


NEEDS = """
[[rules]]
name = "titled"
verdict = "exclude"
when = "title IS NULL AND package_count = 0"
reason = "nobody knows what it is"
"""


def test_what_was_decided_is_told_as_of_then(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, NEEDS)
    upstream.registry.publish(server_json("a.b/one"), START)
    published(deployment)
    clock.move_to(START + DAY)
    upstream.registry.publish(server_json("a.b/two", title="Two"), clock())
    team(tmp_path / "documents", "")
    published(deployment)
    (now,) = explained(deployment, "team", "a.b/one", None)
    assert (now["decision"]["verdict"], now["decision"]["rule"]) == ("admit", "default")
    assert now["rules"] == []
    at = (START + timedelta(hours=1)).isoformat()
    (then,) = explained(deployment, "team", "a.b/one", None, at=at)
    assert (then["decision"]["verdict"], then["decision"]["rule"]) == ("exclude", "titled")
    assert then["rules"][0]["result"] == "true"
    assert then["values"]["title"] == {
        "value": None,
        "source": "upstream",
        "places": ["official"],
        "asOf": then["values"]["package_count"]["asOf"],
    }
    assert then["nearest"] == [{"test": "title IS NULL", "is": "true", "mustBe": "false"}]
    with pytest.raises(StepError, match="never seen upstream by"):
        explained(deployment, "team", "a.b/two", None, at=at)
    with pytest.raises(StepError, match="never seen upstream"):
        explained(deployment, "team", "a.b/three", None)


def test_history_grows_by_what_changes(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, NEEDS)
    for name in ("a.b/one", "a.b/two"):
        upstream.registry.publish(server_json(name), START)
    for _ in range(3):
        published(deployment)
        clock.move_to(clock() + DAY)
    team(tmp_path / "documents", "")
    published(deployment)
    with deployment.warehouse.session() as session:
        rows = session.text("SELECT name, rule FROM verdict_history ORDER BY ALL").to_pylist()
        policies = session.text("FROM policies").num_rows
    assert [(row["name"], row["rule"]) for row in rows] == [
        ("a.b/one", "default"),
        ("a.b/one", "titled"),
        ("a.b/two", "default"),
        ("a.b/two", "titled"),
    ]
    assert policies == 2


def test_not_in_the_feed_is_not_never_seen(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, NEEDS)
    upstream.registry.publish(server_json("a.b/one"), START)
    published(deployment)
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        version = client.json("/explain/a.b%2Fone")["versions"][0]
        assert (version["state"], version["rule"]) == ("excluded", "titled")
        assert "Never seen upstream" in client.json("/explain/a.b%2Fnever", status=404)["detail"]


def test_a_reason_never_tells_what_nobody_knows(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    text = """
    [[rules]]
    name = "licensed"
    verdict = "exclude"
    when = "'GPL-3.0-only' IN licenses OR downloads < 10"
    unknown = "match"
    reason = "nobody uses it"
    """
    deployment = make_team(tmp_path, upstream, clock, text)
    upstream.registry.publish(server_json("a.b/one"), START)
    published(deployment)
    (row,) = explained(deployment, "team", "a.b/one", None)
    assert row["decision"]["reason"] == "nobody uses it (not known, so taken as true)"


def test_a_policy_that_comes_back_is_told_once(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, NEEDS)
    for name in ("a.b/one", "a.b/two"):
        upstream.registry.publish(server_json(name), START)
    deployment.pull()
    for text in (NEEDS, "", NEEDS):
        team(tmp_path / "documents", text)
        deployment.curate(deployment.policies("team")[0])
        clock.move_to(clock() + DAY)
    deployment.block("x.y/z", reason="a test")
    clock.move_to(START - DAY)  # the clock goes back
    deployment.curate(deployment.policies("team")[0])
    with deployment.warehouse.session() as session:
        rows = session.text("SELECT name, rule, result FROM verdict_rules ORDER BY ALL").to_pylist()
        history = session.text("FROM verdict_history").num_rows
    assert [(row["name"], row["rule"], row["result"]) for row in rows] == [
        ("a.b/one", "block", False),
        ("a.b/one", "titled", True),
        ("a.b/two", "block", False),
        ("a.b/two", "titled", True),
    ]
    assert history == 6
    assert explained(deployment, "team", "a.b/one", None)[0]["rules"][0]["decided"]


def test_many_blocks_and_overlays_are_curated_in_little_memory(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    overlays = "".join(
        f"""
[[overlays]]
name = "no-{number}"
kind = "deny"
servers = ["a.b/s{number}"]
owner = "ops"
reason = "number {number}"
expires = "never"
"""
        for number in range(150)
    )
    deployment = make_team(tmp_path, upstream, clock, overlays)
    for number in range(200):
        upstream.registry.publish(server_json(f"a.b/s{number}"), START)
    deployment.pull()
    since = deployment.clock()
    for number in range(500):
        deployment.blocks.add(Block(f"a.b/s{number + 100}", None, f"block {number}", "me", since))
    published(deployment)
    with deployment.warehouse.session() as session:
        counts = session.text("SELECT rule, count(*) AS n FROM verdicts GROUP BY rule").to_pylist()
        (row,) = session.text("SELECT reason FROM verdicts WHERE name = 'a.b/s150'").to_pylist()
    assert {count["rule"]: count["n"] for count in counts}["block"] == 100
    assert sum(count["n"] for count in counts) == 200
    assert row["reason"] == "block 50"


def test_the_nearest_change_counts_on_the_cooldown_and_what_lies_under_an_overlay(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    text = (
        NEEDS
        + """
[cooldown]
days = 7
[[overlays]]
name = "no"
kind = "deny"
servers = ["a.b/two"]
owner = "ops"
reason = "r"
expires = "never"
"""
    )
    deployment = make_team(tmp_path, upstream, clock, text)
    for name in ("a.b/one", "a.b/two"):
        upstream.registry.publish(server_json(name), START)
    published(deployment)
    needs = {
        row["name"]: [change["test"] for change in row["nearest"]]
        for name in ("a.b/one", "a.b/two")
        for row in explained(deployment, "team", name, None)
    }
    assert needs["a.b/one"] == ["title IS NULL", "the clock passes 2026-01-12T12:00:00Z"]
    assert needs["a.b/two"] == ["the overlay no stands", *needs["a.b/one"]]


def test_a_clock_that_goes_back_hides_no_change(recorded: Line) -> None:
    """A curation on a clock that went back still counts as later than the one before it."""
    from warehouse.curation.feeds import changed_names, last_change

    (policy,) = recorded.policies("default")
    with recorded.warehouse.session() as session:
        until = last_change(session, policy.name)
        assert until is not None
        name = session.rows("curation/list_known_names", feed=policy.name)[0]["name"]
        session.text(
            f"UPDATE entries SET status_message = 'x', commit = commit + 1 WHERE name = '{name}'"
        )
        book = policy.rule_book(until)
        past = until - timedelta(days=3)
        decide(session, policy.name, book, policy_hash=policy.hash, now=past)
        assert changed_names(session, policy.name, until) == [name]
        assert (last_change(session, policy.name) or past) > until
