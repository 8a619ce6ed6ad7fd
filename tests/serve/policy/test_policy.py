"""Feed documents: checked as a whole, with errors that say what is wrong."""

from pathlib import Path

import pytest

from serve.errors import PolicyInvalid
from serve.policy.reader import read_policies, read_policy
from warehouse.expressions.compile import compile_predicate

GOOD = """
name = "mine"
title = "Mine"
base_path = "/feeds/mine"
default = "admit"
[[rules]]
name = "no-deleted"
verdict = "exclude"
when = "status = 'deleted'"
reason = "it is deleted"
"""


def test_the_shipped_feeds_are_valid() -> None:
    paths = {
        policy.name: policy.document.base_path
        for policy in read_policies(None, compile_predicate).valid
    }
    assert paths == {
        "default": "/",
        "mirror": "/feeds/mirror",
        "remote-only": "/feeds/remote-only",
        "strict": "/feeds/strict",
    }


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "mine"', 'name = "My Feed"', "name"),
        ('base_path = "/feeds/mine"', 'base_path = "/feeds/mine/"', "without a slash"),
        ('base_path = "/feeds/mine"', 'base_path = "/v0/x"', "a path of the API itself"),
        ('default = "admit"', 'default = "maybe"', "'admit' or 'exclude'"),
        ('default = "admit"', 'default = "admit"\ncolour = "red"', "colour"),
        ("title", "titel", "titel|title"),
        ("status = 'deleted'", "stats = 'deleted'", "rule no-deleted.*no column `stats`"),
        ("status = 'deleted'", "status =", "rule no-deleted, line 1"),
        ("status = 'deleted'", "read_text('x') = ''", "not allowed in a rule"),
        ('reason = "it is deleted"', 'reason = ""', "reason"),
        ('name = "no-deleted"', 'name = "default"', "none of block"),
        ("[[rules]]", "[[rules", "is not TOML"),
    ],
)
def test_an_error_names_file_place_and_remedy(old: str, new: str, says: str) -> None:
    with pytest.raises(PolicyInvalid, match=says) as caught:
        read_policy(GOOD.replace(old, new, 1).encode(), compile_predicate, source="mine.toml")
    assert "mine.toml" in str(caught.value)


def test_two_feeds_cannot_share_a_path(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "other.toml").write_text(GOOD.replace('name = "mine"', 'name = "other"', 1))
    (error, *_) = read_policies(tmp_path, compile_predicate).broken.values()
    assert "two feed documents have the base_path /feeds/mine" in str(error)


def test_a_folder_without_documents_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match=r"write NAME\.toml"):
        read_policies(tmp_path, compile_predicate)


def refused(text: str, **files: bytes) -> str:
    """The error for a document with more text, and with files beside it."""
    with pytest.raises(PolicyInvalid) as caught:
        read_policy(
            (GOOD + text).encode(),
            compile_predicate,
            source="mine.toml",
            read=lambda name: _file(name, files),
        )
    return str(caught.value)


def _file(name: str, files: dict[str, bytes]) -> bytes:
    data = files.get(name.partition(".")[0])
    return data if data is not None else Path(name).read_bytes()


