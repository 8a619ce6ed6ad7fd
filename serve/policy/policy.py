"""Policies: feed documents with their list files, read, validated as a whole and compiled.

`rule_book` puts the rules in order for an instant: blocks first, then the overlays in force, `must`
rules, the other rules. The curate step evaluates the book.
"""

import hashlib
import logging
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from serve.errors import PolicyInvalid
from serve.policy.blocks import Block
from serve.policy.documents import FeedDocument, Overlay, Rule
from serve.policy.served_feed import ServedFeed
from warehouse.errors import ExpressionRefused
from warehouse.rules.language import Compiler, but_version, name_predicate
from warehouse.rules.rulebook import CompiledCooldown, CompiledRule, RuleBook

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Policy:
    """A valid feed document with its compiled rules and its lists.

    `hash` covers the bytes of the document and of its list files.
    """

    document: FeedDocument
    rules: tuple[CompiledRule, ...]
    lists: dict[str, tuple[str, ...]]
    cooldown: CompiledCooldown | None
    hash: str

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def served(self) -> ServedFeed:
        """How the feed is served."""
        document = self.document
        return ServedFeed(
            document.name, document.title, document.base_path, document.namespace, document.access
        )

    def overlays(self, now: datetime) -> tuple[Overlay, ...]:
        """The overlays in force at an instant."""
        return tuple(overlay for overlay in self.document.overlays if overlay.active(now))

    def rule_book(self, now: datetime, blocks: Sequence[Block] = ()) -> RuleBook:
        """The rules as of an instant, in the order of evaluation."""
        targets = [block.target for block in blocks]
        blocked = name_predicate(targets, "it is blocked", "block")
        return RuleBook(
            [
                CompiledRule("block", "exclude", "blocked", blocked, "it is blocked", "block"),
                *_deciding(self.overlays(now)),
                *(rule for rule in self.rules if rule.kind == "must"),
                *(rule for rule in self.rules if rule.kind == "rule"),
            ],
            default=self.document.default,
            cooldown=self.cooldown,
            blocks={block.target: block.reason for block in blocks},
        )


def _deciding(overlays: Iterable[Overlay]) -> list[CompiledRule]:
    """The overlays that decide, as rules: first deny, then pin, then admit."""
    rules = []
    order = ("deny", "pin", "admit")
    for overlay in sorted(
        (overlay for overlay in overlays if overlay.kind in order),
        key=lambda overlay: order.index(overlay.kind),
    ):
        text, key = _shown(overlay.servers), f"overlay_{overlay.name}"
        # The key becomes part of SQL parameters, whose names have no hyphen.
        predicate = name_predicate(overlay.servers, text, key.replace("-", "_"))
        if overlay.kind == "pin":
            predicate = but_version(predicate, str(overlay.version))
        rules.append(
            CompiledRule(
                overlay.name,
                "admit" if overlay.kind == "admit" else "exclude",
                f"{overlay.kind} by {overlay.owner}: {overlay.reason}",
                predicate,
                predicate.atoms[0].text,
                "overlay",
            )
        )
    return rules


def _shown(names: Sequence[str]) -> str:
    more = f" or one of {len(names) - 20} more" if len(names) > 20 else ""
    return f"it is {', '.join(names[:20])}{more}"


@dataclass(frozen=True)
class Policies:
    """The valid policies in order of name, and the error of each broken document by its name."""

    valid: tuple[Policy, ...]
    broken: dict[str, PolicyInvalid]


def read_policies(folder: Path | None, compiler: Compiler) -> Policies:
    """Read all feed documents of a folder (None: the shipped ones) in order of name.

    A broken one is listed by the name of its file. Raises PolicyInvalid if there are no documents.
    """
    shipped: Traversable = files("serve.policy") / "feeds"
    place: Traversable = folder or shipped
    valid: list[Policy] = []
    broken: dict[str, PolicyInvalid] = {}
    paths = list(place.iterdir()) if place.is_dir() else []
    items = [
        item for item in paths if item.name.endswith(".toml") and not item.name.startswith(".")
    ]
    for item in sorted(items, key=lambda item: item.name):
        source = str(item) if folder else item.name
        stem = item.name.removesuffix(".toml")
        try:
            policy = read_policy(
                item.read_bytes(),
                compiler,
                source=source,
                read=lambda name: (place / name).read_bytes(),
            )
        except PolicyInvalid as error:
            broken[stem] = error
            continue
        except OSError as error:
            broken[stem] = PolicyInvalid(f"{source} cannot be read: {error}")
            continue
        if policy.name == stem:
            valid.append(policy)
        else:
            broken[stem] = PolicyInvalid(
                f'{source}: it says name = "{policy.name}"; a feed has the name of its file: write '
                f'"{stem}", or rename the file to {policy.name}.toml'
            )
    if not items:
        raise PolicyInvalid(f"{folder} has no feed document; write NAME.toml there")
    taken: set[str] = set()
    for policy in list(valid):
        path = policy.document.base_path
        if path in taken:
            valid.remove(policy)
            broken[policy.name] = PolicyInvalid(
                f"two feed documents have the base_path {path}: give {policy.name} another"
            )
        taken.add(path)
    return Policies(tuple(valid), broken)


