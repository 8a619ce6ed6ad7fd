"""A policy: a valid feed document with its compiled rules, and the rules in their order.

`rule_book` puts the rules in order for an instant: blocks first, then the overlays in force, `must`
rules, the other rules. The curate step evaluates the book.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from serve.entry.latest import choose_latest
from serve.policy.blocks import Block
from serve.policy.documents import FeedDocument, Overlay
from serve.policy.served_feed import ServedFeed
from warehouse.rules.language import but_version, name_predicate
from warehouse.rules.rulebook import CompiledCooldown, CompiledDrop, CompiledRule, RuleBook


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
    drops: tuple[CompiledDrop, ...] = ()

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def served(self) -> ServedFeed:
        """How the feed is served."""
        document = self.document
        return ServedFeed(
            document.name,
            document.title,
            document.base_path,
            document.namespace,
            document.access,
            document.explain,
        )

    def named(self) -> set[str]:
        """Every NAME and NAME@VERSION that the document and its lists write out, without globs."""
        document = self.document
        named = {name for names in self.lists.values() for name in names}
        named |= {name for rule in document.rules for name in rule.names or ()}
        named |= {name for overlay in document.overlays for name in overlay.servers}
        named |= {*document.cooldown.bypass} if document.cooldown else set()
        return {name for name in named if not set("*?") & set(name)}

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
                *deciding_rules(self.overlays(now)),
                *(rule for rule in self.rules if rule.kind == "must"),
                *(rule for rule in self.rules if rule.kind == "rule"),
            ],
            default=self.document.default,
            cooldown=self.cooldown,
            choose_latest=choose_latest if self.document.latest else None,
            drops=self.drops,
            blocks={block.target: block.reason for block in blocks},
        )


def deciding_rules(overlays: Iterable[Overlay]) -> list[CompiledRule]:
    """The overlays that decide, as rules: first deny, then pin, then admit."""
    rules = []
    order = ("deny", "pin", "admit")
    for overlay in sorted(
        (overlay for overlay in overlays if overlay.kind in order),
        key=lambda overlay: order.index(overlay.kind),
    ):
        text, key = shown_names(overlay.servers), f"overlay_{overlay.name}"
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


def shown_names(names: Sequence[str]) -> str:
    more = f" or one of {len(names) - 20} more" if len(names) > 20 else ""
    return f"it is {', '.join(names[:20])}{more}"
