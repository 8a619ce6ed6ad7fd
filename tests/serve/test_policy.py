"""Feed documents: checked as a whole, and told what is wrong."""

from pathlib import Path

import pytest

from serve.errors import PolicyInvalid
from serve.policy import load_policies, read_policy

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
    found = {policy.name: policy.document.base_path for policy in load_policies(None)}
    assert found == {
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
        read_policy(GOOD.replace(old, new, 1).encode(), source="mine.toml")
    assert "mine.toml" in str(caught.value)


def test_two_feeds_cannot_share_a_path(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "other.toml").write_text(GOOD.replace('name = "mine"', 'name = "other"', 1))
    with pytest.raises(PolicyInvalid, match="two feed documents have the base_path /feeds/mine"):
        load_policies(tmp_path)


def test_a_folder_without_documents_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match=r"write NAME\.toml"):
        load_policies(tmp_path)