def read_policy(
    data: bytes,
    compiler: Compiler,
    *,
    source: str,
    read: Callable[[str], bytes] | None = None,
) -> Policy:
    """Read one feed document; `compiler` checks its expressions, `read` returns list files.

    Raises PolicyInvalid, which names file, rule, place and remedy.
    """
    try:
        document = FeedDocument.model_validate(tomllib.loads(data.decode()))
    except ValidationError as error:
        raise PolicyInvalid(
            "; ".join(_told(source, data, dict(item)) for item in error.errors())
        ) from error
    except (ValueError, RecursionError) as error:
        raise PolicyInvalid(f"{source} is not TOML: {error}") from error
    digest = hashlib.sha256(data)
    lists = {}
    for name_list in document.lists:
        names = name_list.names
        if name_list.file is not None:
            text = _list_file(name_list.file, source, read)
            digest.update(b"\0" + text)
            names = _entries(text, f"{source}: list {name_list.name}: {name_list.file}")
        lists[name_list.name] = names or ()
    rules = tuple(_compiled(rule, lists, source, compiler) for rule in document.rules)
    cooldown = None
    if document.cooldown:
        waived = [*document.cooldown.bypass]
        waived += [name for key in document.cooldown.bypass_lists for name in lists[key]]
        try:
            bypass = name_predicate(waived, "it need not wait", "bypass") if waived else None
        except ExpressionRefused as error:
            raise PolicyInvalid(f"{source}: cooldown: bypass: {error}") from error
        cooldown = CompiledCooldown(document.cooldown.period, bypass)
    for overlay in document.overlays:
        try:  # only to find errors: `rule_book` compiles the overlays in force again
            _deciding([overlay])
        except ExpressionRefused as error:
            raise PolicyInvalid(f"{source}: overlay {overlay.name}: {error}") from error
    return Policy(document, rules, lists, cooldown, digest.hexdigest())


def _compiled(
    rule: Rule, lists: dict[str, tuple[str, ...]], source: str, compiler: Compiler
) -> CompiledRule:
    key = f"rule_{rule.name}".replace("-", "_")
    try:
        if rule.when is not None:
            predicate, text = compiler(rule.when), rule.when
        elif rule.names is not None:
            text = _shown(rule.names)
            predicate = name_predicate(rule.names, text, key)
        else:
            assert rule.list is not None
            text = f"it is on the list {rule.list}"
            predicate = name_predicate(lists[rule.list], text, key)
    except ExpressionRefused as error:
        raise PolicyInvalid(
            f"{source}: rule {rule.name}, line {error.line}, column {error.column} of `when`: "
            f"{error}"
        ) from error
    if predicate.nullable and rule.unknown is None:
        raise PolicyInvalid(
            f"{source}: rule {rule.name}: it reads columns that may be unknown; say what that "
            'means with unknown = "skip" (go on to the next rule) or unknown = "match" '
            "(as if it were true)"
        )
    return CompiledRule(
        rule.name,
        rule.verdict,
        rule.reason,
        predicate,
        text,
        "must" if rule.must else "rule",
        rule.unknown or "skip",
    )


def _list_file(name: str, source: str, read: Callable[[str], bytes] | None) -> bytes:
    if "/" in name or "\\" in name or name.startswith(".") or name.endswith(".toml"):
        raise PolicyInvalid(
            f"{source}: file {name!r}: write the name of a file beside the document"
        )
    try:
        if read is None:
            raise FileNotFoundError(name)
        return read(name)
    except (OSError, ValueError) as error:
        raise PolicyInvalid(
            f"{source}: the list file {name} cannot be read ({error}); put it beside the document"
        ) from error


def _entries(text: bytes, place: str) -> tuple[str, ...]:
    """The entries of a list file: one NAME, NAME@VERSION or pattern a line; # starts a comment."""
    entries = []
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise PolicyInvalid(f"{place} is not UTF-8 text: {error}") from error
    for number, line in enumerate(lines, start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        if not re.fullmatch(r"\S{1,500}", entry):
            raise PolicyInvalid(
                f"{place}, line {number}: {entry[:80]!r} is no server; write one NAME, "
                "NAME@VERSION or pattern a line"
            )
        entries.append(entry)
    return tuple(entries)


def _told(source: str, data: bytes, item: dict[str, Any]) -> str:
    """The message of one validation error, with the name of the part of the document."""
    loc = list(item["loc"])
    place = ".".join(str(part) for part in loc)
    if len(loc) >= 2 and isinstance(loc[1], int):
        try:
            part = tomllib.loads(data.decode())[loc[0]][loc[1]]
            named = part.get("name") or f"number {loc[1] + 1}"
        except (KeyError, IndexError, TypeError, AttributeError):
            named = f"number {loc[1] + 1}"
        rest = ".".join(str(step) for step in loc[2:])
        place = f"{str(loc[0]).removesuffix('s')} {named}{': ' + rest if rest else ''}"
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "there is no such member; remove it or correct its name"
    return f"{source}: {place}: {message}" if place else f"{source}: {message}"
