"""Reads feed documents with their list files; every error names file, part, place and remedy."""

import hashlib
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from serve.errors import PolicyInvalid
from serve.policy.documents import MEMBERS, Drop, FeedDocument, Rule
from serve.policy.policy import Policy, deciding_rules, shown_names
from warehouse.errors import ExpressionRefused
from warehouse.rules.language import Compiler, name_predicate
from warehouse.rules.rulebook import CompiledCooldown, CompiledDrop, CompiledRule


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
            "; ".join(_explained(source, data, dict(item)) for item in error.errors())
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
            deciding_rules([overlay])
        except ExpressionRefused as error:
            raise PolicyInvalid(f"{source}: overlay {overlay.name}: {error}") from error
    drops = tuple(_dropping(drop, source, compiler) for drop in document.drop)
    return Policy(document, rules, lists, cooldown, digest.hexdigest(), drops)


def _dropping(drop: Drop, source: str, compiler: Compiler) -> CompiledDrop:
    opening = "any_package("
    try:
        predicate = compiler(f"{opening}{drop.when}\n)")
    except ExpressionRefused as error:
        column = error.column - len(opening) if error.line == 1 else error.column
        raise PolicyInvalid(
            f"{source}: drop {drop.name}, line {error.line}, column {max(column, 1)} of `when`: "
            f"{error}"
        ) from error
    if predicate.tree != 0:
        raise PolicyInvalid(f"{source}: drop {drop.name}: write one test of one package")
    return CompiledDrop(drop.name, drop.reason, predicate.atoms[0].each, drop.unknown)


def _compiled(
    rule: Rule, lists: dict[str, tuple[str, ...]], source: str, compiler: Compiler
) -> CompiledRule:
    key = f"rule_{rule.name}".replace("-", "_")
    try:
        if rule.when is not None:
            predicate, text = compiler(rule.when), rule.when
        elif rule.names is not None:
            text = shown_names(rule.names)
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


_PLAIN = {
    "missing": "it is missing; write it",
    "string_type": "write a text in quotes",
    "bool_type": "write true or false, without quotes",
    "int_type": "write a whole number, without quotes",
    "float_type": "write a number, without quotes",
    "tuple_type": "write a list: [...], or for lists, rules and overlays a [[section]] each",
    "model_type": "write a section with members",
    "model_attributes_type": "write a section with members",
}


def _explained(source: str, data: bytes, item: dict[str, Any]) -> str:
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
    message = _PLAIN.get(item["type"]) or str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "there is no such member; remove it or correct its name"
        for near in get_close_matches(str(loc[-1]), MEMBERS, n=1):
            if near == loc[-1]:  # a member of another part
                message = f"{near} does not belong here; remove it"
            else:
                message = f"there is no such member; did you mean {near}?"
    elif item["type"] == "literal_error":
        message = f"{item['input']!r} is no choice; write {item['ctx']['expected']}"
    elif item["type"] == "string_pattern_mismatch":
        message = f"{item['input']!r} does not have the form {item['ctx']['pattern']}"
    return f"{source}: {place}: {message}" if place else f"{source}: {message}"
