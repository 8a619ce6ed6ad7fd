"""How a feed is served, according to its document: base path, title, access, explanations."""

from dataclasses import dataclass
from typing import Literal

Explain = Literal["full", "reason", "none"]


@dataclass(frozen=True)
class ServedFeed:
    """A feed as the server knows it. `access` is `open`, `unlisted` (open, but not on the home
    page) or `key`. `explain` says what readers are told: all, only rule and reason, or nothing."""

    name: str
    title: str
    base_path: str
    namespace: str = "local.subregistry"
    access: Literal["open", "unlisted", "key"] = "open"
    explain: Explain = "full"

    @property
    def prefix(self) -> bytes:
        """The base path as the prefix of routes: empty for the root."""
        return self.base_path.rstrip("/").encode()
