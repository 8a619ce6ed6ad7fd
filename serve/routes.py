"""The routes of a feed, by the first word of their path: one table that everything else reads.

Router, metric labels, reserved base paths, who waits in a thread, who needs no key and what is
counted derive from it; the OpenAPI document is tested against it. To add a route: a row here, a
handler in `serve.api.registry`, its description in `serve.api.openapi`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """`slow`: it may take long, so it is answered in a thread. `hot`: answers are kept and sent
    again. `open`: no key is asked for. `label` is what metrics count it as; without one as
    `other`. `process`: it is answered by the server process, not by a feed."""

    word: str
    slow: bool = False
    hot: bool = False
    open: bool = False
    label: str | None = None
    process: bool = False


ROUTES = (
    Route("servers", hot=True, label="list"),
    Route("ping", open=True, label="ping"),
    Route("health", open=True, label="health"),
    Route("version"),
    Route("editions", slow=True, label="editions"),
    Route("changes", label="changes"),
    Route("explain", slow=True, label="explain"),
    Route("search", slow=True, label="search"),
    Route("registry.json", slow=True, label="registry.json"),
    Route("schemas"),
    Route("openapi.json"),
    Route("openapi.yaml"),
    Route("metrics", process=True),
)
VERSIONS = ("v0", "v0.1")
"""What the routes of the registry's API may start with."""
WRITES = ("publish", "validate", "auth")
"""Words of the registry's API that are answered with 501 here."""
RESERVED = frozenset({route.word for route in ROUTES} | set(VERSIONS) | set(WRITES))
"""First words that no feed may have as its base path."""


def words(**wanted: bool) -> frozenset[bytes]:
    """The words of the routes of feeds with some properties, as they stand in a path."""

    def fits(route: Route) -> bool:
        return all(getattr(route, name) == value for name, value in wanted.items())

    return frozenset(r.word.encode() for r in ROUTES if not r.process and fits(r))
