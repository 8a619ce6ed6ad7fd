"""What happens upstream in a history: publishes, edits, lags, silent changes, spoiled records."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pipelines.demo.clock import FakeClock
from pipelines.demo.registry import Key
from tests.line.campaigns.campaign_state import Tally
from tests.support.deployments import Upstream, server_json

NAMES = [f"io.github.{owner}/s{n}" for owner in ("A", "a", "a-b", "a.b") for n in range(5)]
_ODD_AND_EVEN = "1.0.0 1.1.0 2.0.0 10.0.0 2.0.0-rc.1 v1.1.0 1.0.0+x auto 2025.1.2.3 0.9.0"
VERSIONS = _ODD_AND_EVEN.split()


class ChangingUpstream:
    """The part of a history that changes its upstream."""

    tally: Tally
    silent: set[Key]
    flipped: set[str]
    spoiled: set[Key]
    _random: random.Random
    _clock: FakeClock
    _last: datetime
    _lagging: list[tuple[datetime, Callable[[], None]]]
    _upstream: Upstream

    def _advance(self, by: timedelta) -> None:
        target = self._clock() + by
        for due, apply in sorted(self._lagging, key=lambda item: item[0]):
            if due <= target:
                self._clock.move_to(due)
                apply()
        self._lagging = [item for item in self._lagging if item[0] > target]
        self._clock.move_to(target)

    def _change(self) -> None:
        self.tally.changes += 1
        self._random.choice(
            [self._publish] * 5
            + [self._set_status] * 3
            + [self._edit, self._edit, self._lag, self._lag]
            + [self._random.choice([self._edit_silently, self._flip, self._remove, self._spoil])]
        )()

    def _now(self) -> datetime:
        self._last = self._clock()
        return self._last

    def _same(self) -> datetime:
        """Now, or sometimes the exact instant of the last change, if that was just now."""
        just_now = self._clock() - self._last < timedelta(seconds=30)
        return self._last if just_now and self._random.random() < 0.3 else self._now()

    def _publish(self) -> None:
        key = (self._random.choice(NAMES), self._random.choice(VERSIONS))
        if key not in self._upstream.registry.rows():
            self._upstream.registry.publish(server_json(*key), self._same())

    def _set_status(self) -> None:
        name = self._any_name()
        if name:
            versions = self._versions(name)
            some = self._random.sample(versions, self._random.randint(1, len(versions)))
            wanted = None if self._random.random() < 0.3 else some
            status = self._random.choice(["active", "deprecated", "deleted", "deleted"])
            message = "" if status == "active" else self._random.choice(["", "because"])
            self._upstream.registry.set_status(name, wanted, status, message, self._now())

    def _edit(self) -> None:
        key = self._any_key()
        if key:
            text = f"edited {self._random.random()}"
            self._upstream.registry.edit(key, server_json(*key, title=text), self._now())

    def _edit_silently(self) -> None:
        key = self._any_key()
        if key:
            text = f"fixed {self._random.random()}"
            self._upstream.registry.edit(key, server_json(*key, title=text), None)
            self.silent.add(key)

    def _flip(self) -> None:
        """Move the latest flag by hand: no row of the name gets a new updated_at."""
        name = self._any_name()
        if name:
            chosen = self._random.choice(self._versions(name))
            for (row_name, version), row in self._upstream.registry.rows().items():
                if row_name == name:
                    self._upstream.registry.put(replace(row, is_latest=version == chosen))
            self.flipped.add(name)

    def _remove(self) -> None:
        key = self._any_key()
        if key and not self._is_last_readable(key):
            self._upstream.registry.remove(key)
            self.silent.add(key)
            self.flipped.add(key[0])

    def _spoil(self) -> None:
        """Make an entry unreadable until it is mended silently."""
        key = self._any_key()
        if key:
            good = self._upstream.registry.body(key)
            odd = self._random.choice([b'"\\ud800"', b'"\xff"', b"tru e", b"[" * 80 + b"]" * 80])
            if self._is_last_readable(key):  # a walk without any is an error
                return
            self._upstream.registry.spoil(key, good.replace(b'"The server', odd + b',"x":"The', 1))
            self.spoiled.add(key)
            self.flipped.add(key[0])
            self.tally.spoiled += 1

    def _is_last_readable(self, key: Key) -> bool:
        return not self._upstream.registry.rows().keys() - self.spoiled - {key}

    def _mend(self) -> None:
        rows = self._upstream.registry.rows()
        for key in self.spoiled & rows.keys():
            self._upstream.registry.put(rows[key])
        self.silent |= self.spoiled
        self.spoiled.clear()

    def _lag(self) -> None:
        """Publish with the current instant; the entry becomes visible up to six minutes later."""
        key = (self._random.choice(NAMES), self._random.choice(VERSIONS))
        at = self._now()

        def apply() -> None:
            if key not in self._upstream.registry.rows():
                self._upstream.registry.publish(server_json(*key), at)

        self._lagging.append((at + timedelta(seconds=self._random.uniform(1, 360)), apply))

    def _any_key(self) -> Key | None:
        keys = sorted(self._upstream.registry.rows())
        return self._random.choice(keys) if keys else None

    def _any_name(self) -> str | None:
        key = self._any_key()
        return key[0] if key else None

    def _versions(self, name: str) -> list[str]:
        return sorted(version for other, version in self._upstream.registry.rows() if other == name)
