"""The routes of a feed by the first word of their path: one table that everything else reads.

The router, metric labels, reserved base paths, the choice of threads, access without a key and
request counts derive from it; a test compares the OpenAPI document with it. To add a route: add a
row here, a handler in `serve.api.registry` and a description in `serve.api.openapi`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """`slow`: it may take long, so a thread answers it. `hot`: answers are cached. `open`: no key
    is required. `label` is its name in metrics; without one it counts as `other`. `process`: the
    server process answers it, not a feed."""

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
"""Path prefixes of the registry's API."""
WRITES = ("publish", "validate", "auth")
"""Words of the registry's API that this server answers with 501."""
RESERVED = frozenset({route.word for route in ROUTES} | set(VERSIONS) | set(WRITES))
"""First words that a feed may not use as its base path."""


def words(**wanted: bool) -> frozenset[bytes]:
    """The words, as bytes of a path, of the feed routes that have the wanted properties."""

    def fits(route: Route) -> bool:
        return all(getattr(route, name) == value for name, value in wanted.items())

    return frozenset(route.word.encode() for route in ROUTES if not route.process and fits(route))
