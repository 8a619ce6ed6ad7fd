"""Feed documents: one TOML file per feed, read and checked as a whole.

A document says who the feed is and what it may contain. Expressions are checked by
`warehouse.predicates`; evaluating them is the curate step's business.
"""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from serve.errors import PolicyInvalid
from warehouse.errors import ExpressionRefused
from warehouse.feeds import CompiledRule
from warehouse.predicates import compile_predicate

_API_PATHS = r"/(v0(\.1)?|servers|health|ping|version|editions|changes|explain|schemas)(/|$)"


class Rule(BaseModel):
    """One named test. Where `when` is true for an entry, `verdict` is its verdict for `reason`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    verdict: Literal["admit", "exclude"]
    when: str
    reason: str = Field(min_length=1, max_length=300)


class FeedDocument(BaseModel):
    """A feed as its editor wrote it; the first rule that is true decides, else `default`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    title: str = Field(min_length=1, max_length=200)
    base_path: str
    namespace: str = Field("local.subregistry", pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")
    access: Literal["open", "unlisted", "key"] = "open"
    default: Literal["admit", "exclude"]
    rules: tuple[Rule, ...] = ()

    @field_validator("base_path")
    @classmethod
    def _path(cls, value: str) -> str:
        if value != "/" and not re.fullmatch(r"(/[a-z0-9][a-z0-9_-]*)+", value):
            raise ValueError("write / or a path such as /feeds/name, without a slash at the end")
        if re.match(_API_PATHS, value):
            raise ValueError(f"{value} is a path of the API itself; choose another")
        return value

    @field_validator("rules")
    @classmethod
    def _names(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        names = [rule.name for rule in value]
        twice = sorted({name for name in names if names.count(name) > 1} | {"default"} & {*names})
        if twice:
            raise ValueError(f"rule names must be unique and not `default`: {', '.join(twice)}")
        return value


@dataclass(frozen=True)
class Policy:
    """A checked feed document with compiled rules; `hash` is that of its bytes."""

    document: FeedDocument
    rules: tuple[CompiledRule, ...]
    hash: str

    @property
    def name(self) -> str:
        return self.document.name


def load_policies(folder: Path | None) -> tuple[Policy, ...]:
    """All feed documents of a folder (None: those shipped), by name. Raises PolicyInvalid."""
    shipped = files("serve") / "feeds"
    items = sorted(folder.glob("*.toml")) if folder else shipped.iterdir()
    found = [
        read_policy(item.read_bytes(), source=str(item) if folder else item.name)
        for item in items
        if item.name.endswith(".toml")
    ]
    if not found:
        raise PolicyInvalid(f"{folder} has no feed document; write NAME.toml there")
    for field in ("name", "base_path"):
        values = [getattr(policy.document, field) for policy in found]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise PolicyInvalid(f"two feed documents have the {field} {', '.join(twice)}")
    return tuple(sorted(found, key=lambda policy: policy.name))


def read_policy(data: bytes, *, source: str) -> Policy:
    """One feed document. Raises PolicyInvalid that names file, rule, place and remedy."""
    try:
        document = FeedDocument.model_validate(tomllib.loads(data.decode()))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PolicyInvalid(f"{source}: {place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise PolicyInvalid(f"{source} is not TOML: {error}") from error
    rules = []
    for rule in document.rules:
        try:
            sql = compile_predicate(rule.when)
        except ExpressionRefused as error:
            raise PolicyInvalid(
                f"{source}: rule {rule.name}, line {error.line}, column {error.column} of `when`: "
                f"{error}"
            ) from error
        rules.append(CompiledRule(rule.name, rule.verdict, rule.reason, sql))
    return Policy(document, tuple(rules), hashlib.sha256(data).hexdigest())