GLOBS = ", ".join(f'"a.b/{number}*"' for number in range(300))
OVERLAY = """
[[overlays]]
name = "o"
servers = ["a.b/c"]
owner = "me"
reason = "because"
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"[cooldown]\ndays = 7\nbypass = [{GLOBS}]", "cooldown: bypass: more than 200 patterns"),
        ("[cooldown]\ndays = -1", "cooldown.days"),
        ("[cooldown]\ndays = 7\nbypass_lists = ['no']", "there is no list no"),
        ("[gate]\nmax_withdrawn = 2", "gate.max_withdrawn"),
        ("[[lists]]\nname = 'l'", "list l: write one of file and names"),
        ("[[lists]]\nname = 'l'\nfile = '../x'", "the name of a file beside"),
        ("[[lists]]\nname = 'l'\nfile = \"a\\u0000b\"", "cannot be read"),
        ("[[lists]]\nname = 'l'\nfile = 'bad.txt'", "list l: bad.txt, line 2"),
        ("[[lists]]\nname = 'l'\nfile = 'odd.txt'", "is not UTF-8 text"),
        ("[[rules]]\nname = 'r'\nverdict = 'admit'\nreason = 'x'", "rule r: write one of when"),
        (
            "[[rules]]\nname = 'r'\nverdict = 'admit'\nreason = 'x'\nwhen = \"title = 'x'\"",
            'unknown = "skip"',
        ),
        (
            "[[rules]]\nname = 'r'\nverdict = 'admit'\nreason = 'x'\nwhen = 'downlods > 1'",
            "did you mean `downloads`",
        ),
        (
            "[[rules]]\nname = 'r'\nverdict = 'admit'\nreason = 'x'\nwhen = \"licenses = 'MIT'\"",
            "licenses is a list of texts; look into a list with list_contains(licenses, 'TEXT')",
        ),
        (
            "[[rules]]\nname = 'r'\nverdict = 'admit'\nreason = 'x'\nwhen = 'name LIKE'",
            "a value beside LIKE is missing",
        ),
        (
            "[[rules]]\nname = 'r'\nverdict = 'admit'\nreason = 'x'\nwhen = 'upperr(name)'",
            "did you mean `upper`?",
        ),
        (
            "[[rules]]\nname = 'r'\nverdict = 'admit'\nreason = 'x'\nwhen = 'name = \"x\"'",
            "write a text in single quotes",
        ),
        (
            (
                "[[rules]]\nname = 'r'\nverdict = 'admit'\nreason = 'x'\n"
                "when = 'contains(description, title)'"
            ),
            "`title` may be long: write the text that is looked for, or use a name",
        ),
        ("[[rules]]\nname = 'r'\nverdict = 'deny'", "'deny' is no choice; write 'admit' or"),
        ("[[rules]]\nnam = 'r'", "there is no such member; did you mean name?"),
        ("[[rules]]\nname = 'r'\nwhen = 'name.*'\nverdict = 'admit'\nreason = 'x'", "name"),
        (
            "[[drop]]\nname = 'd'\nwhen = 'yanked'\nreason = 'x'\nmust = true",
            "must does not belong",
        ),
        ("[[drop]]\nname = 'd'\nwhen = 'true) OR any_package(true'\nreason = 'x'", "drop d"),
        ("[[drop]]\nname = 'd'\nwhen = 'licens = 1'\nreason = 'x'", "column 1 of `when`"),
        ("[[rules]]\nname = 'r'", "rule r: reason: it is missing; write it"),
        ("[cooldown]\ndays = '7'", "cooldown.days: write a number, without quotes"),
        (OVERLAY + "kind = 'deny'", "overlay o: expires"),
        (OVERLAY + "kind = 'deny'\nexpires = 'soon'", "write a date such as 2027-01-31"),
        (OVERLAY + "kind = 'pin'\nexpires = 'never'", "an overlay of kind pin needs version"),
        (OVERLAY + "kind = 'deny'\nexpires = 'never'\ntitle = 'T'", "kind deny has no title"),
        (OVERLAY + "kind = 'mirror'\nexpires = 'never'\nfrom = 'x'", "needs to"),
        (
            OVERLAY + "kind = 'mirror'\nexpires = 'never'\nto = 'https://x.example'",
            "a mirror needs registry",
        ),
        (OVERLAY.replace('"a.b/c"', GLOBS) + "kind = 'deny'\nexpires = 'never'", "overlay o: more"),
    ],
)
def test_every_part_is_checked_and_told_by_its_name(text: str, says: str) -> None:
    assert says in refused(text, bad=b"a.b/c\na b\n", odd=b"\xff\xfe")


def test_a_list_file_may_begin_with_a_byte_order_mark() -> None:
    data = GOOD + "[[lists]]\nname = 'l'\nfile = 'x.txt'"
    policy = read_policy(
        data.encode(),
        compile_predicate,
        source="mine.toml",
        read=lambda _: b"\xef\xbb\xbfa.b/c\n# x\na.b/d # y\n",
    )
    assert policy.lists == {"l": ("a.b/c", "a.b/d")}


def test_what_is_no_document_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / ".#mine.toml").symlink_to("nobody@host")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "gone.toml").symlink_to("nowhere")
    policies = read_policies(tmp_path, compile_predicate)
    assert [policy.name for policy in policies.valid] == ["mine"]
    assert set(policies.broken) == {"folder", "gone"}
