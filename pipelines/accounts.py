"""One account of each upstream, feed and profile: what was tried last, what came of it, what waits.

HOME/state/upstreams/NAME.json, HOME/state/feeds/NAME.json, HOME/state/packages.json

Whoever acts writes it: also when the warehouse is locked, full or damaged. What is live is not
repeated here: an edition says it itself (`serve.feed.feed`).
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from serve.disk import locked, replace_roomy

log = logging.getLogger(__name__)

Outcome = Literal["done", "failed", "refused", "busy"]


class Attempt(Struct, frozen=True, rename="camel"):
    """The last try of a step; `message` is its error, which says what to do."""

    at: datetime
    outcome: Outcome
    message: str = ""


class Step(Struct, frozen=True, rename="camel"):
    """A step: its last try, and when it last succeeded (None: never)."""

    last: Attempt
    done_at: datetime | None = None


class Stop(Struct, frozen=True, rename="camel"):
    """Why nothing moves until somebody decides: a brake, or a gate that refused `edition`.

    `since` is the first refusal of several in a row.
    """

    since: datetime
    reasons: tuple[str, ...]
    edition: str | None = None


class Override(Struct, frozen=True, rename="camel"):
    """What an operator did last against the line's own judgement."""

    at: datetime
    by: str
    action: str
    target: str
    reason: str


class Account(Struct, frozen=True, rename="camel"):
    """The account of one subject. `figures` are the counts of the last success."""

    name: str
    steps: dict[str, Step] = msgspec.field(default_factory=dict)
    stop: Stop | None = None
    override: Override | None = None
    figures: dict[str, Any] = msgspec.field(default_factory=dict)  # JSON of a report

    def noted(self, step: str, attempt: Attempt) -> "Account":
        """The account after another try of a step."""
        before = self.steps.get(step)
        if before and attempt.outcome == "busy" and step in self.failed:
            return self  # what failed before is still the news
        done_at = before.done_at if before else None
        if attempt.outcome == "done":
            done_at = attempt.at
        return msgspec.structs.replace(self, steps={**self.steps, step: Step(attempt, done_at)})

    @property
    def failed(self) -> dict[str, Attempt]:
        """Steps whose last try did not succeed; finding another process busy is no failure."""
        return {
            name: step.last
            for name, step in self.steps.items()
            if step.last.outcome in ("failed", "refused")
        }


class Accounts:
    """The accounts below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def upstream(self, name: str) -> "AccountFile":
        return AccountFile(self._root / "upstreams" / f"{name}.json", name)

    def feed(self, name: str) -> "AccountFile":
        return AccountFile(self._root / "feeds" / f"{name}.json", name)

    @property
    def packages(self) -> "AccountFile":
        return AccountFile(self._root / "packages.json", "packages")

    def texts(self) -> dict[str, str]:
        """Every account as JSON, by its place without the ending: `upstreams/official`."""
        texts = {}
        for path in sorted(self._root.glob("**/*.json")):
            place = path.relative_to(self._root).with_suffix("")
            texts[str(place)] = path.read_text("utf-8", "replace").rstrip()
        return texts


class AccountFile:
    """The file of one account."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self.name = name

    def read(self) -> Account:
        """The account; an empty one if there is none. One that is damaged is stopped, since it may
        have been. Raises OSError."""
        try:
            return _decoder.decode(self._path.read_bytes())
        except FileNotFoundError:
            return Account(self.name)
        except ValueError as error:  # msgspec's errors are ValueErrors
            reason = (
                f"{self._path} is damaged ({error}), so nobody knows what was refused before: "
                "run subregistry run --full"
            )
            since = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
            return Account(self.name, stop=Stop(since, (reason,)))

    def update(self, change: Callable[[Account], Account]) -> None:
        """Replace the account. What cannot be written is logged: no step fails because of it."""
        try:
            with locked(self._path.with_suffix(".lock")):
                account = _encoder.encode(change(self.read()))
                replace_roomy(self._path, msgspec.json.format(account) + b"\n")
        except (OSError, ValueError) as error:
            log.warning("account not written path=%s error=%s", self._path, error)


_decoder = msgspec.json.Decoder(Account)
_encoder = msgspec.json.Encoder()
