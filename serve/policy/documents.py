"""The format of feed documents: one TOML file per feed, as types that validate it.

`serve.policy.policy` compiles the expressions and reads the list files.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from serve.policy.served_feed import Explain
from serve.routes import RESERVED

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Pattern = Annotated[str, StringConstraints(pattern=r"^[^\s#]{1,500}$")]
"""NAME, NAME@VERSION, or either with `*` and `?`."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Part):
    """One named test: an expression in `when`, names in `names`, or a named list in `list`.

    If the test is true for an entry, the entry gets `verdict` for `reason`; with `must`, whatever
    an earlier rule says. `unknown` says how an unknown result counts: `match` as true, `skip` as
    false.
    """

    name: Slug
    verdict: Literal["admit", "exclude"]
    when: str | None = None
    names: tuple[Pattern, ...] | None = Field(None, min_length=1)
    list: Slug | None = None
    reason: Words
    must: bool = Field(False, strict=True)
    unknown: Literal["match", "skip"] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> "Rule":
        if sum(test is not None for test in (self.when, self.names, self.list)) != 1:
            raise ValueError("write one of when, names and list")
        return self


class Drop(_Part):
    """A test of single packages, in `when`: an admitted entry is shown without those that match."""

    name: Slug
    when: str
    reason: Words
    unknown: Literal["match", "skip"] = "skip"


class NameList(_Part):
    """A named list of servers: in the document, or in a file beside it with one server a line."""

    name: Slug
    file: str | None = Field(None, min_length=1)
    names: tuple[Pattern, ...] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "NameList":
        if (self.file is None) == (self.names is None):
            raise ValueError("write one of file and names")
        return self


class Cooldown(_Part):
    """How old a version must be before it is served, and which servers need not wait."""

    days: float = Field(gt=0, le=365, allow_inf_nan=False, strict=True)
    bypass: tuple[Pattern, ...] = ()
    bypass_lists: tuple[Slug, ...] = ()

    @property
    def period(self) -> timedelta:
        return timedelta(days=self.days)


class Gate(_Part):
    """How many entries one switch may withdraw: a share of those that run, but `floor` always."""

    max_withdrawn: float | None = Field(None, ge=0, le=1, strict=True, allow_inf_nan=False)
    floor: int = Field(20, ge=0, strict=True)


class Overlay(_Part):
    """An editor's change: who decided it, why, and until when.

    deny, admit     override the rules; deny wins over admit
    pin             exclude all versions but `version`
    retitle         set another `title`
    categorise      set `categories`, served under `_meta`
    feature         mark as featured, served under `_meta`
    mirror          take packages of `registry` from `to`; or point remotes that start with `from`
                    to `to`
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: Slug
    kind: Literal["pin", "deny", "admit", "retitle", "categorise", "feature", "mirror"]
    servers: tuple[Pattern, ...] = Field(min_length=1)
    owner: Words
    reason: Words
    expires: datetime | date | Literal["never"]
    version: str | None = Field(None, min_length=1, max_length=255)
    title: str | None = Field(None, min_length=1, max_length=100)
    categories: tuple[Words, ...] | None = Field(None, min_length=1)
    registry: Slug | None = None
    source: str | None = Field(None, alias="from", min_length=1)
    target: str | None = Field(None, alias="to", min_length=1)

    @field_validator("expires", mode="before")
    @classmethod
    def _instant(cls, value: object) -> object:
        # A datetime is a date too, so test for it first.
        if isinstance(value, datetime) or value == "never":
            if isinstance(value, datetime) and value.tzinfo is None:
                raise ValueError("write the offset too, such as 2027-01-31T12:00:00Z")
            return value
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        raise ValueError('write a date such as 2027-01-31, or "never"')

    @model_validator(mode="after")
    def _members(self) -> "Overlay":
        wanted, optional = _MEMBERS[self.kind]
        given = {name for name in _OWN if getattr(self, name) is not None}
        names = {"source": "from", "target": "to"}
        if missing := [names.get(member, member) for member in sorted(wanted - given)]:
            raise ValueError(f"an overlay of kind {self.kind} needs {', '.join(missing)}")
        if extra := [names.get(member, member) for member in sorted(given - wanted - optional)]:
            raise ValueError(f"an overlay of kind {self.kind} has no {', '.join(extra)}")
        if self.version is not None and set("*?") & set(self.version):
            raise ValueError("a pin names one whole version, without patterns")
        if self.kind == "mirror":
            self._check_mirror()
        return self

    def _check_mirror(self) -> None:
        if self.registry is None and self.source is None:
            raise ValueError("a mirror needs registry (npm, pypi, oci ...) or from (a URL)")
        assert self.target is not None
        if self.registry == "oci":
            if not re.fullmatch(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?", self.target):
                raise ValueError("`to` of an OCI mirror is a host and a path, without https://")
        elif not re.fullmatch(r"https?://[^\s/]+(/\S*)?", self.target):
            raise ValueError("`to` is a URL with http:// or https://")

    @property
    def until(self) -> datetime | None:
        """When the overlay ends; None: never."""
        return self.expires if isinstance(self.expires, datetime) else None

    def active(self, now: datetime) -> bool:
        return self.until is None or now < self.until


# Verdicts use these names where no rule of the document decided.
_TAKEN = {"default", "cooldown", "latest", "block", "rollback", "unknown"}
_OWN = ("version", "title", "categories", "registry", "source", "target")
# By kind: the members that it needs, and those that it may have besides.
_MEMBERS: dict[str, tuple[set[str], set[str]]] = {
    "deny": (set(), set()),
    "admit": (set(), set()),
    "pin": ({"version"}, set()),
    "retitle": ({"title"}, set()),
    "categorise": ({"categories"}, set()),
    "feature": (set(), set()),
    "mirror": ({"target"}, {"registry", "source"}),
}


class FeedDocument(_Part):
    """A feed as its editor wrote it; the first rule that matches decides, otherwise `default`.

    With `latest = "admitted"` a server is shown by the newest of the versions that all else admits.
    """

    name: Slug
    title: str = Field(min_length=1, max_length=200)
    base_path: str
    namespace: str = Field("local.subregistry", pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")
    access: Literal["open", "unlisted", "key"] = "open"
    explain: Explain = "full"
    default: Literal["admit", "exclude"]
    lists: tuple[NameList, ...] = ()
    rules: tuple[Rule, ...] = Field((), max_length=500)
    drop: tuple[Drop, ...] = Field((), max_length=50)
    overlays: tuple[Overlay, ...] = Field((), max_length=300)
    cooldown: Cooldown | None = None
    latest: Literal["admitted"] | None = None
    gate: Gate = Gate()

    @field_validator("base_path")
    @classmethod
    def _path(cls, value: str) -> str:
        if value != "/" and not re.fullmatch(r"(/[a-z0-9][a-z0-9_-]*)+", value):
            raise ValueError("write / or a path such as /feeds/name, without a slash at the end")
        if value.split("/")[1] in RESERVED:
            raise ValueError(
                f"{value} is a path of the API itself; choose another, such as /feeds/NAME"
            )
        return value

    @model_validator(mode="after")
    def _names(self) -> "FeedDocument":
        for kind, names in (
            (
                "rule",
                [
                    *(rule.name for rule in self.rules),
                    *(overlay.name for overlay in self.overlays),
                    *(drop.name for drop in self.drop),
                ],
            ),
            ("list", [part.name for part in self.lists]),
        ):
            twice = {name for name in names if names.count(name) > 1} | _TAKEN & {*names}
            if twice:
                raise ValueError(
                    f"{kind} names must be unique, and none of {', '.join(sorted(_TAKEN))}: "
                    f"{', '.join(sorted(twice))}"
                )
        known = {part.name for part in self.lists}
        used = [rule.list for rule in self.rules if rule.list]
        for name in [*used, *(self.cooldown.bypass_lists if self.cooldown else ())]:
            if name not in known:
                raise ValueError(f"there is no list {name}; write it under [[lists]]")
        return self


MEMBERS = sorted(
    {
        field.alias or name
        for part in (FeedDocument, Rule, Drop, NameList, Cooldown, Gate, Overlay)
        for name, field in part.model_fields.items()
    }
)
"""Every word that a document may have as a key."""
